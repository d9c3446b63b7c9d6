"""The tables of docs/config.md: ``python -m failsoft.service.config.reference`` makes them.

They stand between two comments of the page, and what is between them is written anew.
"""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT

from failsoft.actors import Wear
from failsoft.gpu.placement import RayPlacement
from failsoft.service.config.described import Described, described
from failsoft.service.config.health import HealthConfig
from failsoft.service.config.models import (
    EmbeddingModel,
    ImageModel,
    ModelConfig,
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
    TreeConfig,
)
from failsoft.service.http import HttpPolicy
from failsoft.supervisors import (
    Admission,
    Affinity,
    Autoscale,
    Backoff,
    Breaker,
    Budget,
    Candidate,
    CountWindow,
    Degradation,
    Hedge,
    Intensity,
    Limit,
    Poison,
    TimeWindow,
)
from failsoft.telemetry import AlertRule, EventPattern, RetryPolicy
from failsoft.telemetry.page_tables import first_words, write_page

PAGE: Final = Path("docs/config.md")

_BEGIN, _END = "<!-- tables -->", "<!-- end of tables -->"
_EVERY: Final = "models.NAME, every kind"
_EVERY_WORKER: Final = "models.NAME, every kind but remote"
_TITLES: Final[dict[type[msgspec.Struct], str]] = {
    TreeConfig: "The whole file",
    TextModel: 'models.NAME, kind = "text"',
    EmbeddingModel: 'models.NAME, kind = "embedding"',
    ImageModel: 'models.NAME, kind = "image"',
    RemoteModelConfig: 'models.NAME, kind = "remote"',
    ScriptedModel: 'models.NAME, kind = "scripted"',
    RouteConfig: "routes.NAME",
    ServiceConfig: "service",
    HttpPolicy: "service.bounds",
    LoggingConfig: "logging",
    TelemetryConfig: "telemetry",
    HealthConfig: "telemetry.health",
    SlackReceiver: 'telemetry.receivers, kind = "slack"',
    PagerDutyReceiver: 'telemetry.receivers, kind = "pagerduty"',
    WebhookReceiver: 'telemetry.receivers, kind = "webhook"',
    EmailReceiver: 'telemetry.receivers, kind = "email"',
    AlertRule: "telemetry.rules",
    EventPattern: "Events of a rule",
    RetryPolicy: "Retries of a receiver",
    SupervisorConfig: "supervisor",
    Backoff: "Backoff",
    Intensity: "Intensity",
    Breaker: "Breaker",
    CountWindow: 'Window, type = "count"',
    TimeWindow: 'Window, type = "time"',
    Admission: "Admission",
    Limit: "Limit",
    Budget: "Budget",
    Hedge: "Hedge",
    Degradation: "Degradation",
    Poison: "Poison",
    Wear: "Wear",
    Autoscale: "Autoscale",
    Affinity: "Affinity",
    RayPlacement: "Placement on Ray",
}
_WORDS: Final = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    type(None): "`false`",
}
_MEANT: Final = {"secret": "secret", "open_or_secret": "text or secret", "path": "path"}


def tables() -> Iterator[str]:
    """Give each table with its title."""
    common = Candidate.__struct_fields__
    of_workers = [name for name in ScriptedModel.__struct_fields__ if name not in common]
    yield from _table(_EVERY, "", [each for each in described(TextModel) if each.name in common])
    workers = [each for each in described(ScriptedModel) if each.name in of_workers]
    yield from _table(_EVERY_WORKER, "", [each for each in workers if each.name != "script"])
    for kind, title in _TITLES.items():
        rows = described(kind)
        if issubclass(kind, get_args(ModelConfig)):
            above = set(common) | (
                set(of_workers) - {"script"} if hasattr(kind, "run_in") else set()
            )
            rows = [each for each in rows if each.name not in above]
        yield from _table(title, f"{first_words(kind)}\n\n", rows)


def _table(title: str, said: str, rows: Iterable[Described]) -> Iterator[str]:
    yield f"### {title}\n\n{said}| key | value | default | |\n| --- | --- | --- | --- |\n"
    yield from map(_row, rows)
    yield "\n"


def filled(page: str) -> str:
    """Give ``page`` with its tables as they are to be. Raise ValueError where there is no room."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"the page must have {_BEGIN!r}, and {_END!r} after it")
    return f"{before}{begin}\n\n{''.join(tables())}{end}{after}"


def _row(each: Described) -> str:
    nothing = "`false`" if type(None) in get_args(each.type) else "left out"
    said = re.sub(r"\bNone\b", nothing, each.said).replace("|", "\\|")
    cells = (f"`{each.name}`", _words(each.type), _default(each.default), said)
    return f"| {' | '.join(cells)} |\n"


def _words(kind: Any) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        told = [_words(each) for each in arguments if each is not msgspec.UnsetType]
        return " or ".join(told)
    if origin is Annotated:
        return _bounded(arguments[0], arguments[1:])
    if origin is Literal:
        return ", ".join(f'`"{each}"`' for each in arguments)
    if kind in _TITLES:
        return f"[{_TITLES[kind].partition(',')[0]}](#{_anchor(_TITLES[kind])})"
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return "table"
    if origin is dict:
        return f"table of {_words(arguments[1])}"
    if arguments:
        is_pair = Ellipsis not in arguments
        return (
            f"{len(arguments)} of {_words(arguments[0])}"
            if is_pair
            else (f"list of {_words(arguments[0])}")
        )
    return _WORDS.get(kind, "any")


def _bounded(kind: Any, metas: tuple[Any, ...]) -> str:
    for meta in metas:
        if (meant := (meta.extra or {}).get("is")) in _MEANT:
            return _MEANT[meant]
        if (must := (meta.extra or {}).get("must")) is not None:
            return str(must).removeprefix("be ")
        signs = (("≥", meta.ge), (">", meta.gt), ("≤", meta.le))
        told = [f"{sign} {bound}" for sign, bound in signs if bound is not None]
        if told:
            return f"{_words(kind)} {', '.join(told)}"
    return _words(kind)


def _default(value: Any) -> str:
    match value:
        case _ if value is NODEFAULT:
            return "required"
        case None | msgspec.UnsetType():
            return ""
        case msgspec.Struct():
            return "as below"
        case bool():
            return f"`{str(value).lower()}`"
        case str():
            return f'`"{value}"`'
        case dict():
            return f"`{value}`"
        case tuple():
            return f"`{list(value)}`"
        case _:
            return f"`{value}`"


def _anchor(title: str) -> str:
    """Give the link to a title, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def main(arguments: list[str] | None = None) -> int:
    """Write the page anew; with ``--check`` only tell whether that would change it."""
    return write_page("failsoft.service.config.reference", PAGE, filled, arguments)


if __name__ == "__main__":
    sys.exit(main())
