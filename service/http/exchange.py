"""Exchange: one HTTP request, its way to a model, and its one answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
from starlette.types import Receive, Scope, Send

from failsoft.actors import Ref, Stream, UnknownMessage
from failsoft.messages import InferenceError, InvalidInput, Request, Streamed
from failsoft.service.http.body import check_is_json, read_body
from failsoft.service.http.callers import NOBODY
from failsoft.service.http.client_watch import ClientGone, ClientWatch
from failsoft.service.http.decode import decode
from failsoft.service.http.error_body import Headers, headers_of, status_of
from failsoft.service.http.gateway import Gateway
from failsoft.service.http.refusals import InvalidBody
from failsoft.service.http.time_limit import TimeLimit

AnswerT = TypeVar("AnswerT")
BodyT = TypeVar("BodyT", bound=msgspec.Struct)
RequestT = TypeVar("RequestT")

JSON: Final = b"application/json"
EVENTS: Final = b"text/event-stream; charset=utf-8"
_HEADER: Final = b"x-request-timeout"
# The last one has nginx pass events on as they come.
_EVENT_HEADERS: Final = (
    (b"content-type", EVENTS),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)

_encode = msgspec.json.Encoder(enc_hook=str).encode


class Exchange:
    """Hold a request and answer it.

    headers: by name, in lower case. caller: who asks. has_begun: the answer has.
    """

    __slots__ = (
        "_began_at",
        "_receive",
        "_send",
        "caller",
        "deadline",
        "gateway",
        "has_begun",
        "headers",
        "scope",
    )

    def __init__(self, gateway: Gateway, scope: Scope, receive: Receive, send: Send) -> None:
        self.gateway = gateway
        self.scope = scope
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.caller = NOBODY
        self.has_begun = False
        self.deadline = math.inf
        self._began_at = 0.0
        self._receive = receive
        self._send = send

    # -- what is asked

    async def read(self, kind: type[BodyT]) -> BodyT:
        """Read the body. Raise InvalidBody, or another refusal."""
        self._began_at = self.gateway.system.clock.now()
        check_is_json(self.headers)
        body = await read_body(self._receive, self.headers, self.gateway.policy)
        return decode(body, kind)

    def allow(self, timeout: float | None) -> None:
        """Set the deadline: by the header, else by ``timeout`` of the body, else the usual one.

        It counts from the request's arrival, and is bounded by the policy. Raise InvalidBody.
        """
        policy = self.gateway.policy
        name = "timeout"
        header = self.headers.get(_HEADER)
        if header is not None:
            name, timeout = "X-Request-Timeout", _seconds(header)
        if timeout is None:
            timeout = policy.default_timeout
        if not timeout > 0:
            raise InvalidBody.in_fields({name: "must be a number of seconds over 0"})
        self.deadline = self._began_at + min(timeout, policy.max_timeout)

    def check(
        self,
        validate: Callable[[RequestT, int], RequestT],
        request: RequestT,
        names: dict[str, str] | None = None,
    ) -> RequestT:
        """Give the request, validated. names: of its fields → those of the body.

        Raise InvalidBody.
        """
        try:
            return validate(request, self.gateway.policy.max_characters)
        except InvalidInput as error:
            fields: dict[str, str] = error.details["field_errors"]
            raise InvalidBody.in_fields(
                {_renamed(path, names or {}): words for path, words in fields.items()}
            ) from error

    async def ask(self, ref: Ref, request: Request[AnswerT]) -> AnswerT:
        """Ask an actor, for as long as the client is there. Raise ClientGone, or its error."""
        with self.watched():
            return await ref.ask(request, deadline=self.deadline)

    def stream(self, ref: Ref, request: Streamed[AnswerT]) -> Stream[AnswerT]:
        """Ask an actor for a stream of chunks. Raise InvalidBody where it doesn't stream."""
        try:
            return ref.stream(request, deadline=self.deadline)
        except UnknownMessage:
            said = "isn't served by this model; take it out"
            raise InvalidBody.in_fields({"stream": said}) from None

    def watched(self) -> ClientWatch:
        """Give a block that is left with ClientGone when the client goes away."""
        return ClientWatch(self._receive, self.gateway.watches)

    # -- what is answered

    async def answer(
        self, body: Any, status: int = 200, headers: Headers | None = None, kind: bytes = JSON
    ) -> None:
        """Answer, with JSON or with bytes."""
        said = body if isinstance(body, bytes) else _encode(body)
        told = [(b"content-type", kind), (b"content-length", b"%d" % len(said))]
        if headers is not None:
            told += headers
        self.has_begun = True
        await self._send({"type": "http.response.start", "status": status, "headers": told})
        await self._send({"type": "http.response.body", "body": said})

    async def fail(self, error: InferenceError, encode: Callable[[InferenceError], bytes]) -> None:
        """Answer with an error."""
        await self.answer(encode(error), status_of(error), headers_of(error))

    async def send_event(self, data: Any, name: str = "") -> None:
        """Send one server-sent event: JSON or bytes, without a line's end.

        Raise ClientGone where its reader takes too long.
        """
        said = data if isinstance(data, bytes) else _encode(data)
        piece = b"data: " + said + b"\n\n"
        if name:
            piece = b"event: " + name.encode("ascii") + b"\n" + piece
        try:
            with TimeLimit(self.gateway.policy.slow_reader_limit):
                if not self.has_begun:
                    self.has_begun = True
                    told = [*_EVENT_HEADERS]
                    await self._send(
                        {"type": "http.response.start", "status": 200, "headers": told}
                    )
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        except TimeoutError:
            raise ClientGone from None

    async def end_events(self) -> None:
        """End the stream of events."""
        await self._send({"type": "http.response.body", "body": b""})


def _seconds(header: bytes) -> float:
    try:
        seconds = float(header)
    except ValueError:
        return math.nan
    return seconds if math.isfinite(seconds) else math.nan


def _renamed(path: str, names: dict[str, str]) -> str:
    for name, other in names.items():
        if path == name or path.startswith((f"{name}[", f"{name}.")):
            return other + path[len(name) :]
    return path
