"""What a failure is called: one word, out of the text that an event tells it with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from failsoft.messages import InferenceError
from failsoft.telemetry.label_bound import OTHER

_LONGEST: Final = 64


def failure_kind(said: str) -> str:
    """Give the kind of the error in ``said``: ``worker_lost`` of ``WorkerLost: it was killed``.

    An error that isn't one of ours is called by its class. What follows the colon may hold
    anything, so it's left out; a text that doesn't begin with one word is ``other``.
    """
    word = said.partition(":")[0]
    if not word.isidentifier() or len(word) > _LONGEST:
        return OTHER
    return dict(_kinds(InferenceError)).get(word, word)


def _kinds(error: type[InferenceError]) -> Iterator[tuple[str, str]]:
    yield error.__name__, error.kind
    for special in error.__subclasses__():
        yield from _kinds(special)
