"""Callers: who may ask, as whom, and how urgently. Keys are known by their hashes alone."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from failsoft.service.http.refusals import Unauthorized

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_SHORTEST: Final = 16


class Caller(msgspec.Struct, frozen=True):
    """Know a caller. tenant: whose fair share it has of a model; priority: the higher goes first.

    The tenant is never shown to other callers.
    """

    tenant: str = ""
    priority: int = 0


class _Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str
    tenant: str = ""
    priority: int = 0


NOBODY: Final = Caller()


def hashed(key: str) -> str:
    """Give the SHA-256 of a key, in hexadecimal: what is kept of it.

    Keys are random, so a plain hash of them tells nothing. Raise ValueError for one so short that
    it could be guessed.
    """
    if len(key) < _SHORTEST:
        raise ValueError(
            f"a key needs at least {_SHORTEST} characters; make one with secrets.token_urlsafe()"
        )
    return hashlib.sha256(key.encode()).hexdigest()


class ApiKeys:
    """Tell callers apart by their keys. keys: the hash of each key (``hashed``) → its caller."""

    def __init__(self, keys: Mapping[str, Caller]) -> None:
        for digest in keys:
            check_hash(digest)
        self._keys = tuple(keys.items())

    @classmethod
    def from_file(cls, path: Path) -> ApiKeys:
        """Read a JSON file: a list of ``{"sha256": …, "tenant": …, "priority": …}``.

        Raise ValueError, or OSError where it can't be read.
        """
        try:
            keys = msgspec.json.decode(path.read_bytes(), type=list[_Key])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path.name} doesn't hold a list of keys: {error}") from error
        return cls({key.sha256: Caller(key.tenant, key.priority) for key in keys})

    def caller(self, headers: Mapping[bytes, bytes]) -> Caller:
        """Give the caller by ``Authorization: Bearer KEY``. Raise Unauthorized."""
        given = _digest(_bearer(headers))
        found: Caller | None = None
        # All of them, so that the time tells nothing of which was near.
        for digest, caller in self._keys:
            if hmac.compare_digest(digest, given):
                found = caller
        if found is None:
            raise Unauthorized(
                "This needs an API key that is known here; send it as Authorization: Bearer KEY."
            )
        return found

    def __repr__(self) -> str:
        return f"<ApiKeys {len(self._keys)}>"


def check_operator(headers: Mapping[bytes, bytes], token_hash: str) -> None:
    """Raise Unauthorized where the request doesn't bear the operator's token."""
    if not is_operator(headers, token_hash):
        raise Unauthorized(
            "This is for operators; send their token as Authorization: Bearer TOKEN."
        )


def is_operator(headers: Mapping[bytes, bytes], token_hash: str) -> bool:
    """Tell whether the request bears the operator's token."""
    return hmac.compare_digest(token_hash, _digest(_bearer(headers)))


def check_hash(digest: str) -> None:
    """Raise ValueError for what is no SHA-256 in hexadecimal: a key as it is, say."""
    if _HASH.fullmatch(digest) is None:
        raise ValueError("a key is given by its SHA-256, 64 hexadecimal digits: hashed(key)")


def _bearer(headers: Mapping[bytes, bytes]) -> bytes:
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else b""


def _digest(token: bytes) -> str:
    return hashlib.sha256(token).hexdigest()
