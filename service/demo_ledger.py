"""The demo's books: what each caller got, held against what the router says it ended."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import msgspec

from failsoft.messages import Usage
from failsoft.messages.events import RequestFinished
from failsoft.service.demo_requests import DemoRequest

OutcomeKind = Literal["answered", "refused", "cancelled"]


class Outcome(msgspec.Struct, frozen=True):
    """Tell how a request ended for its caller. Times are in seconds from its sending.

    error: the kind of the typed error, where it was refused. untyped: it was none.
    """

    number: int
    kind: OutcomeKind
    seconds: float
    model: str = ""
    was_fallback: bool = False
    attempts: int = 0
    chunks: int = 0
    usage: Usage | None = None
    text: str = ""
    error: str = ""
    untyped: bool = False


class Ledger:
    """Count outcomes: each request must have exactly one, on both sides."""

    def __init__(self, requests: tuple[DemoRequest, ...]) -> None:
        self._requests = {request.correlation_id: request for request in requests}
        self._sent: set[int] = set()
        self._outcomes: dict[int, list[Outcome]] = {}
        self._finished: Counter[str] = Counter()

    def sent(self, request: DemoRequest) -> None:
        self._sent.add(request.number)

    def ended(self, outcome: Outcome) -> None:
        """Enter what a caller got."""
        self._outcomes.setdefault(outcome.number, []).append(outcome)

    def finished(self, event: RequestFinished) -> None:
        """Enter what the router says."""
        if event.correlation_id in self._requests:
            self._finished[event.correlation_id] += 1

    @property
    def outcomes(self) -> list[Outcome]:
        """Give the first outcome of each request that has one, by number."""
        return [self._outcomes[number][0] for number in sorted(self._outcomes)]

    @property
    def sent_count(self) -> int:
        return len(self._sent)

    def text_of(self, request: DemoRequest) -> str:
        """Give the text that the caller got."""
        return self._outcomes[request.number][0].text

    def count(self, kind: OutcomeKind) -> int:
        return sum(outcome.kind == kind for outcome in self.outcomes)

    @property
    def lost(self) -> list[int]:
        """Give the numbers of the requests that were sent and never ended, on either side."""
        unfinished = {
            request.number
            for correlation_id, request in self._requests.items()
            if not self._finished[correlation_id]
        }
        return sorted(self._sent & (unfinished | (self._sent - self._outcomes.keys())))

    @property
    def answered_twice(self) -> list[int]:
        """Give the numbers of the requests that ended more than once, on either side."""
        twice = {number for number, outcomes in self._outcomes.items() if len(outcomes) > 1}
        twice |= {self._requests[id].number for id, times in self._finished.items() if times > 1}
        return sorted(twice)

    @property
    def tokens(self) -> int:
        return sum(o.usage.completion_tokens for o in self.outcomes if o.usage is not None)


def in_words(request: DemoRequest, outcome: Outcome) -> str:
    """Tell in a line how a request ended."""
    head = f"request {request.number:2} {outcome.kind} in {outcome.seconds:.1f} s"
    if outcome.kind == "refused":
        return f"{head}: {outcome.error}"
    words = " ".join(outcome.text.split())
    return f"{head} by {outcome.model}: {words[:60]}"
