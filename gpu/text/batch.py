"""Work on several texts at once: read prompts, make tokens, let rows come and go between steps.

Imports torch and transformers: only a worker process imports this module.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog
import torch
from torch import Tensor
from transformers import DynamicCache

from failsoft.gpu.engine import Step
from failsoft.gpu.memory.device_memory import free_cache
from failsoft.gpu.serving.batch_room import BatchRoom
from failsoft.gpu.serving.classify import classify
from failsoft.gpu.text.padded_rows import PaddedRows
from failsoft.gpu.text.prefix_cache import PrefixCache, PrefixCacheStatistics
from failsoft.gpu.text.prompt_groups import read_together
from failsoft.gpu.text.prompt_rows import Kept, PromptRows
from failsoft.gpu.text.row import TextRow
from failsoft.messages.errors import OutOfMemory

_log = structlog.get_logger("failsoft.text")

LESS_TOKENS = "Memory ran out; the answer was cut to half of max_tokens."


class TextBatchStatistics(msgspec.Struct, frozen=True):
    """Know how many rows wait to be read, are being read, and run; and the room for them.

    prefixes: what is kept of prompts that were read.
    """

    unread: int
    reading: int
    running: int
    limit: int
    prefixes: PrefixCacheStatistics


class TextBatch:
    """Step texts on, each step one pass through the model.

    Prompts of like lengths are read together, apart from the rows that run, which they join
    when they are read. Between two tokens of those that run, ``prompt_chunk`` tokens of prompts
    are read at most.

    is_continuous: rows come in at any time; else only when those before them have all ended.
    prefix_tokens: of prompts that were read, kept for those that begin the same way.
    """

    def __init__(
        self,
        model: Any,
        room: BatchRoom,
        new_cache: Callable[[], DynamicCache] = DynamicCache,
        *,
        is_continuous: bool = True,
        prompt_chunk: int = 1024,
        prefix_tokens: int = 0,
    ) -> None:
        self._model = model
        self._room = room
        self._new_cache = new_cache
        self._is_continuous = is_continuous
        self._prompt_chunk = prompt_chunk
        self._may_read = prompt_chunk
        self._unread: deque[TextRow] = deque()
        self._reading: PromptRows | None = None
        self._running = PaddedRows(model, new_cache)
        self._prefixes: PrefixCache[Kept] = PrefixCache(prefix_tokens)
        self._is_fresh = True
        self._must_free = False

    def __repr__(self) -> str:
        now = self.statistics()
        return (
            f"<TextBatch {now.unread} unread, {now.reading} reading, {now.running} running, "
            f"at most {now.limit}>"
        )

    def statistics(self) -> TextBatchStatistics:
        reading = [] if self._reading is None else self._reading.rows
        return TextBatchStatistics(
            len(self._unread),
            len(reading),
            len(self._running.rows),
            self._room.limit,
            self._prefixes.statistics(),
        )

    @property
    def rows(self) -> list[TextRow]:
        """Give all rows, those that run first."""
        reading = [] if self._reading is None else self._reading.rows
        return [*self._running.rows, *reading, *self._unread]

    def has_room(self, row: TextRow) -> bool:
        """Tell whether ``row`` may come in now."""
        rows = self.rows
        if rows and not self._is_continuous and not self._is_fresh:
            return False
        return self._room.fits(
            [other.most_tokens for other in rows],
            row.most_tokens,
            divisor=max(other.batch_divisor for other in (row, *rows)),
        )

    def add(self, row: TextRow) -> None:
        """Take a row in."""
        self._is_fresh = self._is_fresh or not self.rows
        self._unread.append(row)

    def drop(self, id: int) -> None:
        """Let a row go, wherever it is."""
        self._unread = deque(row for row in self._unread if row.id != id)
        if self._reading is not None:
            self._reading.keep(_others(self._reading.rows, {id}))
            if not self._reading.rows:
                self._reading = None
        self._running.keep(_others(self._running.rows, {id}))

    def step(self) -> list[Step]:
        """Make one pass through the model; tell what it did for the rows."""
        self._is_fresh = False
        if self._must_free:
            self._free()
        if self._reading is None and self._may_begin_to_read():
            self._begin_to_read()
        if self._reading is not None and (self._may_read > 0 or not self._running.rows):
            return self._read(self._reading)
        return self._make_tokens()

    def recover(self, error: BaseException) -> list[Step]:
        """Go on after a failed step with half the rows at a time, the others later.

        So the row to blame is found, where one is: alone, it gets half the tokens if memory ran
        out, and fails after that, or of anything else.
        """
        at_work = [row for row in self.rows if row not in self._unread] or list(self._unread)
        known, is_sticky = classify(error)
        if is_sticky:
            return self._fail(self.rows, error)
        self._let_go()
        if isinstance(known, OutOfMemory):
            self._prefixes.give_up()
        if len(at_work) > 1:
            self._room.shrink(len(at_work))
            _log.warning(
                "a step failed; fewer texts go on at once",
                texts=len(at_work),
                limit=self._room.limit,
                exc_info=error,
            )
            return []
        (row,) = at_work
        if not isinstance(known, OutOfMemory) or row.warning is not None:
            return self._fail([row], known if isinstance(known, OutOfMemory) else error)
        step = row.halve(LESS_TOKENS)
        if step is None:
            return []
        self.drop(row.id)
        return [step]

    # -- reading

    def _may_begin_to_read(self) -> bool:
        return bool(self._unread) and len(self._running.rows) < self._room.limit

    def _begin_to_read(self) -> None:
        most = self._room.limit - len(self._running.rows)
        known = [self._prefixes.known(row.tokens) for row in self._unread]
        lengths = [
            len(row.tokens) - prefix.length for row, prefix in zip(self._unread, known, strict=True)
        ]
        group = read_together(lengths, most, self._prompt_chunk)
        rows = [self._unread[at] for at in group]
        self._unread = deque(row for row in self._unread if row not in rows)
        self._reading = PromptRows(self._model, self._new_cache, rows, [known[at] for at in group])

    def _read(self, reading: PromptRows) -> list[Step]:
        most = self._may_read if self._running.rows else self._prompt_chunk
        scores, tokens = reading.read(most)
        self._may_read -= tokens
        if not reading.is_read:
            return []
        for at, row in enumerate(reading.rows):
            self._prefixes.keep(row.tokens, functools.partial(reading.kept, at))
        steps = self._choose(reading, scores)
        self._reading = None
        if reading.rows:
            self._running.join(reading)
        return steps

    # -- making tokens

    def _make_tokens(self) -> list[Step]:
        self._may_read = self._prompt_chunk
        scores = self._running.forward([row.tokens[-1:] for row in self._running.rows])
        return self._choose(self._running, scores)

    def _choose(self, among: PaddedRows, scores: Tensor) -> list[Step]:
        """Give each row its next token; those that end are kept no longer."""
        steps = [
            _next_step(row, scores[at], best)
            for at, (row, best) in enumerate(zip(among.rows, _best_of(among, scores), strict=True))
        ]
        for step in steps:
            if step.is_last and step.error is None:
                self._room.ended()
        among.keep(_others(among.rows, {step.id for step in steps if step.is_last}))
        return steps

    # -- after a failed step

    def _let_go(self) -> None:
        """Have every row begin anew, with the tokens it has made; free their memory."""
        self._unread = deque(self.rows)
        self._reading = None
        self._running.clear()
        # The error's traceback may hold tensors still: the rest is freed in the next step.
        self._must_free = True

    def _free(self) -> None:
        self._must_free = False
        free_cache()

    def _fail(self, rows: Sequence[TextRow], error: BaseException) -> list[Step]:
        for row in list(rows):
            self.drop(row.id)
        return [Step.failed(row.id, error) for row in rows]


def _best_of(among: PaddedRows, scores: Tensor) -> list[int]:
    """Give the best token of each row; not used where none takes it."""
    if not any(row.takes_the_best for row in among.rows):
        return [0] * len(among.rows)
    best: list[int] = scores.argmax(dim=-1).tolist()
    return best


@torch.inference_mode()
def _next_step(row: TextRow, scores: Tensor, best: int) -> Step:
    try:
        return row.choose(scores, best)
    # What goes wrong with one row's choice or text is its own answer.
    except Exception as error:
        return Step.failed(row.id, error)


def _others(rows: Sequence[TextRow], ids: set[int]) -> list[int]:
    """Give the positions of the rows that aren't those of ``ids``."""
    return [at for at, row in enumerate(rows) if row.id not in ids]
