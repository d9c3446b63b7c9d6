"""Events in words, for people who read how an outage went."""

from __future__ import annotations

from typing import Final, Literal

from failsoft.messages import events as e
from failsoft.messages import pool_events as p
from failsoft.messages.events import Event
from failsoft.messages.http_events import HttpRequestFinished
from failsoft.telemetry.alerting.alert import plain_text
from failsoft.telemetry.events import (
    AlertLost,
    AlertsChanged,
    AlertSent,
    ErrorSpiked,
    ErrorSpikeEnded,
    FlightWritten,
    HealthChanged,
)
from failsoft.telemetry.flight_file import UnknownEvent

Tone = Literal["bad", "good", "plain", "routine"]

_MOST_CHARACTERS: Final = 200
_MIB: Final = 2**20
_SERVER_ERROR: Final = 500
_STATES: Final[dict[str, Tone]] = {"draining": "plain"}
_HEALTH: Final[dict[str, Tone]] = {"healthy": "good", "critical": "bad"}


def in_words(event: Event) -> tuple[str, Tone]:
    """Say what happened to the actor of ``event``, on one line, and how bad that is."""
    words, tone = _of_request(event) or _of_model(event) or _of_tree(event) or _of_rest(event)
    return plain_text(words, _MOST_CHARACTERS), tone


def _of_request(event: Event) -> tuple[str, Tone] | None:
    match event:
        case e.RequestFinished(outcome="ok", was_fallback=True, model_used=model):
            return f"a request was answered by {model}, as a fallback", "plain"
        case e.RequestFinished(outcome="ok", model_used=model):
            return f"a request was answered by {model}", "plain"
        case e.RequestFinished(outcome="cancelled"):
            return "a caller left before its request was answered", "plain"
        case e.RequestFinished(outcome=outcome):
            return f"a request ended with {outcome}", "bad"
        case e.FellBack(model=model, cause=cause):
            return f"went past {model} ({cause})", "plain"
        case e.RequestRetried(cause=cause):
            return f"all models failed a request ({cause}); it goes round again", "plain"
        case e.RequestResumed(model=model, tokens=tokens):
            return f"{model} lost a worker after {tokens} tokens; another goes on from there", "bad"
        case e.RequestHedged(model=model, hedge=hedge):
            return f"{model} was slow; {hedge} was asked too", "plain"
        case e.RequestShed(model=model):
            return f"a request that waited for {model} was given up for a more urgent one", "bad"
        case e.RequestQuarantined(workers_lost=lost, seconds=seconds):
            return f"a request took down {lost} workers; its like are refused for {seconds:g} s", (
                "bad"
            )
        case HttpRequestFinished(method=method, route=route, status=status, error_type=error_type):
            said = f"{method} {route or 'of no endpoint'}"
            if not status:
                return f"{said} had no answer: {error_type}", "plain"
            if error_type and status < _SERVER_ERROR:
                return f"{said} broke off after {status}: {error_type}", "plain"
            return f"{said} was answered with {status}", "routine"
        case e.GenerationCancelled(seconds=seconds):
            return f"stopped a request that nobody wanted, in {seconds:.3f} s", "routine"
        case _:
            return None


def _of_model(event: Event) -> tuple[str, Tone] | None:
    match event:
        case (
            e.ModelStateChanged(before="ready", after="busy")
            | e.ModelStateChanged(before="busy", after="ready")
        ):
            return f"is {event.after}", "routine"
        case e.ModelStateChanged(after=state):
            return f"is {state}", _STATES.get(state, "routine")
        case e.ModelLoading(done_bytes=done, total_bytes=total):
            return f"has read {done // _MIB} of {total // _MIB} MiB", "routine"
        case e.WorkerSpawned(pid=pid):
            return f"has a new worker process, {pid}", "routine"
        case e.WorkerReady(pid=pid, seconds=seconds):
            return f"is ready: worker {pid} has loaded the model in {seconds:.1f} s", "good"
        case e.WorkerHung(pid=pid, reason=reason):
            return f"its worker {pid} hung and was killed: {reason}", "bad"
        case e.WorkerEnded(pid=pid, reason=reason, asked=True):
            return f"its worker {pid} was stopped: {reason}", "routine"
        case e.WorkerEnded(pid=pid, reason=reason):
            return f"lost its worker {pid}: {reason}", "bad"
        case e.WorkerWornOut(pid=pid, reason=reason):
            return f"its worker {pid} is worn out, and is replaced: {reason}", "plain"
        case e.WorkerAbandoned(reason=reason, abandoned=abandoned):
            return f"left a worker's thread behind, {abandoned} now: {reason}", "bad"
        case e.StandbyReady(pid=pid):
            return f"has a spare worker ready, {pid}", "plain"
        case e.StandbyRefused(reason=reason):
            return f"has no room for a spare worker: {reason}", "plain"
        case e.StandbyPromoted(pid=pid):
            return f"goes on with its spare worker {pid}", "good"
        case e.DeviceMemoryReported(used_bytes=used, total_bytes=total):
            return f"{used // _MIB} of {total // _MIB} MiB of its device are used", "routine"
        case _:
            return None


