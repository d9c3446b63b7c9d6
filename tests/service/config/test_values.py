"""What a file says arrives where the Python API takes it; what it doesn't say is the API's."""

from __future__ import annotations

from pathlib import Path

import msgspec

from failsoft.actors import ModelActor, RemoteModel, Wear
from failsoft.gpu import text_worker
from failsoft.gpu.script import Say
from failsoft.messages import Embed
from failsoft.service.config.candidates import candidate_of, remote_spec_of, worker_of
from failsoft.service.config.lineup import lineups
from failsoft.service.config.models import RemoteModelConfig, ScriptedModel, TextModel
from failsoft.service.config.secret import Secrets
from failsoft.service.config.served_route import ServedRoute
from failsoft.service.http import HttpPolicy
from failsoft.supervisors import (
    Admission,
    Backoff,
    Breaker,
    Candidate,
    CountWindow,
    Degradation,
    Hedge,
    Limit,
    RoutePolicy,
    model,
)

from .written import LEAST, loaded

FULL = """
[service]
host = "::1"
grace = 2
bounds = { max_choices = 2 }

[degradation]
reduced_above = 0.5

[models.primary]
kind = "text"
source = "org/model"
threads = 2
max_batch = 4
continuous = false
hang_limit = 9
heartbeat_every = 4
heartbeat_limit = 30
queue_limit = 5
standby = true
restart = "transient"
max_context = 100
wear = { max_requests = 10 }
breaker.window = { type = "count", calls = 20 }
admission.limit = { initial = 2, least = 2, most = 2 }

[models.far]
kind = "remote"
base_url = "http://far/v1"
model = "m"
api_key = "${KEY}"
headers = { X-Team = "us", X-Key = "${KEY}" }

[routes.chat]
models = ["primary", "far"]
retries = 1
retry_backoff = { base = 0.5 }
budget = false
hedge = {}
while_restarting = 2.5
cool_down = false

[routes.bare]
models = ["far"]
breaker = false
degradation = false
"""
SECRETS = Secrets({"KEY": "a-secret"}, Path())


def test_what_is_said_arrives(tmp_path: Path) -> None:
    """Of each part of a model, a route and the service."""
    tree = loaded(tmp_path, FULL, {"KEY": "a-secret"})
    primary = tree.models["primary"]
    assert isinstance(primary, TextModel)
    assert worker_of(primary) == text_worker(
        "org/model",
        threads=2,
        hang_limit=9,
        heartbeat_every=4,
        heartbeat_limit=30,
        max_batch=4,
        continuous=False,
    )
    spec = candidate_of("primary", primary, SECRETS)
    assert (spec.restart, spec.max_context, spec.name) == ("transient", 100, "primary")
    assert spec.breaker == Breaker(window=CountWindow(20))
    assert spec.admission == Admission(limit=Limit.fixed(2))
    assert spec.start.keywords == {  # type: ignore[attr-defined]
        "queue_limit": 5,
        "standby": True,
        "wear": Wear(max_requests=10),
    }
    assert tree.service.said("host", "port", "grace") == {"host": "::1", "grace": 2}
    assert tree.service.bounds == HttpPolicy(max_choices=2)


def test_a_route_is_a_policy(tmp_path: Path) -> None:
    """``false`` is None; a degradation is that of the file, where the route has no other."""
    tree = loaded(tmp_path, FULL, {"KEY": "a-secret"})
    chat, bare = (
        ServedRoute(name, lineup, tree.degradation, SECRETS)
        for name, lineup in lineups(tree).items()
    )
    assert chat.options() == {
        "policy": RoutePolicy(
            retries=1,
            retry_backoff=Backoff(base=0.5),
            budget=None,
            hedge=Hedge(),
            while_restarting=2.5,
            degradation=Degradation(reduced_above=0.5),
        ),
        "cool_down": None,
    }
    assert bare.options() == {"policy": RoutePolicy(breaker=None, degradation=None)}


def test_what_is_not_said_is_the_api_s(tmp_path: Path) -> None:
    """A file that says least makes what the shortest call makes."""
    tree = loaded(tmp_path, LEAST)
    primary = candidate_of("primary", tree.models["primary"], SECRETS)
    (route,) = lineups(tree).values()
    assert route.route.policy() == RoutePolicy()
    assert ServedRoute("chat", route, tree.degradation, SECRETS).options() == {
        "policy": RoutePolicy()
    }
    scripted = tree.models["primary"]
    assert isinstance(scripted, ScriptedModel)
    shortest = model("primary", worker_of(scripted), name="primary")
    plain = {field: getattr(shortest, field) for field in Candidate.__struct_fields__}
    assert {field: getattr(primary, field) for field in plain if field != "start"} == {
        field: value for field, value in plain.items() if field != "start"
    }
    assert isinstance(primary.start(), ModelActor)
    assert (tree.service.said("host", "port"), tree.service.bounds) == ({}, HttpPolicy())


def test_secrets_come_from_elsewhere(tmp_path: Path) -> None:
    """And show in nothing that is read of the file."""
    tree = loaded(tmp_path, FULL, {"KEY": "a-secret"})
    far = tree.models["far"]
    assert isinstance(far, RemoteModelConfig)
    assert "a-secret" not in repr(tree)
    spec = remote_spec_of(far, SECRETS)
    assert spec.all_headers() == {
        "Authorization": "Bearer a-secret",
        "X-Team": "us",
        "X-Key": "a-secret",
    }


def test_a_remote_model_gets_as_many_at_once_as_it_may(tmp_path: Path) -> None:
    """From the start: else a router would find that out over minutes."""
    text = FULL.replace('model = "m"\n', 'model = "m"\nmax_concurrent = 40\n')
    made = candidate_of("far", loaded(tmp_path, text, {"KEY": "a"}).models["far"], SECRETS)
    assert (made.at_once, made.made_class, made.name) == (40, RemoteModel, "far")


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    """Relative to the tree's; the line end isn't part of it."""
    (tmp_path / "key").write_text("of a file\n")
    text = FULL.replace('"${KEY}"', '"${file:./key}"')
    far = loaded(tmp_path, text).models["far"]
    assert isinstance(far, RemoteModelConfig)
    spec = remote_spec_of(far, Secrets({}, tmp_path))
    assert spec.api_key == "of a file"


def test_a_script_is_read_in_full(tmp_path: Path) -> None:
    """Its acts are tables with their names as ``type``."""
    text = LEAST.replace("\n\n", '\nscript.otherwise = [{ type = "Say", text = "hi" }]\n\n', 1)
    primary = loaded(tmp_path, text).models["primary"]
    assert isinstance(primary, ScriptedModel)
    assert primary.script.otherwise == (Say("hi"),)


def test_paths_begin_at_the_file(tmp_path: Path) -> None:
    """Wherever the service is started."""
    (tmp_path / "weights").mkdir()
    text = LEAST.replace('"scripted"', '"embedding"\nsource = "./weights"')
    tree = loaded(tmp_path, text)
    assert msgspec.structs.asdict(tree.models["primary"])["source"] == str(tmp_path / "weights")
    assert lineups(tree)["chat"].answers is Embed
