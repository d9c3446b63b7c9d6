"""The demo's run: a real tree, real requests, real faults; nothing may be lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from failsoft.actors import ActorError, Ref, System, bind_correlation_id
from failsoft.messages import InferenceError
from failsoft.messages.events import (
    ChildRestarted,
    Event,
    ModelStateChanged,
    RequestFinished,
    RequestResumed,
    WorkerEnded,
    WorkerHung,
    WorkerReady,
)
from failsoft.service.demo_chat import Chat, chat, has_client
from failsoft.service.demo_faults import FaultRecord, Faults
from failsoft.service.demo_ledger import Ledger, Outcome, in_words
from failsoft.service.demo_nodes import DemoNodes
from failsoft.service.demo_receiver import DemoReceiver
from failsoft.service.demo_requests import DEADLINE_SECONDS, DemoRequest, demo_requests
from failsoft.service.demo_tree import REPLICAS, demo_recorder, demo_tree
from failsoft.service.process_watch import ProcessWatch
from failsoft.telemetry import (
    DumpFlight,
    ErrorLog,
    ErrorReport,
    GetErrors,
    Metrics,
    Webhook,
    log_events,
)

PRIMARY = "root/text/primary"
ROUTER = "root/text"
ERRORS = "root/telemetry/errors"
RECORDER = "recorder/flight"
# It is over as soon as none is left; on a machine that is busy the last take a while to be gone.
_ORPHAN_SECONDS = 10.0


class DemoResult(msgspec.Struct, frozen=True):
    """Hold what a run came to."""

    outcomes: list[Outcome]
    faults: list[FaultRecord]
    requests: int
    answered: int
    refused: int
    cancelled: int
    lost: list[int]
    answered_twice: list[int]
    restarts: int
    resumed: list[int]
    resumed_otherwise: list[int]
    hangs_found: int
    fallbacks: int
    orphans: list[int]
    tokens: int
    seconds: float
    errors: ErrorReport
    alerts: list[dict[str, Any]]
    chat: Chat | None

    @property
    def broken_laws(self) -> list[str]:
        """Say which of the demo's promises did not hold; none, as it should be."""
        checks = {
            f"requests without an answer: {self.lost}": self.lost,
            f"requests answered twice: {self.answered_twice}": self.answered_twice,
            f"processes left behind: {self.orphans}": self.orphans,
            f"resumed with another text: {self.resumed_otherwise}": self.resumed_otherwise,
            "no stream survived its worker": not self.resumed,
            "an error reached a caller untyped": [o for o in self.outcomes if o.untyped],
            "a fault went unseen": [record for record in self.faults if not record.seen_by],
            "not every fault was injected": {"kill", "hang", "oom", "caller_fault", "cancel"}
            - {record.fault for record in self.faults},
            "nobody was alerted to the worker that hung": not any(
                alert["rule"] == "worker_hung" for alert in self.alerts
            ),
            "the chat over HTTP came to nothing": self.chat is not None and not self.chat.answer,
        }
        return [words for words, found in checks.items() if found]


