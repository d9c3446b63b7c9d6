"""What is said of a file's keys, and their defaults: taken from the code that has them.

The engines import torch, so of them the source is read, and nothing is imported.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import re
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias, TypeGuard

import msgspec
from msgspec import NODEFAULT, UNSET

from failsoft.actors import ModelActor, RemoteSpec, WorkerSpec
from failsoft.gpu import embedding_worker, image_worker, text_worker
from failsoft.gpu.memory.room import MAX_MEMORY_SHARE
from failsoft.gpu.text.worker import MAX_BATCH
from failsoft.service.config.models import (
    EmbeddingModel,
    ImageModel,
    RemoteModelConfig,
    ScriptedModel,
    TextModel,
)
from failsoft.service.config.receivers import (
    EmailReceiver,
    PagerDutyReceiver,
    SlackReceiver,
    WebhookReceiver,
)
from failsoft.service.config.routes import RouteConfig
from failsoft.service.config.sections import (
    LoggingConfig,
    ServiceConfig,
    SupervisorConfig,
    TelemetryConfig,
)
from failsoft.service.http import serve
from failsoft.supervisors import (
    Candidate,
    ChildSpec,
    Pool,
    RoutePolicy,
    Router,
    pool,
    supervisor,
)
from failsoft.supervisors import Supervisor as SupervisorActor
from failsoft.telemetry import (
    AlertReceiver,
    AlertsActor,
    Email,
    PagerDuty,
    Slack,
    Webhook,
    configure_logging,
)


class Engine(NamedTuple):
    """Name an engine, as ``WorkerSpec`` does: ``module:Class``."""

    name: str


Owner: TypeAlias = Callable[..., Any] | Engine

# The defaults of engines that have a name.
_NAMED: Final = {"MAX_MEMORY_SHARE": MAX_MEMORY_SHARE, "MAX_BATCH": MAX_BATCH}
_CHILD: Final = (Candidate, ChildSpec)
_WORKER: Final = (ModelActor, WorkerSpec, *_CHILD, pool, Pool)
_ENTRY: Final = re.compile(r"(?:^|(?<=\. ))([a-z]\w*(?:, [a-z]\w*)*): ", re.MULTILINE)
# Of each Struct of the file whose keys belong to something else: to what, the nearest first.
_OWNERS: Final[dict[type, tuple[Owner, ...]]] = {
    TextModel: (Engine(text_worker("m").engine), *_WORKER),
    ImageModel: (Engine(image_worker("m").engine), *_WORKER),
    EmbeddingModel: (Engine(embedding_worker("m").engine), *_WORKER),
    ScriptedModel: _WORKER,
    RemoteModelConfig: (RemoteSpec, *_CHILD),
    RouteConfig: (RoutePolicy, Router),
    ServiceConfig: (serve,),
    LoggingConfig: (configure_logging,),
    TelemetryConfig: (AlertsActor,),
    SupervisorConfig: (supervisor, SupervisorActor),
    SlackReceiver: (Slack, AlertReceiver),
    PagerDutyReceiver: (PagerDuty, AlertReceiver),
    WebhookReceiver: (Webhook, AlertReceiver),
    EmailReceiver: (Email, AlertReceiver),
}


class Described(NamedTuple):
    """Tell of one key. default: as the code has it; NODEFAULT where it is required.

    It is UNSET where the code leaves that open.
    """

    name: str
    type: Any
    default: Any
    said: str


def described(kind: type[msgspec.Struct]) -> list[Described]:
    """Tell of all keys of a table."""
    bases = [each for each in kind.__mro__ if each.__module__.startswith("failsoft.")]
    owners: list[Owner] = [*bases, *_OWNERS.get(kind, ())]
    said, defaults = _first(map(_docs, owners)), _first(map(_defaults, owners))
    return [
        Described(
            field.encode_name,
            field.type,
            NODEFAULT if field.required else defaults.get(field.name, UNSET),
            said.get(field.name, ""),
        )
        for field in msgspec.structs.fields(kind)
    ]


def _first(owners: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Give what the nearest owner has to say of each name."""
    return ChainMap(*map(dict, owners))


@functools.cache
def _defaults(owner: Owner) -> dict[str, Any]:
    if isinstance(owner, Engine):
        arguments = _source_of(owner)[1].args
        pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        # What isn't a plain value is a name that is explained elsewhere.
        return {
            each.arg: _value(default) for each, default in pairs if isinstance(default, ast.expr)
        }
    if _is_struct(owner):
        fields = msgspec.structs.fields(owner)
        made = {each.name: _made(each) for each in fields if not each.required}
        return {name: value for name, value in made.items() if value is not UNSET}
    parameters = inspect.signature(owner).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not each.empty}


def _made(field: msgspec.structs.FieldInfo) -> Any:
    return field.default_factory() if field.default is NODEFAULT else field.default


@functools.cache
def _docs(owner: Owner) -> dict[str, str]:
    """Give what a docstring says of each name that it lists: ``name, other: what they are.``"""
    doc = _source_of(owner)[0] if isinstance(owner, Engine) else inspect.getdoc(owner) or ""
    said: dict[str, str] = {}
    for paragraph in doc.split("\n\n"):
        starts = [*_ENTRY.finditer(paragraph)]
        bounds = [*(start.start() for start in starts), len(paragraph)]
        for start, end in zip(starts, bounds[1:], strict=True):
            text = " ".join(paragraph[start.end() : end].split()).replace("``", "`")
            said |= dict.fromkeys(start[1].split(", "), text)
    return said


def _source_of(engine: Engine) -> tuple[str, ast.FunctionDef]:
    """Read an engine's docstring, and how it is made, from its file."""
    module, _, name = engine.name.partition(":")
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    (found,) = (each for each in tree.body if isinstance(each, ast.ClassDef) and each.name == name)
    (made,) = (
        each for each in found.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"
    )
    return ast.get_docstring(found) or "", made


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        return _NAMED.get(node.id, UNSET)
    return ast.literal_eval(node)


def _is_struct(owner: object) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(owner, type) and issubclass(owner, msgspec.Struct)
