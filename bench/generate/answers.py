"""What came of some texts, as the one who asked sees it."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence

import msgspec

from bench.engines.took import Took

Made = tuple[tuple[float, int], ...]


class Answer(msgspec.Struct, frozen=True):
    """Tell how one text came.

    at: when it was to be asked for. pieces: when each piece of it came; both in seconds since the
    round began. tokens: that it has. text: all pieces. fault: why it isn't whole; "" where it is.
    """

    at: float
    pieces: tuple[float, ...] = ()
    tokens: int = 0
    text: str = ""
    fault: str = ""


class Sample(msgspec.Struct, frozen=True):
    """Tell what a round of texts took.

    wall: in seconds, to the end of the last. processor: seconds, of all processes that made them.
    asked: texts. done: those that came whole and in time; done_tokens: theirs. firsts: seconds to
    the first piece of each that had one. gaps: seconds between two pieces. made: how many pieces
    there were by then. faults: of those not done. texts: where the one who made them tells.
    """

    wall: float
    processor: float
    asked: int
    done: int
    done_tokens: int
    firsts: tuple[float, ...]
    gaps: tuple[float, ...]
    made: Made
    faults: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    @property
    def per_second(self) -> float:
        """Give the tokens a second of texts that were done."""
        return self.done_tokens / self.wall

    @property
    def per_processor_second(self) -> float:
        """Give the same for a second of processor time, whatever else the machine does."""
        return self.done_tokens / self.processor

    @property
    def first(self) -> float | None:
        """Give the median of the seconds to a first piece."""
        return statistics.median(self.firsts) if self.firsts else None

    @property
    def late_first(self) -> float | None:
        """Give their 99th percentile; None where that many had no piece at all."""
        never = [math.inf] * (self.asked - len(self.firsts))
        late = percentile([*self.firsts, *never], 0.99)
        return late if math.isfinite(late) else None

    @property
    def gap(self) -> float | None:
        """Give the 99th percentile of the seconds between two pieces."""
        return percentile(self.gaps, 0.99) if self.gaps else None


def sample_of(answers: Sequence[Answer], wall: float, processor: float) -> Sample:
    """Sum up what a server's callers saw."""
    whole = [answer for answer in answers if not answer.fault]
    came = sorted(piece for answer in answers for piece in answer.pieces)
    return Sample(
        wall=wall,
        processor=processor,
        asked=len(answers),
        done=len(whole),
        done_tokens=sum(answer.tokens for answer in whole),
        firsts=tuple(answer.pieces[0] - answer.at for answer in answers if answer.pieces),
        gaps=tuple(
            later - earlier
            for answer in answers
            for earlier, later in itertools.pairwise(answer.pieces)
        ),
        made=tuple((at, count) for count, at in enumerate(came, 1)),
        faults=tuple(answer.fault for answer in answers if answer.fault),
        texts=tuple(answer.text for answer in answers),
    )


def sample_by_hand(took: Took, patience: float) -> Sample:
    """Sum up what the program by hand tells, which has no callers; a step is a piece."""
    in_time = sum(last <= patience for last in took.lasts)
    return Sample(
        wall=took.wall,
        processor=took.processor,
        asked=len(took.lasts),
        done=in_time,
        done_tokens=round(took.tokens * in_time / len(took.lasts)),
        firsts=took.firsts,
        gaps=tuple(
            later - earlier for (earlier, _), (later, _) in itertools.pairwise(took.made[1:])
        ),
        made=took.made,
        faults=("too late",) * (len(took.lasts) - in_time),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Give the least value that ``share`` of all don't exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]
