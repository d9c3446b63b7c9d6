"""What the samples say: ours against each peer, and all of them in a table."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bench.figures import Figure, against
from bench.http.entries import AIMED_CONNECTIONS, OBSERVED, OURS, PEERS, Entry
from bench.http.rounds import Sample, Samples
from bench.report import Table

_RATE = "requests a second"


def figures_of(samples: Samples) -> list[Figure]:
    """Hold ours against each peer, round by round, and ours with telemetry against it without."""
    return [
        figure
        for connections, by_name in samples.items()
        for figure in (*_peers(connections, by_name), *_telemetry(connections, by_name))
    ]


def _peers(connections: int, by_name: dict[str, list[Sample]]) -> Iterator[Figure]:
    for peer in PEERS:
        if peer.name not in by_name:
            continue
        aim = peer.aim if connections == AIMED_CONNECTIONS else None
        yield _figure(OURS, peer, connections, by_name, _RATE, _per_second, at_least=aim)
        # Of a limit, one figure is enough.
        others = (("ms, p99", _p99), ("µs of processor time a request", _processor))
        for unit, value in others if peer.is_rival else ():
            yield _figure(OURS, peer, connections, by_name, unit, value, less_is_better=True)


def _telemetry(connections: int, by_name: dict[str, list[Sample]]) -> Iterator[Figure]:
    for entry in OBSERVED:
        if entry.name in by_name:
            yield _figure(entry, OURS, connections, by_name, _RATE, _per_second, is_rival=False)


def _figure(
    ours: Entry,
    peer: Entry,
    connections: int,
    by_name: dict[str, list[Sample]],
    unit: str,
    value: Callable[[Sample], float],
    **rest: Any,
) -> Figure:
    rounds = zip(by_name[ours.name], by_name[peer.name], strict=True)
    pairs = [(value(mine), value(theirs)) for mine, theirs in rounds]
    name = f"{ours.name}, {connections} connection{'s' if connections > 1 else ''}"
    rest = {"is_rival": peer.is_rival} | rest
    return against(name, unit, pairs, peer=peer.name, **rest)


def table_of(samples: Samples) -> Table:
    """Give the medians of all."""
    names = list(next(iter(samples.values())))
    return Table(
        title="Medians: requests a second; p50, p99 in ms; µs of processor time a request",
        columns=("server", *(f"{connections} at once" for connections in samples)),
        rows=tuple(
            (name, *(_cell(by_name[name]) for by_name in samples.values())) for name in names
        ),
        note="Processor time is that of all of a server's processes. Of answers that queue, p50 is "
        "what the rate makes it.",
    )


def _cell(samples: Sequence[Sample]) -> str:
    rate, p50, p99, processor = (
        statistics.median(value(sample) for sample in samples)
        for value in (_per_second, _p50, _p99, _processor)
    )
    return f"{rate:,.0f}; {p50:.2f}, {p99:.2f}; {processor:,.0f}"


def _per_second(sample: Sample) -> float:
    return sample.per_second


def _p50(sample: Sample) -> float:
    return sample.p50


def _p99(sample: Sample) -> float:
    return sample.p99


def _processor(sample: Sample) -> float:
    return sample.processor
