"""The file: TOML into a ``TreeConfig``, or all that is wrong with it."""

from __future__ import annotations

import functools
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from failsoft.service.config.build import check_part
from failsoft.service.config.mistakes import BadConfig, Mistake, written
from failsoft.service.config.names import wrong_names
from failsoft.service.config.paths import check_regular
from failsoft.service.config.positions import Positions
from failsoft.service.config.reader import Reader
from failsoft.service.config.secret import Secrets
from failsoft.service.config.sections import TreeConfig

_WHERE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_MOST_BYTES: Final = 1024 * 1024


class Loaded(NamedTuple):
    """Hold what a file says, and the way to the secrets that it names."""

    tree: TreeConfig
    secrets: Secrets


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Loaded:
    """Read a file, and check all that can be checked without starting anything.

    Raise BadConfig, with each mistake.
    """
    name, folder = str(path), path.absolute().parent
    text = _text(path, name)
    raw, positions = _parsed(text, name)
    secrets = Secrets(environ, folder)
    reader = Reader(secrets, folder, functools.partial(check_part, secrets=secrets))
    tree = reader.read(raw, TreeConfig)
    reader.mistakes += wrong_names(raw)
    if reader.mistakes or tree is None:
        raise BadConfig(
            Mistake(name, positions.line(key), written(key), said) for key, said in reader.mistakes
        )
    return Loaded(tree, secrets)


def _text(path: Path, name: str) -> str:
    try:
        check_regular(path)
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise BadConfig([Mistake(name, None, "", f"can't be read: {error.strerror}")]) from error
    if len(content) > _MOST_BYTES:
        raise BadConfig([Mistake(name, None, "", f"has over {_MOST_BYTES} bytes; is it TOML?")])
    try:
        # As tomllib does, so that lines are counted alike.
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadConfig([Mistake(name, line, "", "is not UTF-8; save it as such")]) from error


def _parsed(text: str, name: str) -> tuple[dict[str, Any], Positions]:
    try:
        return tomllib.loads(text), Positions(text)
    except tomllib.TOMLDecodeError as error:
        where = _WHERE.search(str(error))
        said = str(error)[: where.start()] if where else str(error)
        line = int(where[1]) if where and where[1] else text.rstrip().count("\n") + 1
        mistake = Mistake(name, line, "", f"is not TOML: {said[:1].lower()}{said[1:]}")
        raise BadConfig([mistake]) from error
    except (RecursionError, ValueError) as error:  # a number of too many digits is the latter
        raise BadConfig([Mistake(name, None, "", "is nested too deep, or too long")]) from error
