"""The client: one question at a time, answers as Structs.

http.client and not a library: five small requests need none, and it follows no redirect and heeds
no proxy of the environment, so that the operators' token goes nowhere but where it was meant to.
"""

from __future__ import annotations

import contextlib
import http.client
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from failsoft.service.client.access import KEY, TOKEN, Access
from failsoft.service.client.errors import CommandFailed, Refused, Unreachable

AnswerT = TypeVar("AnswerT")

_LIMIT: Final = 10.0
_MOST_BYTES: Final = 64 * 1024 * 1024


class _Answer(NamedTuple):
    status: int
    body: bytes


class _Said(msgspec.Struct):
    """Be the body of an error."""

    error: str
    error_type: str
    details: dict[str, Any] = {}


class _Document(msgspec.Struct):
    """Be what is looked at of an OpenAPI document."""

    paths: dict[str, Any]


class ServiceClient:
    """Ask a running service.

    What it does raises Unreachable where nothing answers, Refused where the answer is no.
    """

    def __init__(self, access: Access) -> None:
        self.access = access

    def get(self, path: str, kind: type[AnswerT], *, also: int = 200) -> AnswerT:
        """Give what is at ``path``. also: another status that is an answer, and no refusal."""
        answer = self._ask("GET", path, self.access.key or self.access.token)
        return self._decoded(path, answer, kind, also)

    def text(self, path: str) -> str:
        """Give what is at ``path``, where that is no JSON."""
        answer = self._ask("GET", path, self.access.key or self.access.token)
        if answer.status != 200:
            raise self._refusal(path, answer)
        return answer.body.decode("utf-8", "replace")

    def order(self, path: str, body: Any, kind: type[AnswerT], limit: float) -> AnswerT:
        """Have an operator's order carried out, which may take so many seconds.

        Raise CommandFailed where there is no token.
        """
        if self.access.token is None:
            raise CommandFailed(
                f"This is for operators: put their token into {TOKEN}, "
                "or name its file with --token-file."
            )
        encoded = msgspec.json.encode(body)
        answer = self._ask("POST", path, self.access.token, encoded, limit)
        return self._decoded(path, answer, kind)

    def _ask(
        self,
        method: str,
        path: str,
        secret: str | None,
        body: bytes | None = None,
        limit: float = _LIMIT,
    ) -> _Answer:
        access = self.access
        headers = {"Accept": "application/json", "User-Agent": "failsoft"}
        if secret is not None:
            headers["Authorization"] = f"Bearer {secret}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        is_secure = access.scheme == "https"
        kind = http.client.HTTPSConnection if is_secure else http.client.HTTPConnection
        with contextlib.closing(kind(access.host, access.port, timeout=limit)) as connection:
            try:
                connection.request(method, access.prefix + path, body, headers)
                with connection.getresponse() as answer:
                    said = answer.read(_MOST_BYTES)
                    if answer.length:  # a bounded read doesn't mind that there is more to come
                        raise http.client.IncompleteRead(said, answer.length)
                    return _Answer(answer.status, said)
            except (OSError, http.client.HTTPException) as error:
                raise _unreachable(access, error, limit) from error

    def _decoded(self, path: str, answer: _Answer, kind: type[AnswerT], also: int = 200) -> AnswerT:
        if answer.status in (200, also):
            with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                return msgspec.json.decode(answer.body, type=kind)
        raise self._refusal(path, answer)

    def _refusal(self, path: str, answer: _Answer) -> Refused:
        try:
            said = msgspec.json.decode(answer.body, type=_Said)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return self._is_no_failsoft(answer)
        if answer.status == 401:
            return Refused(self._credentials(path), 401)
        if answer.status == 404:
            paths = self._paths()
            if not paths:
                return self._is_no_failsoft(answer)
            if path not in paths:
                words = "Operators can do nothing in this service: it has no operator_hash."
                return Refused(words, 404)
        return Refused(said.error, answer.status, said.details)

    def _paths(self) -> dict[str, Any]:
        """Give the endpoints that the service has: not all have those for operators."""
        answer = self._ask("GET", "/openapi.json", None)
        try:
            return msgspec.json.decode(answer.body, type=_Document).paths
        except (msgspec.DecodeError, UnicodeDecodeError):
            return {}

    def _credentials(self, path: str) -> str:
        if path.startswith("/operator/"):
            return "The service doesn't know this token; it wants the one of its operators."
        if self.access.key is None and self.access.token is None:
            return f"The service wants a key for this: put one into {KEY}, or a token into {TOKEN}."
        return f"The service doesn't know the {'token' if self.access.key is None else 'key'}."

    def _is_no_failsoft(self, answer: _Answer) -> Refused:
        return Refused(
            f"What answers at {self.access.url} (status {answer.status}) is no failsoft. Where "
            "that is mounted in another app, its prefix belongs to the URL, as in http://HOST/ai.",
            answer.status,
        )


def _unreachable(access: Access, error: Exception, limit: float) -> Unreachable:
    match error:
        case ConnectionRefusedError():
            why = "nothing listens there; is the service started, and is this its port?"
        case TimeoutError():
            why = f"no answer came within {limit:g} s."
        case http.client.IncompleteRead():
            why = "its answer ended in the midst; the service ends, say."
        case OSError():
            why = f"{error}."
        case _:
            why = f"what listens there doesn't speak HTTP ({error!r})."
    return Unreachable(f"{access.url} can't be reached: {why}")
