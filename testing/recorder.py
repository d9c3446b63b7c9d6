"""A recorder of events: what happened in a system, and a wait for what is to happen."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

import msgspec

from failsoft.messages.events import Event
from failsoft.testing.errors import EventNotSeen

if TYPE_CHECKING:
    from failsoft.actors import System

EventT = TypeVar("EventT", bound=Event)

KEPT = 10_000
WITHIN = 60.0
_SHOWN = 30


class EventRecorder:
    """Remember a system's events from now on, in order: the last ``kept`` of them.

        restarted = await events.wait_for(ChildRestarted, path="root/text")
        again = await events.wait_for(ChildRestarted, path="root/text", after=restarted)

    A wait is over at once where such an event has been already; ``after`` tells from where on to
    look: after an event, or after what had been heard at a ``mark()``.
    """

    def __init__(self, system: System, *, kept: int = KEPT) -> None:
        if kept < 1:
            raise ValueError(f"kept must be at least 1; it is {kept}")
        self._clock = system.clock
        self._events: deque[Event] = deque(maxlen=kept)
        self._heard = 0
        self._news = asyncio.Event()
        self._subscription = system.events.subscribe(self._hear)

    def __repr__(self) -> str:
        return f"<EventRecorder {self._heard} heard, {self.dropped} dropped>"

    def __iter__(self) -> Iterator[Event]:
        """Give what is remembered, oldest first."""
        return iter(tuple(self._events))

    def __len__(self) -> int:
        return len(self._events)

    @property
    def dropped(self) -> int:
        """Count the events that were forgotten for newer ones."""
        return self._heard - len(self._events)

    def mark(self) -> int:
        """Give a mark for ``after``: the number of events heard so far."""
        return self._heard

    def close(self) -> None:
        """Hear no more. A second time does nothing."""
        self._subscription.cancel()

    def of(
        self,
        kind: type[EventT],
        *,
        path: str | None = None,
        after: Event | int | None = None,
        **fields: object,
    ) -> list[EventT]:
        """Give the events of ``kind``, about ``path``, with these values of fields; oldest first.

        Raise TypeError for a field that the kind hasn't.
        """
        fits = _fitting(kind, path, fields)
        return [event for event in self._from(self._place(after)) if fits(event)]  # type: ignore[misc]

    async def wait_for(
        self,
        kind: type[EventT],
        *,
        path: str | None = None,
        after: Event | int | None = None,
        within: float = WITHIN,
        **fields: object,
    ) -> EventT:
        """Wait for the first such event, for at most ``within`` seconds of the system's clock.

        Raise EventNotSeen with what did happen; TypeError for a field that the kind hasn't.
        """
        fits = _fitting(kind, path, fields)
        looked = self._place(after)
        found: EventT | None = None

        def look() -> bool:
            nonlocal looked, found
            news = self._from(looked)
            looked = self._heard
            found = next((event for event in news if fits(event)), None)  # type: ignore[assignment]
            return found is not None

        await self._wait(look, within, lambda: _wanted(kind, path, fields))
        assert found is not None
        return found

    async def wait_until(self, holds: Callable[[], bool], *, within: float = WITHIN) -> None:
        """Wait until ``holds()``; it is called now and after each event. Raise EventNotSeen."""
        await self._wait(holds, within, lambda: f"event after which {holds!r} holds")

    async def _wait(
        self, holds: Callable[[], bool], within: float, wanted: Callable[[], str]
    ) -> None:
        is_over = False

        def give_up() -> None:
            nonlocal is_over
            is_over = True
            self._news.set()

        timer = self._clock.call_at(self._clock.now() + within, give_up)
        try:
            while not holds():
                if is_over:
                    raise EventNotSeen(f"no {wanted()} within {within:g} s. {self._story()}")
                self._news.clear()
                await self._news.wait()
        finally:
            timer.cancel()

    def _place(self, after: Event | int | None) -> int:
        """Give the number of the first event to look at, counted from 0."""
        if after is None:
            return 0
        if isinstance(after, int):
            return after
        for number, event in enumerate(self._events, start=self.dropped):
            if event is after:
                return number + 1
        raise ValueError(f"it wasn't heard here, or is forgotten: {after}")

    def _from(self, number: int) -> Iterator[Event]:
        return itertools.islice(tuple(self._events), max(0, number - self.dropped), None)

    def _story(self) -> str:
        """Tell what did happen: the last events, a line for each."""
        if not self._heard:
            return "Nothing happened at all."
        last = list(self._events)[-_SHOWN:]
        left_out = self._heard - len(last)
        head = f"What happened{f' last, after {left_out} more events' if left_out else ''}:"
        return "\n  ".join([head, *map(_line, last)])

    def _hear(self, event: Event) -> None:
        self._heard += 1
        self._events.append(event)
        self._news.set()


def _fitting(
    kind: type[Event], path: str | None, fields: dict[str, object]
) -> Callable[[Event], bool]:
    known = kind.__struct_fields__
    unknown = sorted(set(fields) - set(known))
    if unknown:
        raise TypeError(
            f"{kind.__name__} has no field {', '.join(unknown)}; it has: {', '.join(sorted(known))}"
        )

    def fits(event: Event) -> bool:
        return (
            isinstance(event, kind)
            and (path is None or event.path == path)
            and all(getattr(event, name) == value for name, value in fields.items())
        )

    return fits


def _wanted(kind: type[Event], path: str | None, fields: dict[str, object]) -> str:
    said = {**({"path": path} if path is not None else {}), **fields}
    return f"{kind.__name__}({', '.join(f'{name}={value!r}' for name, value in said.items())})"


def _line(event: Event) -> str:
    fields = msgspec.structs.asdict(event)
    at, path = fields.pop("at"), fields.pop("path")
    rest = "".join(f" {name}={value!r}" for name, value in fields.items())
    return f"{at:.3f} {type(event).__name__} {path}{rest}"
