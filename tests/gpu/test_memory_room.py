"""Whether there is room for a model or a request."""

from __future__ import annotations

import pytest

from failsoft.gpu.memory.device_memory import DeviceMemory
from failsoft.gpu.memory.room import MemoryGuard, has_room, memory_guard_of
from failsoft.messages import OutOfMemory

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("used", "cached", "needed", "room"),
    [
        (0, 0, 90, True),
        (0, 0, 91, False),
        (60, 0, 30, True),
        (60, 0, 31, False),
        (60, 20, 50, True),
        (91, 0, 0, False),
        (100, 10, 0, True),
    ],
)
def test_nine_tenths_may_be_in_use(used: int, cached: int, needed: int, room: bool) -> None:
    """Of what there is in all; what torch only keeps isn't in use."""
    assert has_room(DeviceMemory(0, used, 100, cached), needed) is room


def test_the_share_can_be_chosen() -> None:
    """From nothing to all."""
    assert has_room(DeviceMemory(0, 50, 100), 50, max_memory_share=1.0)
    assert not has_room(DeviceMemory(0, 50, 100), 1, max_memory_share=0.5)


def test_where_nothing_is_known_there_is_room() -> None:
    """A device that tells no figures refuses nobody."""
    assert has_room(DeviceMemory(0, 0, 0), 10**15)


class Device:
    """Be a device of 100 MiB, of which a test says how much is used. Time is what it says, too."""

    def __init__(self, used: int, *, freed: int = 0) -> None:
        self.used, self.freed = used, freed
        self.reads = self.frees = 0
        self.now = 0.0
        self.guard = MemoryGuard(self._read, self._free, look_every=1.0, now=lambda: self.now)

    def _read(self) -> DeviceMemory:
        self.reads += 1
        return DeviceMemory(0, self.used * MIB, 100 * MIB)

    def _free(self) -> None:
        self.frees += 1
        self.used -= self.freed

    def is_open(self) -> bool:
        try:
            self.guard.check()
        except OutOfMemory:
            return False
        return True


def test_a_request_is_refused_with_both_figures() -> None:
    """WK-08 And the answer says what to do; no retry on this model helps."""
    with pytest.raises(OutOfMemory, match=r"Over 90% .* another model") as caught:
        Device(91).guard.check()
    assert caught.value.details == {"memory_used_mb": 91.0, "memory_available_mb": 9.0}
    assert not caught.value.is_retryable


def test_what_nobody_uses_is_freed_before_a_request_is_refused() -> None:
    """Then it is looked at again."""
    device = Device(95, freed=10)
    assert device.is_open()
    assert (device.frees, device.reads) == (1, 2)


def test_freeing_is_tried_once_until_there_is_room_again() -> None:
    """It takes long, and those in work wait meanwhile."""
    device = Device(95)
    for device.now in (0.0, 1.0, 2.0):
        assert not device.is_open()
    assert device.frees == 1
    device.now, device.used = 3.0, 50
    assert device.is_open()
    device.now, device.used = 4.0, 95
    assert not device.is_open()
    assert device.frees == 2


def test_the_memory_is_looked_at_once_in_a_while() -> None:
    """Between two looks what was seen counts, for good and for bad."""
    device = Device(50)
    assert device.is_open()
    device.used = 95
    assert device.is_open()
    assert device.reads == 1
    device.now = 1.0
    assert not device.is_open()
    device.used = 50
    assert not device.is_open()
    device.now = 2.0
    assert device.is_open()


def test_a_device_that_can_not_be_looked_at_refuses_nobody() -> None:
    """What is wrong with it shows at the next step."""

    def broken() -> DeviceMemory:
        raise RuntimeError("CUDA error")

    MemoryGuard(broken).check()


def test_an_engine_may_have_its_own_device_and_share() -> None:
    """Otherwise torch's device, or the machine."""

    class Engine:
        max_memory_share = 0.5

        def device_memory(self) -> tuple[int, int, int]:
            return (0, 60, 100)

    with pytest.raises(OutOfMemory, match="50%"):
        memory_guard_of(Engine()).check()
    memory_guard_of(object()).check()
