"""The rounds: each server is asked in turn, while the others stand still."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import msgspec

from bench.http.connections import Answers, send
from bench.http.entries import OURS, Entry
from bench.servers.running import Running, running

# The least processor time that the system tells, in seconds.
_TICK = 0.01
# Of a warm-up: at the start, and where one goes on that stood still.
_CONNECTIONS, _SECONDS, _REQUESTS = 16, 0.2, 2_000


class Sample(Answers, frozen=True):
    """Tell what a server did. processor: µs of processor time of all its processes a request."""

    processor: float


class Size(msgspec.Struct, frozen=True):
    """Say how much is measured.

    starts: how often all servers are started anew; rounds: in each of them. seconds, requests: of
    a sample, whichever ends first.
    """

    connections: tuple[int, ...] = (1, 16, 64)
    starts: int = 2
    rounds: int = 3
    seconds: float = 1.0
    requests: int = 1_000_000


# By the number of connections, and the name of the entry.
Samples = dict[int, dict[str, list[Sample]]]


async def measure(
    entries: Sequence[Entry], size: Size, workers: int, left_out: dict[str, str]
) -> Samples:
    """Measure all. In ``left_out`` is told of each peer that failed, and isn't among the samples.

    Raise RuntimeError, TimeoutError where ours fails.
    """
    samples: Samples = {number: {} for number in size.connections}
    for _ in range(size.starts):
        with contextlib.ExitStack() as stack:
            servers: dict[str, Running] = {}
            for entry in (each for each in entries if each.name not in left_out):
                with _without_it_if_it_fails(entry, left_out):
                    servers[entry.name] = await _start(entry, workers, stack)
            for number in range(size.rounds):
                # There and back, so that what drifts is no server's.
                for entry in entries if number % 2 == 0 else reversed(entries):
                    if entry.name in left_out:
                        continue
                    with _without_it_if_it_fails(entry, left_out), _alone(entry.name, servers):
                        await _turn(entry.name, servers[entry.name], size, samples)
    for by_name in samples.values():
        for name in left_out:
            by_name.pop(name, None)
    return samples


async def _start(entry: Entry, workers: int, stack: contextlib.ExitStack) -> Running:
    print(f"starting {entry.name}", flush=True)
    server = stack.enter_context(running(entry.server, "noop", workers, **entry.all_environment))
    await _warm_up(server)
    return server


async def _warm_up(server: Running) -> None:
    await send(server.port, connections=_CONNECTIONS, seconds=_SECONDS, requests=_REQUESTS)


async def _turn(name: str, server: Running, size: Size, samples: Samples) -> None:
    await _warm_up(server)
    for number in size.connections:
        busy = server.processor()
        answers = await send(
            server.port, connections=number, seconds=size.seconds, requests=size.requests
        )
        spent = max(server.processor() - busy, _TICK)
        each = 1e6 * spent / answers.requests
        sample = Sample(**msgspec.structs.asdict(answers), processor=each)
        samples[number].setdefault(name, []).append(sample)


@contextlib.contextmanager
def _alone(name: str, servers: dict[str, Running]) -> Iterator[None]:
    """Have all others stand still: an idle server isn't always at rest."""
    with contextlib.ExitStack() as still:
        for other, server in servers.items():
            if other != name:
                still.enter_context(server.paused())
        yield


@contextlib.contextmanager
def _without_it_if_it_fails(entry: Entry, left_out: dict[str, str]) -> Iterator[None]:
    """Note a peer's failure; ours is raised."""
    try:
        yield
    except (RuntimeError, TimeoutError) as error:
        if entry.server == OURS.server:
            raise
        print(f"{entry.name} failed: {error}", flush=True)
        # A program's last line is the one that tells why it ended.
        lines = str(error).strip().splitlines() or [type(error).__name__]
        left_out[entry.name] = f"it failed: {lines[-1]}"
