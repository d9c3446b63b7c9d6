"""The figures: ours against each peer, round by round; and a table of all that came over time."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from bench.figures import Figure, against
from bench.generate.answers import Sample
from bench.generate.rounds import LATE, LOAD, Part, Rounds, Samples
from bench.generate.sides import BY_HAND, OURS
from bench.report import Table


class Kind(msgspec.Struct, frozen=True):
    """Say what is told of which samples. of: the property of a sample that tells it."""

    part: Part
    name: str
    unit: str
    of: Literal["per_second", "per_processor_second", "first", "late_first", "gap"]


_ALONE, _AT_ONCE, _ARRIVING = "one text", "16 at once", "by a Poisson clock"
_FIRST, _RATE, _BUSY_RATE = (
    "to the first token",
    "tokens a second",
    "tokens a second of processor time",
)
KINDS = (
    Kind("alone", _ALONE, _RATE, "per_second"),
    Kind("alone", _ALONE, _BUSY_RATE, "per_processor_second"),
    Kind("alone", f"{_ALONE}, {_FIRST}", "ms", "first"),
    Kind("at_once", _AT_ONCE, _RATE, "per_second"),
    Kind("at_once", _AT_ONCE, _BUSY_RATE, "per_processor_second"),
    Kind("at_once", f"{_AT_ONCE}, {_FIRST}, median", "s", "first"),
    Kind("at_once", f"{_AT_ONCE}, token to token, p99", "ms", "gap"),
    Kind("arriving", _ARRIVING, _RATE, "per_second"),
    Kind("arriving", f"{_ARRIVING}, {_FIRST}, median", "s", "first"),
    Kind("arriving", f"{_ARRIVING}, {_FIRST}, p99", "s", "late_first"),
)
_SCALE = {"ms": 1e3}


def figures_of(rounds: Rounds) -> list[Figure]:
    """Give all figures, peer by peer."""
    peers = [name for name in rounds.alone if name != OURS]
    return [
        figure
        for peer in peers
        for kind in KINDS
        if (figure := _figure(kind, rounds.of(kind.part), peer)) is not None
    ]


def _figure(kind: Kind, samples: Samples, peer: str) -> Figure | None:
    """Give a figure; None where one of both has nothing to tell in one round."""
    scale = _SCALE.get(kind.unit, 1.0)
    pairs = []
    for ours, theirs in zip(samples[OURS], samples[peer], strict=True):
        mine, its = getattr(ours, kind.of), getattr(theirs, kind.of)
        if mine is None or not its:
            return None
        pairs.append((scale * mine, scale * its))
    return against(
        *(kind.name, kind.unit, pairs),
        peer=peer,
        less_is_better=kind.unit in ("s", "ms"),
        is_rival=peer != BY_HAND,
    )


def table_of(rounds: Rounds) -> Table:
    """Tell what became of the texts that came over time."""
    rows = [
        (
            name,
            str(sum(sample.asked for sample in samples)),
            str(sum(sample.done for sample in samples)),
            _faults(samples),
            _median(sample.first for sample in samples),
            _median(sample.late_first for sample in samples),
        )
        for name, samples in rounds.arriving.items()
    ]
    return Table(
        title=f"Texts {_ARRIVING}, {rounds.rate:.2f} a second: {LOAD:.0%} of what ours makes",
        columns=("", "asked", "done in time", "else", f"{_FIRST}, median, s", f"{_FIRST}, p99, s"),
        rows=tuple(rows),
        note=f"In time: within {rounds.patience:.1f} s, which is {LATE:g} times what a text takes "
        f"in a full batch by hand; then its caller leaves. {_alike(rounds.at_once)}"
        f"{_undone(rounds)}",
    )


def _alike(samples: Samples) -> str:
    """Tell how many texts each made as ours did: who is fast with other texts isn't compared."""
    ours = [text for sample in samples[OURS] for text in sample.texts]
    said = []
    for peer in samples:
        theirs = [text for sample in samples[peer] for text in sample.texts]
        if peer != OURS and theirs:
            same = sum(mine == its for mine, its in zip(ours, theirs, strict=True))
            said.append(f"{peer} {same}")
    return f"Of {len(ours)} texts, 16 at once, as ours made them: {', '.join(said)}."


def _undone(rounds: Rounds) -> str:
    """Tell of texts that weren't done where each had all the time it wanted."""
    said = [
        f" {name}, {title}: {faults}."
        for title, samples in ((_ALONE, rounds.alone), (_AT_ONCE, rounds.at_once))
        for name, each in samples.items()
        if (faults := _faults(each))
    ]
    return "".join(said)


def _faults(samples: Sequence[Sample]) -> str:
    counts = Counter(fault for sample in samples for fault in sample.faults)
    return ", ".join(f"{count} {fault}" for fault, count in counts.items())


def _median(values: Iterable[float | None]) -> str:
    """Give the median over the rounds; a round in which it never came is longer than any."""
    middle = statistics.median_high([math.inf if value is None else value for value in values])
    return f"{middle:.2f}" if math.isfinite(middle) else "never"
