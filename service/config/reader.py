"""The reader: plain data into Structs, key by key, so that each mistake is found at once.

msgspec by itself stops at the first.
"""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

import msgspec

from failsoft.service.config.mistakes import quoted
from failsoft.service.config.paths import path_in
from failsoft.service.config.positions import KeyPath
from failsoft.service.config.secret import Secrets
from failsoft.service.config.source import resolved
from failsoft.service.http.decode import told

StructT = TypeVar("StructT", bound=msgspec.Struct)

Check = Callable[[msgspec.Struct], object]

PathText = Annotated[str, msgspec.Meta(extra={"is": "path"}, min_length=1)]
"""Text that names a file or folder, relative to the folder of the file that it stands in."""

_MOST_SHOWN: Final = 40
_MOST_NAMES: Final = 12
_FAILED: Final = object()


class Reader:
    """Read Structs out of what tomllib gives, and collect what is wrong.

    ``false`` stands for None, which TOML doesn't have: it turns off what there is otherwise.
    check: is called with each Struct that could be made, and raises ValueError where what it
        describes can't be made of it.
    """

    def __init__(self, secrets: Secrets, folder: Path, check: Check) -> None:
        self.mistakes: list[tuple[KeyPath, str]] = []
        self._secrets = secrets
        self._folder = folder
        self._check = check
        # The tables of what another machine loads.
        self._elsewhere: set[KeyPath] = set()

    def read(self, value: Any, kind: type[StructT], path: KeyPath = ()) -> StructT | None:
        """Give the Struct; None where something is wrong with it."""
        found = self._struct(value, kind, path)
        return None if found is _FAILED else found

    def _any(self, value: Any, kind: Any, path: KeyPath) -> Any:
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is Annotated and get_origin(arguments[0]) in (dict, tuple):
            found = self._any(value, arguments[0], path)
            return self._wrong(path, "must not be empty") if found in ({}, ()) else found
        if origin in (Union, types.UnionType):
            return self._one_of(value, arguments, path)
        if _is_struct(kind):
            return self._struct(value, kind, path)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return self._mapping(value, arguments[1], path)
        if origin is Sequence or arguments[-1:] == (...,):
            return self._items(value, arguments[0], path)
        return self._plain(value, kind, path)

    def _one_of(self, value: Any, choices: tuple[Any, ...], path: KeyPath) -> Any:
        if value is False and type(None) in choices:
            return None
        structs = [each for each in choices if _is_struct(each)]
        nothing = (type(None), msgspec.UnsetType)
        others = [each for each in choices if each not in (*structs, *nothing)]
        if others and not (structs and isinstance(value, dict)):
            if len(others) > 1:
                return self._plain(value, Union[*others], path)
            return self._any(value, others[0], path)
        if len(structs) == 1:
            return self._struct(value, structs[0], path)
        if not isinstance(value, dict):
            return self._wrong(path, f"must be a table, not {_named(value)}")
        key = structs[0].__struct_config__.tag_field
        by_tag = {each.__struct_config__.tag: each for each in structs}
        if key not in value:
            return self._wrong((*path, key), f"is required: {_either(by_tag)}")
        tag = value[key]
        if not isinstance(tag, str) or tag not in by_tag:
            said = _meant(tag, by_tag) or f"must be {_either(by_tag)}"
            return self._wrong((*path, key), f"can't be {_shown(tag)}; {said}")
        return self._struct(value, by_tag[tag], path)

    def _struct(self, value: Any, kind: type[msgspec.Struct], path: KeyPath) -> Any:
        if not isinstance(value, dict):
            return self._wrong(path, f"must be a table, not {_named(value)}")
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        tag = kind.__struct_config__.tag_field
        if "placement" in value:
            self._elsewhere.add(path)
        if tag is not None and value.get(tag, only := kind.__struct_config__.tag) != only:
            self._wrong((*path, tag), f"must be {_shown(only)}")
        for key in value:
            if key not in fields and key != tag:
                self._wrong((*path, key), f"is no key here; {_meant(key, fields) or _all(fields)}")
        found: dict[str, Any] = {}
        is_whole = True
        for key, field in fields.items():
            if key in value:
                got = self._any(value[key], field.type, (*path, key))
                is_whole &= got is not _FAILED
                found[field.name] = got
            elif field.required:
                is_whole = False
                self._wrong((*path, key), "is required")
        return self._made(kind, found, path) if is_whole else _FAILED

    def _made(self, kind: type[msgspec.Struct], found: dict[str, Any], path: KeyPath) -> Any:
        try:
            made = kind(**found)
            self._check(made)
        except (ValueError, TypeError) as error:
            for said in self._each_wrong(kind, found) or (str(error),):
                self._complain(said, found, path)
            return _FAILED
        return made

    def _each_wrong(self, kind: type[msgspec.Struct], found: dict[str, Any]) -> Sequence[str]:
        """Hear what is said of each key by itself: a check stops at the first that is wrong."""
        required = {field.name for field in msgspec.structs.fields(kind) if field.required}
        needed = {name: found[name] for name in required}
        complaints: dict[str, None] = {}
        for name in found.keys() - required:
            try:
                self._check(kind(**needed, **{name: found[name]}))
            except (ValueError, TypeError) as error:
                complaints[str(error)] = None
        return tuple(complaints)

    def _complain(self, said: str, keys: Mapping[str, Any], path: KeyPath) -> None:
        """Take note of what a check says: at the key that it names, where that is in the file."""
        named = next((word for word in re.findall(r"\w+", said) if word in keys), None)
        if named is not None:
            path = (*path, named)
            said = said.removeprefix(f"{named} ")
        self._wrong(path, re.sub(r"\bNone\b", "false", said))

    def _mapping(self, value: Any, kind: Any, path: KeyPath) -> Any:
        if not isinstance(value, dict):
            return self._wrong(path, f"must be a table, not {_named(value)}")
        found = {key: self._any(each, kind, (*path, key)) for key, each in value.items()}
        return _FAILED if _FAILED in found.values() else found

    def _items(self, value: Any, kind: Any, path: KeyPath) -> Any:
        if not isinstance(value, list):
            return self._wrong(path, f"must be a list, not {_named(value)}")
        found = [self._any(each, kind, (*path, index)) for index, each in enumerate(value)]
        return _FAILED if _FAILED in found else tuple(found)

    def _plain(self, value: Any, kind: Any, path: KeyPath) -> Any:
        meant_as = _extra(kind, "is")
        try:
            if meant_as == "secret":
                self._secrets.secret(str(value))
                return value
            found = msgspec.convert(value, kind)
            match meant_as:
                case "open_or_secret":
                    self._secrets.open_or_secret(found)
                case "path":
                    return str(path_in(self._folder, found))
                case "source":
                    is_here = path[:-1] not in self._elsewhere
                    return resolved(found, self._folder, is_here=is_here)
            return found
        except msgspec.ValidationError as error:
            words = _literals(kind)
            must = f"be {_either(words)}" if words else _extra(kind, "must")
            said = f"must {must}" if must else _in_toml(told(error)[1])
            return self._wrong(path, f"{said}; {_meant(value, words) or f'it is {_shown(value)}'}")
        except ValueError as error:
            return self._wrong(path, str(error))

    def _wrong(self, path: KeyPath, said: str) -> Any:
        self.mistakes.append((path, said))
        return _FAILED


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _extra(kind: Any, name: str) -> str | None:
    """Give what a type says of itself besides its bounds: what it is, or what a value must be."""
    metas = [meta for meta in getattr(kind, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]
    extras = [meta.extra or {} for meta in metas]
    return next((str(extra[name]) for extra in extras if name in extra), None)


def _literals(kind: Any) -> tuple[str, ...]:
    return tuple(each for each in get_args(kind) if isinstance(each, str))


def _meant(given: object, known: Sequence[str] | Mapping[str, Any]) -> str | None:
    near = difflib.get_close_matches(str(given), list(known), n=1)
    return f"did you mean {near[0]}?" if near else None


def _either(known: Iterable[str]) -> str:
    return " or ".join(f'"{name}"' for name in known)


def _all(known: Mapping[str, Any]) -> str:
    names = list(known)
    more = ", …" if len(names) > _MOST_NAMES else ""
    return f"there are {', '.join(names[:_MOST_NAMES])}{more}"


def _named(value: object) -> str:
    """Show a value, but for a text: what stands where none belongs may be a secret."""
    return "text" if isinstance(value, str) else _shown(value)


def _shown(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return quoted(value[:_MOST_SHOWN] + "…" * (len(value) > _MOST_SHOWN))
        case dict():
            return "a table"
        case list():
            return f"a list of {len(value)}"
        case _:
            return str(value)[:_MOST_SHOWN]


def _in_toml(said: str) -> str:
    """Take out what msgspec says of the value, which is shown as it is."""
    return re.sub(r", (not|got) [^;]*$", "", said).replace("an object", "a table")
