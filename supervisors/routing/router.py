"""Router: the supervisor in front of models that can stand in for one another.

Its children are candidates in order of priority. What becomes of a request is decided by the
dispatcher, a state machine without I/O; the router carries its moves out with real models, and
as their supervisor starts those that failed anew.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Any

from failsoft.actors import ExitReason, Reply, UnknownMessage, current_correlation_id, handles
from failsoft.actors.handlers import Handler, deferring_handler
from failsoft.actors.relay import forward
from failsoft.actors.reply import StreamReply
from failsoft.actors.signals import ChildReadiness
from failsoft.actors.tracing import Tracing
from failsoft.messages import GenerateText, InferenceTimeout, Request
from failsoft.messages.events import RequestFinished
from failsoft.messages.trace_events import AttemptEnded
from failsoft.supervisors.backoff import RESTARTS, Backoff
from failsoft.supervisors.intensity import Intensity
from failsoft.supervisors.routing.candidate import Candidate
from failsoft.supervisors.routing.carried import (
    Carried,
    annotated,
    attempt_event,
    finished_event,
    outcome_of,
)
from failsoft.supervisors.routing.dispatcher import Dispatcher
from failsoft.supervisors.routing.failure import NotTaken
from failsoft.supervisors.routing.given import Given
from failsoft.supervisors.routing.load import LoadGauge
from failsoft.supervisors.routing.moves import (
    Answer,
    CallOff,
    GiveUp,
    HedgeLater,
    Later,
    LookLater,
    Move,
    Refuse,
    Send,
    Tell,
)
from failsoft.supervisors.routing.operate import Operated
from failsoft.supervisors.routing.policy import RoutePolicy
from failsoft.supervisors.routing.route import Attempt, Route
from failsoft.supervisors.spec import ChildSpec, check_family
from failsoft.supervisors.steps import Exited, SupervisorInput

_INTENSITY = Intensity()
_BURST = 10_000


class Router(Operated):
    """Answer requests with the first of the candidates that can; supervise them one_for_one.

    requests: the types of request that are routed; each candidate handles them, but for those
        that its ``answers`` leave out.
    policy: how; or its fields, by name, see ``RoutePolicy``.
    intensity, cool_down: a candidate that is restarted more often than ``intensity`` is left
        alone for ``cool_down`` seconds, longer each time in a row. None escalates instead.

    A reply tells ``model_used``, ``was_fallback``, ``attempts``, and where less was done than
    asked for, ``degradation_level`` and ``warning``. A caller's fault is answered at once. Where
    no model answers, it is ModelOverloaded with ``tried_models`` (model → cause) and
    ``retry_after``; where there is but one candidate, its own last error. A request that was in
    work when a worker was lost, twice, is refused with PoisonedRequest, and its like with it.

    Candidates come and go as any supervisor's children: StartChild adds one after the others,
    TerminateChild and DeleteChild take it out. A child that is no Candidate gets no requests.
    """

    # Requests don't stay in the mailbox: their queues are in front of the models.
    mailbox_bound = _BURST
    ranks_work = False

    def __init__(
        self,
        candidates: Sequence[Candidate],
        *,
        requests: Sequence[type[Request[Any]]] = (GenerateText,),
        policy: RoutePolicy | None = None,
        backoff: Backoff = RESTARTS,
        intensity: Intensity = _INTENSITY,
        cool_down: float | None = 10.0,
        **options: Any,
    ) -> None:
        super().__init__(candidates, backoff=backoff, intensity=intensity, cool_down=cool_down)
        if not candidates:
            raise ValueError("a router needs at least one candidate")
        if policy is not None and options:
            raise ValueError(f"give the policy, or its fields ({', '.join(options)}); not both")
        self._candidates = tuple(candidates)
        self._policy = RoutePolicy(**options) if policy is None else policy
        self._resumes = self._policy.resume is not None
        accept: Handler = deferring_handler(Router._accept)
        self.message_handlers = {**self.message_handlers, **dict.fromkeys(requests, accept)}
        self.stream_handlers = dict.fromkeys(requests, accept)

    async def on_start(self) -> None:
        self.context.defer_ready()
        clock = self.context.clock
        self._now = clock.now
        self._events = self.context.system.events
        self._gauge = self.context.system.extension(LoadGauge)
        self._tracing = self.context.system.extension(Tracing)
        self._dispatcher = Dispatcher(
            self._candidates, self._policy, self.context.random, clock.now()
        )
        await super().on_start()

    def on_shutdown(self, reason: ExitReason) -> bool:
        self._carry_out(self._dispatcher.shut_down(self.context.path, str(reason), self._now()))
        return super().on_shutdown(reason)

    def inspect(self) -> dict[str, Any]:
        return {
            **super().inspect(),
            **self._dispatcher.shows(self._now()),
            "degradation_level": self._gauge.level.value,
        }

    # -- requests

    def _accept(self, request: Request[Any]) -> Reply[Any]:
        reply = self.context.defer()
        now = self._now()
        route = Route(
            request,
            now,
            reply.deadline,
            is_stream=isinstance(reply, StreamReply),
            correlation_id=current_correlation_id(),
            carried=Carried(reply, copy_context()),
        )
        if route.is_stream and self._resumes and hasattr(request, "answered"):
            route.given = Given()
        if self._tracing.begin is not None:
            begin, path = self._tracing.begin, self.context.path
            route.traceparent = begin(path, route.kind, route.carried.context)
        reply.when_closed(functools.partial(self._left, route))
        self._carry_out(self._dispatcher.arrive(route, self._gauge.level, now))
        return reply

    def _left(self, route: Route) -> None:
        if route.is_over:
            return
        now, answer = self._now(), route.carried.reply.answer
        if not answer.cancelled() and isinstance(answer.exception(), InferenceTimeout):
            now = max(now, route.deadline)  # loops' timers may be a moment early
        self._carry_out(self._dispatcher.left(route, now))

    def _carry_out(self, moves: list[Move]) -> None:
        for move in moves:
            match move:
                case Send():
                    self._send(move.attempt)
                case Answer():
                    move.route.carried.reply.set(annotated(move.value, move.route))
                    self._finished(move.route, "ok", move.at)
                case Refuse(route, error, at):
                    route.carried.reply.fail(error)
                    self._finished(route, outcome_of(error), at)
                case GiveUp(route, _, at):
                    answer = route.carried.reply.answer
                    failed = None if answer.cancelled() else answer.exception()
                    self._finished(route, outcome_of(failed) if failed else "cancelled", at)
                case CallOff(attempt):
                    if attempt.route.traceparent is not None:
                        self._attempt_ended(attempt, "called_off")
                    if attempt.carried is not None:
                        attempt.carried.abandon()
                        attempt.carried.when_failed_late(functools.partial(self._late, attempt))
                case Tell(kind, fields):
                    self.context.publish(kind, **fields)
                case Later(route, seconds):
                    due = functools.partial(self._due, self._dispatcher.due, route)
                    route.carried.set_timer(self.context.call_after(seconds, due))
                case HedgeLater(attempt, seconds):
                    due = functools.partial(self._due, self._dispatcher.hedge, attempt)
                    attempt.route.carried.set_timer(self.context.call_after(seconds, due))
                case LookLater(target, seconds):
                    due = functools.partial(self._due, self._dispatcher.look_again, target)
                    self.context.call_after(seconds, due)
        if self._drains:
            self._answer_drained()

    def _send(self, attempt: Attempt) -> None:
        """Send to the model; nobody waits: what becomes of it is told to ``_done``."""
        route, cell = attempt.route, self._cells[attempt.target.id]
        if route.is_canary:
            route.carried = Carried.by_itself(cell, route.arrived_at, route.deadline)
            route.carried.reply.when_closed(functools.partial(self._left, route))
        carried: Carried = route.carried
        try:
            pass_on = functools.partial(self._pass_on, attempt) if route.is_stream else None
            reply = forward(cell.ref, route.request, carried.reply, carried.context, pass_on)
        except Exception as error:
            if isinstance(error, UnknownMessage):
                how = "be streamed" if route.is_stream else "be answered whole"
                error = NotTaken(f"{route.kind} can't {how} by {attempt.target.spec.called}.")
            if attempt.route.traceparent is not None:
                self._attempt_ended(attempt, outcome_of(error))
            self._carry_out(self._dispatcher.failed(attempt, error, self._now()))
            return
        attempt.carried = reply
        reply.when_closed(functools.partial(self._done, attempt))

    def _pass_on(self, attempt: Attempt, chunk: Any) -> Any:
        """Give a chunk as it goes to the reader; None for one of an attempt that isn't wanted."""
        route = attempt.route
        if route.winner is not attempt:
            self._carry_out(self._dispatcher.began(attempt, self._now()))
            if route.winner is not attempt:
                return None
        route.usage = getattr(chunk, "usage", None) or route.usage
        if route.given is not None:
            route.given.note(chunk)
        return annotated(chunk, route)

    def _done(self, attempt: Attempt) -> None:
        """Take note of the end of an attempt. Called by the model: what fails here is ours."""
        answer = attempt.carried.answer
        if answer.cancelled() or self.context.is_over:
            return
        try:
            error = answer.exception()
            if attempt.route.traceparent is not None:
                self._attempt_ended(attempt, "ok" if error is None else outcome_of(error))
            if error is None:
                moves = self._dispatcher.answered(attempt, answer.result(), self._now())
            else:
                self._look_around()
                moves = self._dispatcher.failed(attempt, error, self._now())
            self._carry_out(moves)
            if attempt.route.is_canary:
                attempt.route.carried.reply.abandon()
        except Exception as error:
            self.context.crash(error)

    def _attempt_ended(self, attempt: Attempt, outcome: str) -> None:
        self.context.publish(AttemptEnded, **attempt_event(attempt, outcome, self._now()))

    def _late(self, attempt: Attempt, error: BaseException) -> None:
        """Hear that a model failed a request which it had been told to stop."""
        if not self.context.is_over:
            self._carry_out(self._dispatcher.failed_late(attempt, error, self._now()))

    def _due(self, event: Callable[[Any, float], list[Move]], subject: Any) -> None:
        try:
            self._look_around()
            self._carry_out(event(subject, self._now()))
        except Exception as error:
            self.context.crash(error)

    def _finished(self, route: Route, outcome: str, at: float) -> None:
        if route.carried.timer is not None:
            route.carried.set_timer(None)
        if self._events.hears(RequestFinished):
            self.context.publish(RequestFinished, **finished_event(route, outcome, at))

    # -- models, as children

    @handles(ChildReadiness)
    def _child_readiness(self, _message: ChildReadiness) -> None:
        self._look_around()
        self.context.set_ready(any(cell.is_ready for cell in self._cells.values()))

    def _look_around(self) -> None:
        """See who is ready: a model that fails says so before the message of it is handled."""
        for target in self._dispatcher.targets.values():
            cell = self._cells.get(target.id)
            is_ready = cell is not None and cell.is_ready and not target.is_drained
            if is_ready != target.is_ready:
                self._carry_out(self._dispatcher.readiness(target, is_ready, self._now()))

    def _start(self, id: str) -> None:
        targets, spec = self._dispatcher.targets, self.machine.children[id].spec
        if id not in targets and isinstance(spec, Candidate):
            self._dispatcher.added(spec)
        if id in targets:
            self._carry_out(self._dispatcher.starting(targets[id], self._now()))
        super()._start(id)

    def _forget(self, id: str, reason: ExitReason) -> None:
        super()._forget(id, reason)
        target = self._dispatcher.targets.get(id)
        if target is not None:
            self._carry_out(self._dispatcher.given_up(target, self._now()))

    def _step(self, event: SupervisorInput) -> None:
        super()._step(event)
        targets = self._dispatcher.targets
        if isinstance(event, Exited) and event.id in targets:
            self._look_around()
            ended = self._dispatcher.ended(
                targets[event.id], self.waits_until(event.id), event.reason.is_abnormal, self._now()
            )
            self._carry_out(ended)
        for id in targets.keys() - self.machine.children.keys():
            self._carry_out(self._dispatcher.removed(targets[id], self._now()))


def router(id: str, *candidates: Candidate, **options: Any) -> ChildSpec:
    """Describe a router with its candidates, to be a child of a supervisor; see ``Router``."""
    check_family(candidates, "one_for_one", "never", None)
    return ChildSpec(id=id, start=functools.partial(Router, candidates, **options))