class Demo:
    """Run the demo once. ``tell`` gets a line for each thing worth telling.

    folder: the model's. flight: the file that the flight recorder writes at the end.
    nodes: of the cluster that the primary's replicas are placed on, where it isn't here.
    """

    def __init__(
        self,
        folder: Path,
        flight: Path,
        tell: Callable[[str], None],
        nodes: DemoNodes | None = None,
    ) -> None:
        self._folder = folder
        self._flight = flight
        self._tell = tell
        self._nodes = nodes
        self._watch = ProcessWatch(os.getpid())
        self._requests = demo_requests()
        self.ledger = Ledger(self._requests)
        self.system: System | None = None
        self.faults: Faults | None = None
        self.restarts = 0
        self.hangs = 0
        self.resumed: list[DemoRequest] = []
        self._resumed_otherwise: list[int] = []
        self._chat: Chat | None = None
        self._ready: set[str] = set()
        self._primary_ready = asyncio.Event()

    async def run(self) -> DemoResult:
        """Serve the requests, break things, and give the result once all has ended."""
        async with contextlib.AsyncExitStack() as outside:
            receiver = outside.enter_context(DemoReceiver())
            if self._nodes is not None:
                await outside.enter_async_context(self._nodes)
            seconds, errors = await self._serve(receiver.url)
        survivors = await self._watch.survivors(_ORPHAN_SECONDS)
        return self._result(seconds, survivors, errors, receiver.alerts)

    async def _serve(self, alerts_to: str) -> tuple[float, ErrorReport]:
        """Serve all requests; give how long that took, and what went wrong."""
        async with System() as system:
            self.system = system
            system.events.subscribe(self._hear)
            log_events(system.events)
            tree = demo_tree(
                self._folder,
                Metrics(),
                ErrorLog(),
                Webhook(url=alerts_to),
                placement=None if self._nodes is None else self._nodes.placement,
                fault_hooks=True,
            )
            kill = _kill if self._nodes is None else self._nodes.kill_node_of
            self.faults = Faults(system, PRIMARY, self._tell, kill)
            recorder = demo_recorder(self._flight.parent)
            await system.spawn(recorder.start, recorder.id)
            await system.spawn(tree.start, tree.id)
            router = system.ref(ROUTER)
            began = system.clock.now()
            for round in sorted({request.round for request in self._requests}):
                await self._serve_round(router, round)
            seconds = system.clock.now() - began
            await self._primary_ready.wait()  # the last of the healing is part of the picture
            await self._ask_again(router)
            self._watch.look()
            await system.ref(RECORDER).ask(DumpFlight(str(self._flight)))
            errors = await system.ref(ERRORS).ask(GetErrors())
            await self._chat_over_http(system)
            return seconds, errors

    async def _chat_over_http(self, system: System) -> None:
        if not has_client():
            self._tell("no chat over HTTP: pip install openai for that")
            return
        self._chat = await chat(system, {"text": ROUTER}, DEADLINE_SECONDS)
        self._tell(f"OpenAI's client at {self._chat.base_url} was answered")

    async def _ask_again(self, router: Ref) -> None:
        """Ask undisturbed what was resumed: the text must be the same."""
        for request in self.resumed:
            bind_correlation_id(f"{request.correlation_id}-again")
            undisturbed = msgspec.structs.replace(request, fault=None)
            text = ""
            with contextlib.suppress(InferenceError):
                text = (await self._read(router, undisturbed)).text
            if text != self.ledger.text_of(request):
                self._resumed_otherwise.append(request.number)

    async def _serve_round(self, router: Ref, round: int) -> None:
        await self._primary_ready.wait()
        self._tell(f"round {round}: six requests at once")
        async with asyncio.TaskGroup() as callers:
            for request in self._requests:
                if request.round == round:
                    callers.create_task(self._call(router, request))

    async def _call(self, router: Ref, request: DemoRequest) -> None:
        """Be a caller: send one request, and enter what came of it."""
        assert self.system is not None
        assert self.faults is not None
        bind_correlation_id(request.correlation_id)
        self.faults.at_send(request)
        self.ledger.sent(request)
        began = self.system.clock.now()
        try:
            outcome = await (self._read if request.streamed else self._ask)(router, request)
        except InferenceError as error:
            outcome = Outcome(request.number, "refused", 0, error=error.kind)
            self.faults.at_error(request, error.kind)
        except ActorError as error:
            outcome = Outcome(request.number, "refused", 0, error=repr(error), untyped=True)
        outcome = msgspec.structs.replace(outcome, seconds=self.system.clock.now() - began)
        self.ledger.ended(outcome)
        if outcome.kind == "answered":
            self.faults.at_answer()
        self._tell(in_words(request, outcome))

    async def _ask(self, router: Ref, request: DemoRequest) -> Outcome:
        reply = await router.ask(request.message(), timeout=DEADLINE_SECONDS)
        return Outcome(
            request.number,
            "answered",
            0,
            model=reply.model_used,
            was_fallback=reply.was_fallback,
            attempts=reply.attempts,
            usage=reply.usage,
            text=reply.text,
        )

    async def _read(self, router: Ref, request: DemoRequest) -> Outcome:
        assert self.faults is not None
        text, count, last = "", 0, None
        async with router.stream(request.message(), timeout=DEADLINE_SECONDS) as chunks:
            async for chunk in chunks:
                text, count, last = text + chunk.text, count + 1, chunk
                if self.faults.at_chunk(request, count):
                    break
        assert last is not None
        return Outcome(
            request.number,
            "answered" if last.usage is not None else "cancelled",
            0,
            model=last.model_used,
            was_fallback=last.was_fallback,
            attempts=last.attempts,
            chunks=count,
            usage=last.usage,
            text=text,
        )

    def _hear(self, event: Event) -> None:
        assert self.faults is not None
        self.faults.hear(event)
        match event:
            case ModelStateChanged(path=path, after=after):
                if f"{path}/".startswith(f"{PRIMARY}/"):
                    self._heed_primary(path, is_ready=after in ("ready", "busy"))
            case RequestResumed(correlation_id=id, tokens=tokens, model=model):
                self.resumed += [each for each in self._requests if each.correlation_id == id]
                self._tell(f"a stream goes on after {tokens} tokens, by {model}")
            case RequestFinished():
                self.ledger.finished(event)
            case ChildRestarted(path=path):
                self.restarts += 1
                self._tell(f"{path} restarted")
            case WorkerHung(path=path, reason=reason):
                self.hangs += 1
                self._tell(f"{path}: its worker hung ({reason}) and was killed")
            case WorkerEnded(path=path, pid=pid, reason=reason, asked=False):
                self._tell(f"{path}: worker {pid} ended: {reason}")
            case WorkerReady(path=path, pid=pid, seconds=seconds):
                self._watch.look()
                self._tell(f"{path}: worker {pid} is ready after {seconds:.1f} s")
            case _:
                pass

    def _heed_primary(self, path: str, *, is_ready: bool) -> None:
        (self._ready.add if is_ready else self._ready.discard)(path)
        if len(self._ready) >= (1 if self._nodes is None else REPLICAS):
            self._primary_ready.set()
        else:
            self._primary_ready.clear()

    def _result(
        self,
        seconds: float,
        orphans: list[int],
        errors: ErrorReport,
        alerts: list[dict[str, Any]],
    ) -> DemoResult:
        assert self.faults is not None
        ledger = self.ledger
        return DemoResult(
            outcomes=ledger.outcomes,
            faults=self.faults.records,
            requests=ledger.sent_count,
            answered=ledger.count("answered"),
            refused=ledger.count("refused"),
            cancelled=ledger.count("cancelled"),
            lost=ledger.lost,
            answered_twice=ledger.answered_twice,
            restarts=self.restarts,
            resumed=[request.number for request in self.resumed],
            resumed_otherwise=self._resumed_otherwise,
            hangs_found=self.hangs,
            fallbacks=sum(outcome.was_fallback for outcome in ledger.outcomes),
            orphans=orphans,
            tokens=ledger.tokens,
            seconds=seconds,
            errors=errors,
            alerts=alerts,
            chat=self._chat,
        )


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
