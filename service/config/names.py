"""Names: what is wrong with how models, routes and receivers are called, and call each other.

It is looked for in the plain data, so that a mistake elsewhere in a table hides none of these.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, Final

from failsoft.service.config.positions import KeyPath
from failsoft.service.config.telemetry_tree import TELEMETRY

Found = Iterator[tuple[KeyPath, str]]

_OF_ACTORS: Final = ("metrics", "otlp", "errors", "health", "traces", "load", "alerts")
_BAD_NAME: Final = "a name must not be empty, nor hold a slash"
_MAKES: Final = {
    "text": "texts",
    "scripted": "texts",
    "image": "images",
    "embedding": "embeddings",
}


def wrong_names(raw: dict[str, Any]) -> Found:
    """Give what is wrong, each with the key that it is about. raw: what the file says."""
    models, routes = _tables(raw, "models"), _tables(raw, "routes")
    for section, names in (("models", models), ("routes", routes)):
        for name in names:
            if not name or "/" in name:
                yield (section, name), _BAD_NAME
    if TELEMETRY in routes:
        yield ("routes", TELEMETRY), "what listens goes by that name; take another one"
    for name, route in routes.items():
        yield from _of_route(("routes", name, "models"), _texts(route, "models"), models)
    named = {model for route in routes.values() for model in _texts(route, "models")}
    for name in models:
        if name not in named:
            yield ("models", name), "is in no route; name it in a route's models, or take it out"
    yield from _taken_aliases(routes)
    yield from _taken_receivers(raw)


def _of_route(path: KeyPath, names: list[str], models: dict[str, Any]) -> Found:
    for index, name in enumerate(names):
        if name and name not in models:
            near = difflib.get_close_matches(name, models, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(models)}"
            yield (*path, index), f'there is no model "{name}"; {hint}'
        elif name and name in names[:index]:
            yield (*path, index), f'"{name}" is named twice'
    makes = {_made_by(models[name]): name for name in names if name in models}
    makes.pop(None, None)
    if len(makes) > 1:
        said = ", ".join(f"{name} makes {what}" for what, name in makes.items())
        yield path, f"can't stand in for one another: {said}"


def _made_by(model: dict[str, Any]) -> str | None:
    kind = model.get("kind")
    what = model.get("serves", "text") if kind == "remote" else kind
    return _MAKES.get(what) if isinstance(what, str) else None


def _taken_aliases(routes: dict[str, Any]) -> Found:
    owners = dict.fromkeys(routes, "a route")
    for name, route in routes.items():
        for index, alias in enumerate(_texts(route, "aliases")):
            if alias in owners:
                yield ("routes", name, "aliases", index), f'"{alias}" is {owners[alias]} already'
            owners.setdefault(alias, f"an alias of {name}")


def _taken_receivers(raw: dict[str, Any]) -> Found:
    taken = dict.fromkeys(_OF_ACTORS, "an actor of the telemetry")
    receivers = _table(raw, "telemetry").get("receivers", ())
    for index, receiver in enumerate(receivers if isinstance(receivers, list) else ()):
        path: KeyPath = ("telemetry", "receivers", index)
        called = isinstance(receiver, dict) and receiver.get("name", receiver.get("kind"))
        if not isinstance(called, str):
            continue
        if not called or "/" in called:
            yield (*path, "name"), _BAD_NAME
        elif called in taken:
            yield (*path, "name"), f'"{called}" is {taken[called]} already; give it another name'
        taken.setdefault(called, "a receiver")


def _table(raw: dict[str, Any], key: str) -> dict[str, Any]:
    found = raw.get(key)
    return found if isinstance(found, dict) else {}


def _tables(raw: dict[str, Any], key: str) -> dict[str, dict[str, Any]]:
    return {name: each for name, each in _table(raw, key).items() if isinstance(each, dict)}


def _texts(table: dict[str, Any], key: str) -> list[str]:
    found = table.get(key)
    items = found if isinstance(found, list) else []
    # What is no text keeps its place: the others' numbers are told.
    return [each if isinstance(each, str) else "" for each in items]
