"""Pykka: an actor is a thread."""

from __future__ import annotations

import logging
from time import process_time

import pykka  # type: ignore[import-not-found,unused-ignore]

SETTINGS = "ThreadingActor, asked by actor.ask, which waits"


class Echo(pykka.ThreadingActor):  # type: ignore[misc,unused-ignore]
    def on_receive(self, message: int) -> int:
        return message


async def ask(operations: int) -> float:
    actor = Echo.start()
    began = process_time()
    for _ in range(operations):
        actor.ask(1)
    elapsed = process_time() - began
    actor.stop()
    return elapsed


async def spawn_and_stop(operations: int) -> float:
    logging.getLogger("pykka").setLevel(logging.WARNING)
    began = process_time()
    for _ in range(operations):
        Echo.start().stop()
    return process_time() - began
