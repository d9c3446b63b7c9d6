"""Where the service is, and what it is shown so that it lets an operator in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from failsoft.service.client.errors import BadAccess

TOKEN: Final = "FAILSOFT_TOKEN"
KEY: Final = "FAILSOFT_KEY"
_MOST_BYTES: Final = 4096


class Access(msgspec.Struct, frozen=True):
    """Say where a service is. prefix: under which it is mounted, such as ``/ai``, or empty.

    token: the operators'; key: a caller's. Neither is shown.
    """

    scheme: str
    host: str
    port: int | None
    prefix: str = ""
    token: str | None = None
    key: str | None = None

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.prefix}"

    def __repr__(self) -> str:
        return f"<Access {self.url}>"


def access_to(url: str, environment: Mapping[str, str], token_file: Path | None = None) -> Access:
    """Give the access to ``url``. Raise BadAccess.

    The token and the key are of the environment, or the token of a file: what is on the command
    line is seen by all users of the machine.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadAccess(f"{url!r} is no URL: {error}.") from error
    is_plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in ("http", "https") or not host or not is_plain:
        raise BadAccess(f"{url!r} is no URL of a service; give one like http://127.0.0.1:8000.")
    if parts.username is not None or parts.password is not None:
        raise BadAccess(f"Leave the password out of the URL; {TOKEN} is the place for a token.")
    if parts.query or parts.fragment:
        raise BadAccess(f"{url!r} has more than a host and a prefix; leave out what is after it.")
    token = environment.get(TOKEN) if token_file is None else _read(token_file)
    return Access(
        parts.scheme,
        host,
        port,
        parts.path.rstrip("/"),
        _header_safe(token, TOKEN if token_file is None else str(token_file)),
        _header_safe(environment.get(KEY), KEY),
    )


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            said = file.read(_MOST_BYTES).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadAccess(f"The token can't be read from {path}: {error}.") from error
    if not said:
        raise BadAccess(f"{path} is empty; it should hold the operators' token.")
    return said


def _header_safe(secret: str | None, where: str) -> str | None:
    if secret is None or not (secret := secret.strip()):
        return None
    if not (secret.isascii() and secret.isprintable()):
        raise BadAccess(f"What is in {where} can't be a token: it has other than ASCII characters.")
    return secret
