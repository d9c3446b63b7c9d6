"""Keep and print the losses of a training."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

_EVERY = 100


@dataclass
class Progress:
    """Hold for each part of the model its mean losses, with the step of each."""

    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    _losses: list[float] = field(default_factory=list)
    _start: float = field(default_factory=time.monotonic)

    def tell(self, part: str, step: int, steps: int, loss: float) -> None:
        """Take the loss of ``step``; print the mean of some, now and then."""
        self._losses.append(loss)
        if step % _EVERY and step != steps:
            return
        mean = sum(self._losses) / len(self._losses)
        self._losses.clear()
        self.curves.setdefault(part, []).append((step, mean))
        seconds = time.monotonic() - self._start
        print(f"{part} {step}/{steps}: loss {mean:.4f}, {seconds:.0f} s", flush=True)
