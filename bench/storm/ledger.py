"""The ledger: how each question ended, and whether it did so once."""

from __future__ import annotations

import contextlib
from collections import Counter

from bench.storm.question import Question
from failsoft.actors import EventBus, Ref, Stream, bind_correlation_id
from failsoft.actors.errors import ActorError
from failsoft.messages import InferenceError, InferenceTimeout, TextChunk
from failsoft.messages.events import DeadLettered, RequestFinished

_SHOWN = 20


class Ledger:
    """Ask, and count the ends. What it remembers of a question it forgets at its end.

    lost: had no end but a patient caller's own deadline, or none at all. wrong: was answered with
    something else. silent: a stream that just stopped. both: one that had all of its text and
    then an error, or more after its end. twice: was told of twice.
    """

    def __init__(self, events: EventBus, routers: list[str]) -> None:
        self.asked = self.answered = self.cancelled = 0
        self.lost = self.wrong = self.silent = self.both = self.twice = 0
        self.refused: Counter[str] = Counter()
        self.complaints: list[str] = []
        self._routers = frozenset(routers)
        self._untold: set[str] = set()
        self._late = 0
        events.subscribe(self._hear, RequestFinished, DeadLettered)

    def __repr__(self) -> str:
        return f"<Ledger {self.asked} asked, {self.ended} ended, {self.lost} lost>"

    @property
    def ended(self) -> int:
        bad = self.lost + self.wrong + self.silent + self.both
        return self.answered + self.refused.total() + self.cancelled + bad

    @property
    def answered_twice(self) -> int:
        """Give those told of twice, and the answers too many, but for those whose asker had left.

        An answer that comes in the moment in which its asker leaves is a dead letter by right.
        """
        left = self.cancelled + self.lost + self.refused[InferenceTimeout.kind]
        return self.twice + max(0, self._late - left)

    async def ask(self, ref: Ref, question: Question) -> None:
        """Ask, wait for the end, and write it down."""
        bind_correlation_id(question.id)
        self.asked += 1
        self._untold.add(question.id)
        try:
            end = await (_read if question.is_stream else _get)(ref, question)
        except InferenceTimeout as error:
            end = "lost" if question.is_patient else error.kind
        except InferenceError as error:
            end = error.kind
        except ActorError as error:
            end = type(error).__name__
        except BaseException:
            self.cancelled += 1
            raise
        self._note(question, end)

    def never_ended(self, question: Question) -> None:
        """Write down that a question still has no end, long after its deadline."""
        self.cancelled -= 1  # as which it ends when its task is
        self._note(question, "lost")

    def _note(self, question: Question, end: str) -> None:
        match end:
            case "answered":
                self.answered += 1
            case "lost" | "wrong" | "silent" | "both":
                setattr(self, end, getattr(self, end) + 1)
                self._complain(f"{question.id} at {question.router}: {end}")
            case _:
                self.refused[end] += 1

    def _complain(self, said: str) -> None:
        if len(self.complaints) < _SHOWN:
            self.complaints.append(said)

    def _hear(self, event: object) -> None:
        match event:
            case RequestFinished(correlation_id=str(id), path=path) if path in self._routers:
                if id in self._untold:
                    self._untold.remove(id)
                else:
                    self.twice += 1
                    self._complain(f"{id} at {path}: ended twice")
            case DeadLettered(path=path) if path in self._routers:
                self._late += 1


async def _get(ref: Ref, question: Question) -> str:
    reply = await ref.ask(question.request, timeout=question.within)
    is_right = question.is_answered_by(reply.text, reply.finish_reason)
    return "answered" if is_right else "wrong"


async def _read(ref: Ref, question: Question) -> str:
    """Read to the end: of the text, or an error, and never both. After it there is nothing."""
    text, finish_reason = "", None
    async with ref.stream(question.request, timeout=question.within) as chunks:
        try:
            async for chunk in chunks:
                text += chunk.text
                finish_reason = chunk.finish_reason or finish_reason
        except (InferenceError, ActorError):
            if finish_reason is not None or not await _is_over(chunks):
                return "both"
            raise
        if not await _is_over(chunks):
            return "both"
    if finish_reason is None:
        return "silent"
    return "answered" if question.is_answered_by(text, finish_reason) else "wrong"


async def _is_over(chunks: Stream[TextChunk]) -> bool:
    with contextlib.suppress(StopAsyncIteration, InferenceError, ActorError):
        await anext(chunks)
        return False
    return True
