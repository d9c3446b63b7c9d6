"""Router: the supervisor in front of models that can stand in for one another.

Its children are candidates in order of priority. A request goes to the first that is ready; where
that one fails, to the next; after a round of failures it waits (backoff) and goes round again, as
long as the deadline and the number of retries allow. The supervisor's part starts failed
candidates anew meanwhile; one that fails too often is left alone for a while, and the others
answer.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from failsoft.actors import (
    Actor,
    ModelActor,
    Ref,
    WorkerSpec,
    current_correlation_id,
    current_deadline,
    handles,
)
from failsoft.actors.handlers import Handler
from failsoft.actors.signals import ChildReadiness
from failsoft.messages import GenerateText, Request
from failsoft.messages.events import FellBack
from failsoft.supervisors.backoff import Backoff
from failsoft.supervisors.intensity import Intensity
from failsoft.supervisors.route import Failure, Route, annotated
from failsoft.supervisors.spec import ChildSpec, check_family
from failsoft.supervisors.supervisor import Supervisor

_RETRY_BACKOFF = Backoff()
_RESTART_BACKOFF = Backoff()
_INTENSITY = Intensity()


class Candidate(ChildSpec, frozen=True, kw_only=True):
    """Describe a child of a router.

    least_time: seconds below which a request isn't worth sending to it: it is skipped.
    """

    least_time: float = 0.0


class Router(Supervisor):
    """Answer requests with the first of the candidates that can; supervise them one_for_one.

    requests: the types of request that are routed; each candidate must handle them.
    retries: rounds through the candidates after the first one, at most.
    retry_backoff: the waits between rounds.
    intensity, cool_down: a candidate that is restarted more often than ``intensity`` is left
        alone for ``cool_down`` seconds, longer each time in a row. None escalates instead.

    A reply tells ``model_used``, ``was_fallback`` and ``attempts``. A caller's fault is answered
    at once. Where all fail, it is ModelOverloaded with ``tried_models`` (model → cause); where
    there is but one candidate, its own last error. A request that was in work when a worker was
    lost, twice, is refused with PoisonedRequest.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        *,
        requests: Sequence[type[Request[Any]]] = (GenerateText,),
        retries: int = 3,
        retry_backoff: Backoff = _RETRY_BACKOFF,
        backoff: Backoff = _RESTART_BACKOFF,
        intensity: Intensity = _INTENSITY,
        cool_down: float | None = 60.0,
    ) -> None:
        super().__init__(candidates, backoff=backoff, intensity=intensity, cool_down=cool_down)
        if not candidates:
            raise ValueError("a router needs at least one candidate")
        self._candidates = tuple(candidates)
        self._retries = retries
        self._retry_backoff = retry_backoff
        self._readiness_changed = asyncio.Event()
        self._routed = self._fell_back = self._in_hand = 0
        ask, stream = _handler(Router._answer, False), _handler(Router._answer_in_chunks, True)
        self.message_handlers = {**self.message_handlers, **dict.fromkeys(requests, ask)}
        self.stream_handlers = dict.fromkeys(requests, stream)

    async def on_start(self) -> None:
        self.context.defer_ready()
        await super().on_start()

    @handles(ChildReadiness)
    def _child_readiness(self, _message: ChildReadiness) -> None:
        self.context.set_ready(any(cell.is_ready for cell in self._cells.values()))
        self._readiness_changed.set()
        self._readiness_changed = asyncio.Event()

    def inspect(self) -> dict[str, Any]:
        ready = [spec.id for spec in self._candidates if self._is_ready(spec.id)]
        return {
            **super().inspect(),
            "answers_with": ready[0] if ready else None,
            "routed": self._routed,
            "in_hand": self._in_hand,
            "fell_back": self._fell_back,
        }

    async def _answer(self, request: Request[Any]) -> Any:
        with self._route(request) as route:
            while True:
                model = await self._next_candidate(route)
                try:
                    reply = await model.ask(request)
                except Exception as error:
                    self._failed(route, error)
                else:
                    return route.answered(annotated(reply, route))

    async def _answer_in_chunks(self, request: Any) -> AsyncIterator[Any]:
        with self._route(request) as route:
            while not route.is_answered:
                model = await self._next_candidate(route)
                try:
                    async with model.stream(request) as chunks:
                        async for chunk in chunks:
                            route.saw_chunk(chunk)
                            yield annotated(chunk, route)
                    route.answered(None)
                except Exception as error:
                    self._failed(route, error)

    # -- choosing

    async def _next_candidate(self, route: Route) -> Ref:
        """Give the next model to try; wait for one where that can help. Raise where none is left.

        The wait has no limit of its own: at its deadline the request is answered, and this
        handler with it is cancelled.
        """
        while True:
            changed = self._readiness_changed
            chosen = self._first_ready(route)
            if chosen is not None:
                route.send_to(chosen.id, is_first=chosen is self._candidates[0])
                self._routed += 1
                return self._cells[chosen.id].ref
            if not route.round:
                await changed.wait()
                continue
            route.end_round(self._retries)
            delay = self._retry_backoff.delay(route.rounds, self.context.random)
            if self.context.clock.now() + delay >= route.deadline:
                raise route.failure()
            await asyncio.sleep(delay)

    def _first_ready(self, route: Route) -> Candidate | None:
        left = route.deadline - self.context.clock.now()
        for spec in self._candidates:
            if spec.id not in route.round and self._is_ready(spec.id) and left > spec.least_time:
                return spec
        return None

    def _is_ready(self, id: str) -> bool:
        cell = self._cells.get(id)
        return cell is not None and cell.is_ready

    def _failed(self, route: Route, error: Exception) -> None:
        """Take note of a failure that another try may mend; raise what none can."""
        failure = Failure.of(error)
        route.failed(failure)
        self._fell_back += 1
        self.context.publish(
            FellBack, model=route.model, cause=failure.cause, correlation_id=route.correlation_id
        )

    def _route(self, request: object) -> Route:
        return Route(
            request=type(request).__name__,
            context=self.context,
            deadline=current_deadline(),
            correlation_id=current_correlation_id(),
            candidates=len(self._candidates),
        )


def candidate(
    id: str, start: Callable[[], Actor], *, least_time: float = 0.0, **spec: Any
) -> Candidate:
    """Describe a child of a router: an actor that handles its requests.

    See ``Candidate`` and ``ChildSpec`` for the fields of ``spec``.
    """
    return Candidate(id=id, start=start, least_time=least_time, **spec)


def model(
    id: str,
    worker: WorkerSpec,
    *,
    least_time: float = 0.0,
    shutdown: float | None = None,
    backoff: Backoff | None = None,
    **options: Any,
) -> Candidate:
    """Describe a model in a worker process, as a router's candidate.

    See ``Candidate`` and ``ChildSpec``; ``options`` are those of ``ModelActor``.
    """
    start = functools.partial(ModelActor, worker, **options)
    return candidate(id, start, least_time=least_time, shutdown=shutdown, backoff=backoff)


def router(id: str, *candidates: Candidate, **options: Any) -> ChildSpec:
    """Describe a router with its candidates, to be a child of a supervisor; see ``Router``."""
    check_family(candidates, "one_for_one", "never", None)
    return ChildSpec(id=id, start=functools.partial(Router, candidates, **options))


def _handler(method: Callable[..., Any], is_stream: bool) -> Handler:
    return Handler(method, is_stream, interleave=True, cancellable=True, is_plain=False)
