"""The flight recorder and signals: heeded where asked for, given back at the end."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from failsoft.actors import StartFailed, System
from failsoft.telemetry import FlightRecorder, FlightWritten
from failsoft.testing import EventRecorder

pytestmark = pytest.mark.anyio

ASKED = signal.SIGUSR1


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run in real time: signals come in it."""
    return "asyncio", {}


@pytest.fixture
def hosts() -> Iterator[list[int]]:
    """Give the signals that the host's own handler got."""
    got: list[int] = []
    before = signal.signal(ASKED, lambda number, _frame: got.append(number))
    yield got
    signal.signal(ASKED, before)


async def test_it_writes_at_a_signal_and_gives_it_back_at_its_end(
    system: System, tmp_path: Path, hosts: list[int]
) -> None:
    """TL-07 The host's handler hears nothing meanwhile, and again afterwards."""
    make = functools.partial(FlightRecorder, tmp_path, signals=(ASKED,))
    flight = await system.spawn(make, "flight")
    events = EventRecorder(system)
    os.kill(os.getpid(), ASKED)
    written = await events.wait_for(FlightWritten)
    assert written.reason == "SIGUSR1"
    assert Path(written.file).parent == tmp_path
    assert hosts == []
    await system.stop(flight)
    signal.raise_signal(ASKED)
    assert hosts == [ASKED]


async def test_without_being_asked_to_it_touches_no_signal(
    system: System, tmp_path: Path, hosts: list[int]
) -> None:
    """TL-07 The process may use it for something else."""
    await system.spawn(functools.partial(FlightRecorder, tmp_path), "flight")
    signal.raise_signal(ASKED)
    assert hosts == [ASKED]


def test_outside_of_the_main_thread_it_says_that_signals_cannot_be_had(tmp_path: Path) -> None:
    """SV-12 At its start, with what to do."""
    said: list[str] = []

    async def start() -> None:
        async with System() as system:
            make = functools.partial(FlightRecorder, tmp_path, signals=(ASKED,))
            try:
                await system.spawn(make, "flight")
            except StartFailed as error:
                said.append(str(error))

    thread = threading.Thread(target=lambda: asyncio.run(start()))
    thread.start()
    thread.join()
    assert "can't heed SIGUSR1 here" in said[0]
    assert "run the system in the main thread" in said[0]
