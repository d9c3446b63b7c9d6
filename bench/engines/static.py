"""Static batching, as it is done by hand: what has come in one batch, to its end, and so on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from bench.engines.texts import BATCH, Text
from bench.engines.took import Took


class BatchModel(Protocol):
    """Answer texts in one batch."""

    def generate(self, texts: Sequence[Text]) -> tuple[list[int], list[float]]:
        """Give the tokens of each text, and when each step was, by ``time.perf_counter``."""
        ...


def serve(model: BatchModel, texts: Sequence[Text]) -> Took:
    """Have ``model`` answer ``texts``; a batch has at most BATCH of those that have come."""
    began, busy = time.perf_counter(), time.process_time()
    waiting = sorted(texts, key=lambda text: text.at)
    firsts, lasts, made = [], [], [(0.0, 0)]
    while waiting:
        time.sleep(max(0.0, began + waiting[0].at - time.perf_counter()))
        now = time.perf_counter() - began
        come = sum(text.at <= now for text in waiting)
        batch = waiting[: min(max(come, 1), BATCH)]
        waiting = waiting[len(batch) :]
        counts, steps = model.generate(batch)
        ended = time.perf_counter() - began
        firsts += [steps[0] - began - text.at for text in batch]
        lasts += [ended - text.at for text in batch]
        for number, at in enumerate(steps):
            rows = sum(count > number for count in counts)
            made.append((at - began, made[-1][1] + rows))
    return Took(
        wall=time.perf_counter() - began,
        processor=time.process_time() - busy,
        tokens=made[-1][1],
        firsts=tuple(firsts),
        lasts=tuple(lasts),
        made=tuple(made),
    )
