"""Which device a worker takes, where it may choose."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from failsoft.gpu.memory.device_choice import choose_device, one_chooses


@pytest.mark.parametrize(
    ("free", "index"),
    [
        ([(0, 0)], 0),
        ([(0, 10), (1, 30), (2, 20)], 1),
        ([(0, 10), (1, 30), (2, 30)], 1),
        ([(2, 30), (1, 30)], 1),
    ],
)
def test_the_one_with_most_free_memory_is_taken(free: list[tuple[int, int]], index: int) -> None:
    """The lowest of those that have as much."""
    assert choose_device(free) == index


def test_one_chooses_at_a_time(tmp_path: Path) -> None:
    """While one chooses, no other process could have the lock; afterwards it can."""
    with one_chooses(tmp_path):
        (path,) = tmp_path.iterdir()
        other = os.open(path, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


def test_an_error_gives_the_lock_back(tmp_path: Path) -> None:
    """The next one chooses at once."""
    with pytest.raises(KeyError), one_chooses(tmp_path):
        raise KeyError
    with one_chooses(tmp_path):
        pass


def test_where_no_lock_can_be_had_it_is_done_without(tmp_path: Path) -> None:
    """A folder that isn't there, or that is another user's."""
    done = False
    with one_chooses(tmp_path / "gone"):
        done = True
    assert done
