"""Watch how many tensors transformers has loaded, through its progress bars."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from transformers import modeling_gguf_pytorch_utils
from transformers.utils import logging as transformers_logging


class _CountingBar:
    """Stand in for a progress bar: pass items on and report how many there have been."""

    def __init__(
        self,
        iterable: Any = None,
        *_: Any,
        total: int | None = None,
        report: Callable[[int, int], None],
        **__: Any,
    ) -> None:
        self._iterable = iterable
        self._report = report
        self.total = total if total is not None else _length(iterable)
        self.n = 0

    def __iter__(self) -> Iterator[Any]:
        for item in self._iterable:
            yield item
            self.update()

    def __enter__(self) -> _CountingBar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, count: int = 1) -> None:
        self.n += count
        if self.total:
            self._report(min(self.n, self.total), self.total)

    def close(self) -> None: ...

    def set_description(self, *_: Any, **__: Any) -> None: ...

    def set_postfix(self, *_: Any, **__: Any) -> None: ...


def _length(iterable: Any) -> int:
    return len(iterable) if hasattr(iterable, "__len__") else 0


@contextlib.contextmanager
def watching_load(report: Callable[[int, int], None]) -> Iterator[None]:
    """Call ``report(tensors done, tensors in all)`` while a model loads inside the block.

    The count only grows: a loader that goes over the tensors more than once (de-quantise, then
    place) is counted on its longest pass. What ``report`` raises stops the load.
    """
    furthest = 0

    def report_growth(done: int, total: int) -> None:
        nonlocal furthest
        if done > furthest:
            furthest = done
            report(done, total)

    def bar(*args: Any, **options: Any) -> _CountingBar:
        return _CountingBar(*args, report=report_growth, **options)

    before = transformers_logging.set_tqdm_hook(
        lambda factory, args, options: bar(*args, **options)
    )
    # The older GGUF reader takes its bar from tqdm itself, past the hook.
    reader: Any = modeling_gguf_pytorch_utils
    unhooked = getattr(reader, "tqdm", None)
    reader.tqdm = bar
    try:
        yield
    finally:
        transformers_logging.set_tqdm_hook(before)
        if unhooked is None:
            del reader.tqdm
        else:
            reader.tqdm = unhooked
