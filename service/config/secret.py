"""Secrets: named in the file, and kept elsewhere: in the environment, or in a file of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec

from failsoft.service.config.paths import check_regular, path_in

_NAMED: Final = re.compile(r"\$\{(?:file:([^}]+)|([A-Za-z_][A-Za-z0-9_]*))\}")
_WAYS: Final = '"${NAME}", of the environment, or "${file:PATH}"'

Secret = Annotated[str, msgspec.Meta(extra={"is": "secret"}, pattern=f"^{_NAMED.pattern}$")]
"""Text that names a secret, and never is one."""

OpenOrSecret = Annotated[str, msgspec.Meta(extra={"is": "open_or_secret"})]
"""Text that stands in the file, or is named as a secret is."""


class NoSecret(ValueError):
    """Tell why a secret can't be had; it shows nothing of it."""


class Secrets:
    """Look secrets up. folder: where files are that are named by a relative path."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self._environ = environ
        self._folder = folder

    def secret(self, named: str) -> str:
        """Give the secret. Raise NoSecret where it isn't there, or ``named`` is no name of one."""
        found = _NAMED.fullmatch(named)
        if found is None:
            raise NoSecret(f"a secret doesn't stand in this file; name it: {_WAYS}")
        file, name = found.groups()
        if name is not None:
            value = self._environ.get(name, "")
            if not value:
                raise NoSecret(f"the environment has no {name}, or it is empty")
            return value
        path = path_in(self._folder, file)
        try:
            check_regular(path)
            value = path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise NoSecret(f"{file} can't be read: {_reason(error)}") from None
        if not value:
            raise NoSecret(f"{file} is empty")
        return value

    def open_or_secret(self, text: str) -> str:
        """Give the text itself, or the secret that it names. Raise NoSecret."""
        return self.secret(text) if text.startswith("${") else text


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or "" if isinstance(error, OSError) else "it is not UTF-8"
