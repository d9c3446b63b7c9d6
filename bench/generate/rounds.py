"""Have all make the same texts in turns, while the others stand still."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec

from bench.engines.texts import Text
from bench.generate import prompts
from bench.generate.answers import Sample
from bench.generate.sides import BY_HAND, OURS, Side
from bench.generate.size import Size

# Of what ours can make: then texts overlap, and the work can still be done.
LOAD = 0.7
# A text is late that takes more than so many times what one takes in a full batch by hand.
LATE = 3.0
_NEVER = 600.0

Samples = dict[str, list[Sample]]
Part = Literal["alone", "at_once", "arriving"]


class Rounds(msgspec.Struct, frozen=True):
    """Hold all samples, by side.

    rate: texts a second that came. patience: seconds after which one is late.
    """

    alone: Samples
    at_once: Samples
    arriving: Samples
    rate: float
    patience: float

    def of(self, part: Part) -> Samples:
        """Give those of one kind."""
        match part:
            case "alone":
                return self.alone
            case "at_once":
                return self.at_once
            case "arriving":
                return self.arriving


async def measure(sides: Sequence[Side], size: Size) -> Rounds:
    """Measure all: one text, 16 at once, and texts that come over time."""
    await _take_turns(sides, 1, lambda number: prompts.at_once(-1, 2))
    alone = await _take_turns(
        sides, size.alone_rounds, lambda number: prompts.alone(number, size.alone_tokens)
    )
    at_once = await _take_turns(
        sides, size.at_once_rounds, lambda number: prompts.at_once(number, size.at_once_tokens)
    )
    tokens = statistics.mean(size.arriving_tokens)
    rate = LOAD * _median(sample.per_second for sample in at_once[OURS]) / tokens
    patience = LATE * _median(
        sample.wall * tokens / size.at_once_tokens for sample in at_once[BY_HAND]
    )
    arriving = await _take_turns(
        sides,
        size.arriving_rounds,
        lambda number: prompts.arriving(number, rate, size.arriving_seconds, size.arriving_tokens),
        patience,
    )
    return Rounds(alone, at_once, arriving, rate, patience)


async def _take_turns(
    sides: Sequence[Side],
    rounds: int,
    texts: Callable[[int], Sequence[Text]],
    patience: float = _NEVER,
) -> Samples:
    samples: Samples = {side.name: [] for side in sides}
    for number in range(rounds):
        for side in sides:
            with contextlib.ExitStack() as still:
                for other in sides:
                    if other is not side:
                        still.enter_context(other.paused())
                sample = await side.serve(texts(number), patience)
                if sample.faults:
                    # What nobody waits for any more may still be in work. The next round is free
                    # of it.
                    await side.serve(prompts.alone(-1, 1), _NEVER)
            samples[side.name].append(sample)
    return samples


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)
