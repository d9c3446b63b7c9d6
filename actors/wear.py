"""When a worker has done enough, and is better replaced by a new one. Pure."""

from __future__ import annotations

from typing import Self

import msgspec

from failsoft.actors.model_state import WorkerNumbers
from failsoft.gpu import WorkerSpec

_MIB = 1024 * 1024


class Wear(msgspec.Struct, frozen=True, kw_only=True):
    """Bound what a worker may come to; None bounds nothing.

    max_requests: that it answers. max_rss_bytes: its resident memory. max_device_bytes: what it
    holds of its device's memory. A worker past a bound is replaced between two requests.

    Raises ValueError where a bound is below 1.
    """

    max_requests: int | None = None
    max_rss_bytes: int | None = None
    max_device_bytes: int | None = None

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            bound = getattr(self, field)
            if bound is not None and bound < 1:
                raise ValueError(f"{field} must be at least 1; it is {bound}")

    def for_worker(self, spec: WorkerSpec) -> Self:
        """Give these bounds. Raises ValueError where they say nothing of such a worker."""
        bounds_memory = self.max_rss_bytes is not None or self.max_device_bytes is not None
        if spec.run_in == "thread" and bounds_memory:
            raise ValueError(
                "max_rss_bytes and max_device_bytes say nothing of a worker with run_in='thread', "
                "whose memory is the whole service's; bound max_requests, or use run_in='process'"
            )
        return self

    def of_requests(self, answered: int) -> str | None:
        """Say why a worker that has answered so many is worn out; None where it isn't."""
        if self.max_requests is not None and answered >= self.max_requests:
            return f"it has answered {answered} requests"
        return None

    def of_memory(self, numbers: WorkerNumbers) -> str | None:
        """Say why a worker with these numbers is worn out; None where it isn't."""
        for name, held, most in (
            ("", numbers.rss_bytes, self.max_rss_bytes),
            (" of its device", numbers.device_bytes, self.max_device_bytes),
        ):
            if most is not None and held > most:
                held_mib, most_mib = held / _MIB, most / _MIB
                return f"it holds {held_mib:.0f} MiB{name}, and may hold {most_mib:.0f}"
        return None
