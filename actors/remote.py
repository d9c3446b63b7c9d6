"""The remote model: an OpenAI-compatible server as a model actor, without a process of its own.

It has no state to lose, so no failure of the server's ends it: each is the answer to the request
that met it. Whether the server is there is looked at again and again, and told to the parent.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import structlog

from failsoft.actors.actor import Actor
from failsoft.actors.exit import ExitReason
from failsoft.actors.handlers import handles, streams
from failsoft.actors.model_state import ModelState
from failsoft.actors.remote_errors import is_about_server, notes_of
from failsoft.actors.remote_spec import RemoteSpec
from failsoft.actors.remote_wire import (
    TextPieces,
    embed_body,
    embedding_reply,
    text_body,
    text_path,
    text_reply,
)
from failsoft.messages import (
    GenerateText,
    InferenceError,
    ModelLoadingFailed,
    ModelOverloaded,
    TextChunk,
    TextReply,
)
from failsoft.messages.embedding import Embed, EmbeddingReply, validate_embed
from failsoft.messages.events import ModelStateChanged
from failsoft.messages.validation import validate_text

if TYPE_CHECKING:
    from failsoft.actors.remote_http import RemoteHttp

log = structlog.get_logger("failsoft.remote")


class RemoteModel(Actor):
    """Serve requests with a model behind an OpenAI-compatible server.

    A deadline that passes, and a caller that leaves, close the connection: that is how such a
    server is told to stop. Another failsoft service is told the time that is left as well. Answers:
    replies, or ModelOverloaded (429, 503, not there), InferenceTimeout (408, 504),
    ContextLengthExceeded and InvalidInput (400, 422), GenerationFailed (all else; retryable but
    for refused credentials and unknown models); of another failsoft service its very error.
    """

    shutdown_timeout: ClassVar[float] = 10.0

    def __init__(self, spec: RemoteSpec) -> None:
        self._spec = spec
        self._watching: asyncio.Future[None] | None = None
        # Of the class by rule, but the actors of this one differ.
        self.max_interleaved = spec.max_concurrent  # type: ignore[misc]
        self.mailbox_bound = spec.queue_limit  # type: ignore[misc]
        self._state = ModelState.STARTING
        self._trouble: str | None = None
        self._running = 0
        self._answered = 0
        self._failed = 0

    async def on_start(self) -> None:
        # Imported by trees alone that have such a model.
        try:
            from failsoft.actors.remote_http import RemoteHttp
        except ModuleNotFoundError as error:
            raise ModelLoadingFailed(
                f"A remote model needs the package '{error.name}'; run pip install httpx2."
            ) from error
        self.context.defer_ready()
        self._http: RemoteHttp = await RemoteHttp.open(self._spec, self.context.clock)
        self._watching = asyncio.ensure_future(self._watch())
        self._watching.add_done_callback(self._watch_ended)

    async def on_stop(self, reason: ExitReason) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
            await self._http.aclose()

    def on_shutdown(self, reason: ExitReason) -> bool:
        self._enter(ModelState.DRAINING)
        return True

    def inspect(self) -> dict[str, Any]:
        return {
            "model_state": self._state.value,
            "model": self._spec.model,
            "server": self._spec.base_url,
            "trouble": self._trouble,
            "running": self._running,
            "answered": self._answered,
            "failed": self._failed,
        }

    # -- requests

    @handles(GenerateText, interleave=True, cancellable=True)
    async def _generate(self, request: GenerateText) -> TextReply:
        _check_is_new(request)
        request = validate_text(request, max_characters=sys.maxsize)
        body = text_body(request, self._spec, stream=False)
        with self._in_hand():
            answer = await self._http.post(text_path(request), body)
            return text_reply(request, answer)

    @streams(GenerateText, interleave=True)
    async def _stream(self, request: GenerateText) -> AsyncIterator[TextChunk]:
        _check_is_new(request)
        request = validate_text(request, max_characters=sys.maxsize)
        body = text_body(request, self._spec, stream=True)
        pieces = TextPieces(request, self._spec)
        events = self._http.events(text_path(request), body)
        with self._in_hand():
            async with contextlib.aclosing(events):
                try:
                    async for event in events:
                        if (chunk := pieces.feed(event)) is not None:
                            yield chunk
                    yield pieces.end()
                except InferenceError as error:
                    error.details.setdefault("tokens", pieces.pieces)
                    raise

    @handles(Embed, interleave=True, cancellable=True)
    async def _embed(self, request: Embed) -> EmbeddingReply:
        request = validate_embed(request, max_characters=sys.maxsize)
        body = embed_body(request, self._spec)
        with self._in_hand():
            answer = await self._http.post("/embeddings", body)
            return embedding_reply(request, answer)

    @contextlib.contextmanager
    def _in_hand(self) -> Iterator[None]:
        """Count a request that is under way, and how it ends; who leaves counts as neither."""
        self._running += 1
        try:
            yield
            self._answered += 1
        except InferenceError as error:
            self._failed += 1
            log.warning(
                "remote.failed",
                path=self.context.path,
                error=error.kind,
                status=error.details.get("status"),
                said=notes_of(error),
            )
            if is_about_server(error):
                self._found(error.message)
            raise
        finally:
            self._running -= 1

    # -- whether the server is there

    async def _watch(self) -> None:
        while True:
            self._found(await self._http.trouble())
            await asyncio.sleep(self._spec.check_every)

    def _watch_ended(self, watching: asyncio.Future[None]) -> None:
        if not watching.cancelled() and isinstance(error := watching.exception(), Exception):
            self.context.crash(error)

    def _found(self, trouble: str | None) -> None:
        """Take note of what is wrong with the server, or that nothing is."""
        if self._state is ModelState.DRAINING:
            return
        self._trouble = trouble
        self._enter(ModelState.READY if trouble is None else ModelState.FAILED)
        self.context.set_ready(trouble is None)

    def _enter(self, state: ModelState) -> None:
        before, self._state = self._state, state
        if state is not before:
            self.context.publish(ModelStateChanged, before=before.value, after=state.value)


def _check_is_new(request: GenerateText) -> None:
    """Raise ModelOverloaded for an answer that another model has begun: it would begin it anew."""
    if request.answered is not None:
        raise ModelOverloaded("A remote model can't go on with an answer; another one may.")
