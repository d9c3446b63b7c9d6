"""What the reaper knows of its templates and of what was asked of them. Standard library only."""

from __future__ import annotations

import os
import socket
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple


class TemplateKey(NamedTuple):
    """Tell templates apart: the modules they have imported, and where those were looked for."""

    preload: tuple[str, ...]
    sys_path: tuple[str, ...]


@dataclass
class ForkOrder:
    """Ask for a worker. Its descriptors are kept until it is there, to try again."""

    id: int
    key: TemplateKey
    descriptors: list[int]
    attempts: int = 0
    is_unwanted: bool = False

    def close(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []


@dataclass
class TemplateHandle:
    """Know a template: ``queue`` waits for it, ``in_hand`` is being forked."""

    pid: int
    channel: socket.socket
    key: TemplateKey
    is_ready: bool = False
    queue: deque[ForkOrder] = field(default_factory=deque)
    in_hand: ForkOrder | None = None

    @property
    def orders(self) -> list[ForkOrder]:
        """Give the orders that are wanted, the one in hand first."""
        orders = (self.in_hand, *self.queue)
        return [order for order in orders if order is not None and not order.is_unwanted]

    def order(self, id: int) -> ForkOrder | None:
        """Give the order ``id``, where it is here and wanted."""
        return next((order for order in self.orders if order.id == id), None)

    def drop(self, order: ForkOrder) -> None:
        """Forget ``order``; one that is being forked is still waited for."""
        if order is self.in_hand:
            order.is_unwanted = True
        else:
            self.queue.remove(order)
