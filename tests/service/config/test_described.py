"""docs/config.md, the schema and the file's keys are those of the Python API."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from failsoft.actors import ModelActor, RemoteSpec, WorkerSpec
from failsoft.gpu import embedding_worker, image_worker, text_worker
from failsoft.service.config import reference
from failsoft.service.config.described import Engine, _defaults, described
from failsoft.service.config.models import (
    EmbeddingModel,
    ImageModel,
    RemoteModelConfig,
    ScriptedModel,
    TextModel,
)
from failsoft.service.config.reference import filled
from failsoft.service.config.schema import schema_of_files
from failsoft.supervisors import Candidate

from .test_values import FULL
from .written import loaded, mistakes

PAGE = (Path(__file__).parents[3] / "docs" / "config.md").read_text()
# Of a candidate, what a file has no words for: the first two are its place, the last two follow
# from its worker, the others are for requests and answers in Python.
NOT_KEYS = {"id", "start", "name", "significant", "answers", "streams", "canary"}
NOT_KEYS |= {"at_once", "is_pool"}
OF_POOLS = {"affinity", "autoscale", "replicas"}


def test_the_tables_are_those_that_the_code_makes() -> None:
    """Each key, its default and what is said of it."""
    assert filled(PAGE) == PAGE, "run python -m failsoft.service.config.reference"


def test_a_stale_page_is_told_and_written_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What else is on it stays."""
    page = tmp_path / "page.md"
    page.write_text(PAGE.replace("| `max_batch` ", "| `max_batches` "))
    assert reference.main([str(page), "--check"]) == 1
    assert "is stale" in capsys.readouterr().out
    assert reference.main([str(page)]) == 0
    assert page.read_text() == PAGE
    assert reference.main([str(page), "--check"]) == 0


@pytest.mark.parametrize(
    ("kind", "worker"),
    [
        (TextModel, text_worker("m")),
        (ImageModel, image_worker("m")),
        (EmbeddingModel, embedding_worker("m")),
    ],
)
def test_each_option_of_an_engine_is_a_key(kind: type, worker: WorkerSpec) -> None:
    """And of its worker, its actor and its candidate; without torch, which the engines import."""
    keys = {each.name: each.default for each in described(kind)}
    engine = _defaults(Engine(worker.engine))
    workers = inspect.signature(text_worker).parameters.keys() - {"model", "options", "fault_hooks"}
    actors = inspect.signature(ModelActor).parameters.keys() - {"worker", "requests"}
    fields = set(Candidate.__struct_fields__) - NOT_KEYS
    assert keys.keys() == {"source", *engine, *workers, *actors, *fields, *OF_POOLS}
    assert {name: keys[name] for name in engine} == engine


def test_each_field_of_a_server_elsewhere_is_a_key() -> None:
    """And one says what it is asked for."""
    keys = {each.name for each in described(RemoteModelConfig)}
    fields = set(Candidate.__struct_fields__) - NOT_KEYS
    assert keys == {"serves", *RemoteSpec.__struct_fields__, *fields}


def test_the_engines_are_where_they_are_looked_for() -> None:
    """Their source is read, so nothing else would notice that they have moved."""
    for worker in (text_worker("m"), image_worker("m"), embedding_worker("m")):
        module, _, name = worker.engine.partition(":")
        spec = find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        tree = ast.parse(Path(spec.origin).read_text())
        assert name in {each.name for each in tree.body if isinstance(each, ast.ClassDef)}


def test_what_is_read_fits_the_schema() -> None:
    """An editor that heeds it finds nothing wrong."""
    schema = schema_of_files()
    assert jsonschema_rs.meta.is_valid(schema)
    jsonschema_rs.validate(schema, tomllib.loads(FULL))


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"servce": {}}, []),
        ({"service": {"port": 70_000}}, ["service", "port"]),
        ({"routes": {"chat": {"models": ["a"], "hedge": None}}}, ["routes", "chat", "hedge"]),
        ({"routes": {"chat": {"models": ["a"], "breaker": {"grow": 1}}}}, ["routes", "chat"]),
        ({"models": {"a": {"kind": "text"}}}, ["models", "a"]),
    ],
)
def test_what_is_wrong_does_not_fit_the_schema(change: dict[str, Any], path: list[str]) -> None:
    """As far as a schema can tell."""
    changed = {**tomllib.loads(FULL), **change}
    errors = jsonschema_rs.Draft202012Validator(schema_of_files()).iter_errors(changed)
    assert path in [error.instance_path[: len(path)] for error in errors]


def test_a_scripted_model_has_a_script() -> None:
    """Besides what every model with a worker has."""
    own = {each.name for each in described(ScriptedModel)} - {
        each.name for each in described(TextModel)
    }
    assert own == {"script"}


def test_the_file_on_the_page_is_good(tmp_path: Path) -> None:
    """As printed; the mistakes that the page shows are told as it shows them."""
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert list(loaded(tmp_path, text).models) == ["primary", "last"]
    wrong = text.replace('source = "H', 'sourc = "H').replace('"last"]', '"lst"]')
    wrong += '[[telemetry.receivers]]\nkind = "slack"\nurl = "https://hooks"\n'
    told = {each.partition(": ")[2] for each in mistakes(tmp_path, wrong)}
    shown = re.findall(r"^tree.toml:\d+: (.*)$", PAGE, re.MULTILINE)
    assert len(shown) == 3
    assert set(shown) <= told
