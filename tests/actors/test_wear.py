"""When a worker is worn out, and when there is no room for a spare one: pure decisions."""

from __future__ import annotations

import pytest

from failsoft.actors import Wear
from failsoft.actors.model_state import WorkerNumbers
from failsoft.actors.standby import lacks_room

MIB = 1024**2
GIB = 1024**3


@pytest.mark.parametrize("field", ["max_requests", "max_rss_bytes", "max_device_bytes"])
def test_a_bound_below_one_makes_no_sense(field: str) -> None:
    """The error names the field."""
    with pytest.raises(ValueError, match=f"{field} must be at least 1"):
        Wear(**{field: 0})


def test_wear_is_of_requests_of_memory_and_of_the_devices_memory() -> None:
    """WK-16 At a bound a worker is not worn out by memory yet, by requests it is."""
    wear = Wear(max_requests=10, max_rss_bytes=10 * MIB, max_device_bytes=20 * MIB)
    assert wear.of_requests(9) is None
    assert wear.of_requests(10) == "it has answered 10 requests"
    assert wear.of_memory(WorkerNumbers(rss_bytes=10 * MIB, device_bytes=20 * MIB)) is None
    assert wear.of_memory(WorkerNumbers(rss_bytes=11 * MIB)) == ("it holds 11 MiB, and may hold 10")
    assert wear.of_memory(WorkerNumbers(device_bytes=21 * MIB)) == (
        "it holds 21 MiB of its device, and may hold 20"
    )
    assert Wear().of_memory(WorkerNumbers(rss_bytes=1 << 50)) is None


@pytest.mark.parametrize(
    ("rss", "available", "total", "fits"),
    [
        (1 * GIB, 3 * GIB, 10 * GIB, True),
        (2 * GIB, 3 * GIB, 10 * GIB, True),
        (2 * GIB + 1, 3 * GIB, 10 * GIB, False),
        (2 * GIB, 0, 0, True),
    ],
)
def test_a_tenth_of_the_memory_stays_free(rss: int, available: int, total: int, fits: bool) -> None:
    """WK-07 Where the machine doesn't tell, it is no reason against."""
    assert (lacks_room(WorkerNumbers(rss_bytes=rss), available, total) is None) is fits


def test_the_device_must_have_room_too() -> None:
    """WK-07 By its own figures, whoever uses it."""
    numbers = WorkerNumbers(
        device_bytes=6 * GIB, device_used_bytes=7 * GIB, device_total_bytes=16 * GIB
    )
    assert lacks_room(numbers, 64 * GIB, 64 * GIB) is None
    numbers.device_used_bytes = 9 * GIB
    assert "6144 MiB of the device's memory" in (lacks_room(numbers, 64 * GIB, 64 * GIB) or "")
