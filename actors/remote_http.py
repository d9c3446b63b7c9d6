"""The HTTP of a remote model: bounded, and with errors of ours alone.

httpx2 and not the openai client: that one retries by itself, where the router must, brings
pydantic models for what is five fields, and hides the bodies that errors come with. And httpx2
and not httpx, whose pool keeps a dead connection for good where a request is cancelled at the
wrong moment (encode/httpcore#1093): of 200 requests, cancelled after 0 to 39 turns of the loop,
httpx 0.28.1 kept 5 and httpx2 2.16.2 none. Here, every caller that leaves cancels one.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator

import anyio
import httpx2

from failsoft.actors.clock import Clock
from failsoft.actors.http_client import open_client
from failsoft.actors.remote_errors import Refusal, error_of, failed, unreachable
from failsoft.actors.remote_events import EventReader, EventsError
from failsoft.actors.remote_spec import RemoteSpec
from failsoft.actors.request_context import current_correlation_id, current_deadline
from failsoft.actors.tracing import current_traceparent

MAX_ANSWER_BYTES = 64 * 1024 * 1024
_MAX_ERROR_BYTES = 64 * 1024
_CHECK_LIMIT = 5.0
_END = "[DONE]"
_END_WAIT = 0.1
_LEAST_TIME = 0.001
# They mean that the server is there, though it keeps no list of its models.
_NO_LIST = (404, 405, 501)


class RemoteHttp:
    """Talk to one server. Whatever is cancelled has its connection closed."""

    def __init__(self, spec: RemoteSpec, client: httpx2.AsyncClient, clock: Clock) -> None:
        self._spec = spec
        self._client = client
        self._clock = clock

    @classmethod
    async def open(cls, spec: RemoteSpec, clock: Clock) -> RemoteHttp:
        """Give one that has no connection yet."""
        client = await open_client(
            base_url=spec.base_url,
            headers={"Accept-Encoding": "identity", **spec.all_headers()},
            timeout=httpx2.Timeout(spec.silence_limit, connect=spec.connect_limit),
            # The actor bounds what is under way.
            limits=httpx2.Limits(
                max_connections=None, max_keepalive_connections=spec.max_concurrent
            ),
        )
        return cls(spec, client, clock)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def post(self, path: str, body: bytes) -> bytes:
        """Send ``body``; give the answer's. Raises an InferenceError that is an answer."""
        async with (
            self._answered(path, body) as response,
            contextlib.aclosing(response.aiter_bytes()) as pieces,
        ):
            answer = bytearray()
            async for piece in pieces:
                answer += piece
                if len(answer) > MAX_ANSWER_BYTES:
                    raise failed(f"The remote server's answer is over {MAX_ANSWER_BYTES} bytes.")
            return bytes(answer)

    async def events(self, path: str, body: bytes) -> AsyncGenerator[str]:
        """Send ``body``; give the data of each event of the answer, to its end or the connection's.

        Raises an InferenceError that is an answer.
        """
        reader = EventReader()
        async with self._answered(path, body) as response:
            kind = response.headers.get("content-type", "")
            if not kind.startswith("text/event-stream"):
                raise failed("The remote server answered, but not with a stream of events.")
            # Else what is left of it is closed by the collector, some time.
            async with contextlib.aclosing(response.aiter_bytes()) as pieces:
                async for piece in pieces:
                    for event in reader.feed(piece):
                        if event == _END:
                            await _read_rest(pieces)
                            return
                        yield event

    async def trouble(self) -> str | None:
        """Ask for the list of models; give in words why the server can't be used now, or None."""
        try:
            async with (
                asyncio.timeout(_CHECK_LIMIT),
                self._client.stream("GET", "/models") as response,
            ):
                status = response.status_code
        except TimeoutError:
            return f"it doesn't answer within {_CHECK_LIMIT:g} s"
        except httpx2.HTTPError as error:
            return f"it can't be reached ({type(error).__name__})"
        if status in (401, 403):
            return f"it refuses the credentials ({status})"
        if status == 200 or status in _NO_LIST:
            return None
        return f"it answers with status {status}"

    @contextlib.asynccontextmanager
    async def _answered(self, path: str, body: bytes) -> AsyncIterator[httpx2.Response]:
        """Give the response once its status is known to be good, its body yet to be read."""
        with self._in_our_words():
            async with self._client.stream(
                "POST", path, content=body, headers=self._headers()
            ) as response:
                if response.status_code != 200:
                    refusal = await _refusal(response)
                    raise error_of(refusal, self._spec, time.time())
                yield response

    def _headers(self) -> dict[str, str]:
        """Give the headers of the request in hand: all that travels with it."""
        headers = {"Content-Type": "application/json"}
        correlation_id = current_correlation_id()
        if correlation_id is not None and correlation_id.isascii() and correlation_id.isprintable():
            headers["X-Correlation-ID"] = correlation_id
        if (traceparent := current_traceparent()) is not None:
            headers["traceparent"] = traceparent
        left = current_deadline() - self._clock.now()
        if left < math.inf:
            # 0 would be refused as no time; it is over in a moment anyway.
            headers["X-Request-Timeout"] = f"{max(left, _LEAST_TIME):.3f}"
        return headers

    @contextlib.contextmanager
    def _in_our_words(self) -> Iterator[None]:
        """Turn errors of the network, and of what came by it, into ours."""
        try:
            yield
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
            raise unreachable(self._spec, type(error).__name__) from error
        except httpx2.TimeoutException as error:
            limit = self._spec.silence_limit
            raise failed(f"The remote server sent nothing for {limit:g} s.") from error
        except httpx2.HTTPError as error:
            raise failed(
                "The connection to the remote server was lost before its answer was whole."
            ) from error
        except EventsError as error:
            raise failed(f"The remote server's answer is no stream of events: {error}.") from error


async def _read_rest(pieces: AsyncIterator[bytes]) -> None:
    """Read the few bytes after the end, for a moment: then the connection can be used again."""
    with anyio.move_on_after(_END_WAIT), contextlib.suppress(httpx2.HTTPError):
        async for _ in pieces:
            pass


async def _refusal(response: httpx2.Response) -> Refusal:
    body = bytearray()
    # The status alone tells enough.
    with contextlib.suppress(httpx2.HTTPError):
        async with contextlib.aclosing(response.aiter_bytes()) as pieces:
            async for piece in pieces:
                body += piece
                if len(body) >= _MAX_ERROR_BYTES:
                    break
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Refusal(response.status_code, headers, bytes(body[:_MAX_ERROR_BYTES]))