def _of_tree(event: Event) -> tuple[str, Tone] | None:
    match event:
        case e.ActorStarted(incarnation=1):
            return "started", "routine"
        case e.ActorStarted(incarnation=number):
            return f"started, for the {number}. time", "routine"
        case e.ActorStopping():
            return "takes no more work", "routine"
        case e.ActorStopped(reason=reason):
            return f"stopped: {reason}", "routine"
        case e.ActorFailed(error=error):
            return f"failed: {error}", "bad"
        case e.ChildStarting():
            return "is being started", "routine"
        case e.ChildForgotten(reason=reason):
            return f"is gone for good: {reason}", "plain"
        case e.RestartScheduled(delay=delay, reason=reason):
            return f"is started again in {delay:.2f} s: {reason}", "plain"
        case e.RestartCalledOff(children=children):
            return f"won't start again as it had said: {', '.join(children)}", "plain"
        case e.ChildRestarted(restarts=restarts):
            return f"is up again, restart {restarts}", "good"
        case e.ChildCooledDown(seconds=seconds, reason=reason):
            return f"failed too often, and is left alone for {seconds:g} s: {reason}", "bad"
        case e.SupervisorEscalated(child=child, reason=reason):
            return f"gave up on {child} and failed itself: {reason}", "bad"
        case e.SupervisorCompleted(child=child):
            return f"ends, since {child} has", "plain"
        case e.BreakerChanged(model=model, after="open", reason=reason):
            return f"opened the circuit of {model}: {reason}", "bad"
        case e.BreakerChanged(model=model, after="closed", reason=reason):
            return f"closed the circuit of {model}: {reason}", "good"
        case e.BreakerChanged(model=model, after=after, reason=reason):
            return f"the circuit of {model} is {after}: {reason}", "plain"
        case p.ReplicaAdded(replica=replica, replicas=replicas):
            return f"has another replica ready, {replica}: {replicas} now", "good"
        case p.ReplicaRemoved(replica=replica, replicas=replicas):
            return f"has let its replica {replica} go: {replicas} now", "plain"
        case p.ReplicaDenied(replica=replica, reason=reason):
            return f"could not have its replica {replica}: {reason}", "bad"
        case p.RolloutEnded(reason="", replicas=replicas):
            return f"has replaced all {replicas} replicas", "good"
        case p.RolloutEnded(reason=reason):
            return f"gave a rollout up: {reason}", "bad"
        case _:
            return None


def _of_rest(event: Event) -> tuple[str, Tone]:
    match event:
        case e.DegradationChanged(before=before, after=after, load=load):
            return f"degradation went from {before} to {after}, at a load of {load:.0%}", "plain"
        case e.LoopBlocked(seconds=seconds, place=place):
            return f"held the event loop for {seconds:.2f} s, at {place}", "bad"
        case e.DeadLettered(message_type=kind, reason=reason):
            return f"a {kind} could not be delivered: {reason}", "plain"
        case e.SubscriberDropped(reason=reason):
            return f"a listener was dropped: {reason}", "bad"
        case HealthChanged(before=before, after=after, critical_failures=failures):
            said = f" ({', '.join(failures)})" if failures else ""
            return f"health went from {before} to {after}{said}", _HEALTH.get(after, "plain")
        case ErrorSpiked(error_type=kind, rate=rate, usual=usual):
            return f"{kind} spiked: {rate:.1f} a minute, usual are {usual:.1f}", "bad"
        case ErrorSpikeEnded(error_type=kind, seconds=seconds):
            return f"{kind} is as usual again, after {seconds:.0f} s", "good"
        case AlertsChanged(alerts=alerts):
            return f"alerts: {', '.join(f'{a.rule} {a.status}' for a in alerts)}", "plain"
        case AlertSent(alerts=names):
            return f"was told of {', '.join(names)}", "routine"
        case AlertLost(alerts=names, reason=reason):
            return f"could not be told of {', '.join(names)}: {reason}", "bad"
        case FlightWritten(file=file, reason=reason):
            return f"wrote {file}: {reason}", "routine"
        case UnknownEvent(name=name, fields=fields):
            return f"{name} {fields}", "routine"
        case _:
            return type(event).__name__, "routine"
