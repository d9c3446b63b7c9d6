"""The stash: messages that an actor has put aside until it can handle them."""

from __future__ import annotations

from collections import deque

from failsoft.actors.mailbox import Envelope


class PutAside(BaseException):
    """Leave a handler whose message goes into the stash. It never gets out of the runtime.

    No Exception, so that a handler's own ``except Exception`` lets it pass.
    """

    def __init__(self, envelope: Envelope) -> None:
        super().__init__()
        self.envelope = envelope


class Stash:
    """Hold at most ``bound`` messages, in the order in which they were put aside."""

    __slots__ = ("_aside", "bound")

    def __init__(self, bound: int) -> None:
        if bound < 1:
            raise ValueError(f"a stash bound must be at least 1; it is {bound}")
        self.bound = bound
        self._aside: deque[Envelope] = deque()

    @property
    def is_full(self) -> bool:
        """Tell whether there is no room, also once those that nobody waits for have gone."""
        if len(self._aside) >= self.bound:
            self._aside = deque(e for e in self._aside if e.reply is None or e.reply.is_open)
        return len(self._aside) >= self.bound

    def put(self, envelope: Envelope) -> None:
        """Put aside; whether there is room, has been asked before."""
        self._aside.append(envelope)

    def take_all(self) -> list[Envelope]:
        """Take all out, the oldest first."""
        taken = list(self._aside)
        self._aside.clear()
        return taken

    def __len__(self) -> int:
        return len(self._aside)

    def __repr__(self) -> str:
        return f"<Stash {len(self)}/{self.bound}>"
