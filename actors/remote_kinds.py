"""What another failsoft service says of its error: it comes back as itself. Pure.

Such a service keeps to what callers may see, so its words and numbers are passed on.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from failsoft.messages import (
    ErrorInfo,
    GenerationFailed,
    InferenceError,
    InferenceTimeout,
    ModelLoadingFailed,
    ModelOverloaded,
    OutOfMemory,
    PoisonedRequest,
    WorkerLost,
    error_from,
)

MAX_WAIT: Final = 3600.0
# A request that is wrong is told by its status: its kind is that of a body that is late, too.
_KINDS: Final = frozenset(
    error.kind
    for error in (
        GenerationFailed,
        InferenceTimeout,
        ModelLoadingFailed,
        ModelOverloaded,
        OutOfMemory,
        PoisonedRequest,
        WorkerLost,
    )
)
# They are of the way there: how often it was sent, and what a server behind that one answered.
_OF_THE_WAY: Final = ("attempts", "status")


def error_as_told(kind: object, message: str, told: Mapping[str, Any]) -> InferenceError | None:
    """Give the error of that kind; None for a kind that isn't told this way, or not in full.

    told: what the service adds to the shape of the OpenAI API. Of its details the numbers are
    kept: texts may hold anything.
    """
    details = told.get("details")
    if not (message and isinstance(details, dict) and isinstance(kind, str) and kind in _KINDS):
        return None
    kept = {
        name: value
        for name, value in details.items()
        if isinstance(value, int | float) and name not in _OF_THE_WAY
    }
    if "retry_after" in kept:
        kept["retry_after"] = min(max(0.0, kept["retry_after"]), MAX_WAIT)
    is_retryable = told.get("is_retryable") is True
    error = error_from(ErrorInfo(kind, message, kept, is_retryable, time.time())).as_answer()
    error.happened_elsewhere = True
    return error
