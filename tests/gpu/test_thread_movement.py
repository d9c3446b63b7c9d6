"""What counts as movement of a load in a thread."""

from __future__ import annotations

import threading
from pathlib import Path
from queue import SimpleQueue

from failsoft.gpu.serving.thread_movement import ThreadMovement

MIB = 1 << 20


def read_much() -> None:
    with Path("/dev/zero").open("rb", buffering=0) as zeros:
        zeros.read(MIB)


def test_the_threads_own_reading_counts() -> None:
    """In bytes, beside the little that the look itself reads."""
    movement = ThreadMovement()
    movement.begin()
    before = movement()
    read_much()
    assert MIB <= movement() - before < 2 * MIB


def test_a_thread_that_is_started_later_counts_and_one_that_was_there_does_not() -> None:
    """Loaders fetch files in threads of theirs; the others are the service's."""
    orders: SimpleQueue[bool] = SimpleQueue()
    read, may_end = threading.Event(), threading.Event()

    def obey() -> None:
        orders.get()
        read_much()
        read.set()
        may_end.wait()

    there = threading.Thread(target=obey)
    there.start()
    movement = ThreadMovement()
    movement.begin()
    before = movement()
    orders.put(True)
    read.wait()
    assert movement() - before < MIB
    read.clear()
    later = threading.Thread(target=obey)
    later.start()
    orders.put(True)
    read.wait()
    assert movement() - before >= MIB
    may_end.set()
    there.join()
    later.join()


def test_nothing_counts_before_it_begins() -> None:
    """A worker that waits for its turn to load need not look at the threads of the others."""
    movement = ThreadMovement()
    read_much()
    assert movement() == 0
