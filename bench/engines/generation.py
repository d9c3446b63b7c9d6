"""Real generation, by both sides in turns: one text, 16 at once, 16 that come over time."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from bench.engines import texts
from bench.engines.bare_process import bare_process
from bench.engines.size import Size
from bench.engines.supervised import as_by_hand, supervised
from bench.engines.texts import Text
from bench.engines.took import Took
from bench.figures import Figure, against

MOST_OVERHEAD = 1.01
LEAST_AT_ONCE = 0.95
LEAST_ARRIVING = 1.5

_BY_HAND = "generate, padded by hand"
_STATIC = "static batches by hand"
_ARRIVE_WITHIN = 4.0

Rounds = Sequence[tuple[Took, Took]]
Made = Sequence[tuple[float, int]]


class Side(Protocol):
    """Be ours or the peer."""

    async def serve(self, texts: Sequence[Text]) -> Took:
        """Answer ``texts``, each from when it comes."""
        ...


async def generation(
    folder: Path, threads: int, size: Size
) -> tuple[list[Figure], dict[str, Made]]:
    """Measure all; give the figures, and how tokens were made where texts came over time."""
    async with (
        bare_process(folder, threads) as peer,
        supervised(as_by_hand(folder, threads)) as ours,
    ):

        async def rounds(asked: Sequence[Text], count: int) -> Rounds:
            return [(await ours.serve(asked), await peer.serve(asked)) for _ in range(count)]

        await rounds([texts.one(4)], 1)  # the peer loads with it
        alone = await rounds([texts.one(size.alone_tokens)], size.alone_rounds)
        alike = await rounds(texts.of_one_length(size.at_once_tokens), size.at_once_rounds)
        unlike = await rounds(texts.of_all_lengths(size.at_once_tokens), size.at_once_rounds)
        coming = texts.arriving(_ARRIVE_WITHIN, *size.arriving_tokens)
        over_time = await rounds(coming, size.arriving_rounds)
    figures = [
        *of_one(alone),
        *of_all_at_once("16 of one length", alike),
        *of_all_at_once("16 of all lengths", unlike),
        *of_arriving(over_time),
    ]
    return figures, {"ours": over_time[0][0].made, _STATIC: over_time[0][1].made}


def of_one(rounds: Rounds) -> list[Figure]:
    """Give the figures of one text at a time."""
    return [
        against(
            *("one text, a token", "ms of processor time"),
            [(1e3 * a.processor / a.tokens, 1e3 * b.processor / b.tokens) for a, b in rounds],
            peer="generate",
            less_is_better=True,
            at_most=MOST_OVERHEAD,
        ),
        against(
            *("one text, a token", "ms by the clock"),
            [(1e3 * a.wall / a.tokens, 1e3 * b.wall / b.tokens) for a, b in rounds],
            peer="generate",
            less_is_better=True,
        ),
    ]


def of_all_at_once(name: str, rounds: Rounds) -> list[Figure]:
    """Give the figures of texts that all came at the start, each a stream of ours."""
    return [
        against(
            *(name, "tokens a second of processor time"),
            [(a.tokens / a.processor, b.tokens / b.processor) for a, b in rounds],
            peer=_BY_HAND,
            at_least=LEAST_AT_ONCE,
        ),
        against(
            *(f"{name}, half have a token after", "s by the clock"),
            [(statistics.median(a.firsts), statistics.median(b.firsts)) for a, b in rounds],
            peer=_BY_HAND,
            less_is_better=True,
        ),
        against(
            *(f"{name}, all have a token after", "s by the clock"),
            [(max(a.firsts), max(b.firsts)) for a, b in rounds],
            peer=_BY_HAND,
            less_is_better=True,
        ),
    ]


def of_arriving(rounds: Rounds) -> list[Figure]:
    """Give the figures of texts that came over time."""
    return [
        against(
            *("16 over 4 s", "tokens a second by the clock"),
            [(a.tokens / a.wall, b.tokens / b.wall) for a, b in rounds],
            peer=_STATIC,
            at_least=LEAST_ARRIVING,
        ),
        against(
            *("16 over 4 s", "tokens a second of processor time"),
            [(a.tokens / a.processor, b.tokens / b.processor) for a, b in rounds],
            peer=_STATIC,
        ),
        against(
            *("16 over 4 s, to the first token", "s, median"),
            [(statistics.median(a.firsts), statistics.median(b.firsts)) for a, b in rounds],
            peer=_STATIC,
            less_is_better=True,
        ),
        against(
            *("16 over 4 s, to the last token", "s, median"),
            [(statistics.median(a.lasts), statistics.median(b.lasts)) for a, b in rounds],
            peer=_STATIC,
            less_is_better=True,
        ),
    ]
