"""A batch of texts whose step fails: for want of memory, or by the fault of one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from failsoft.gpu.serving.batch_room import BatchRoom
from failsoft.gpu.text.batch import LESS_TOKENS
from failsoft.messages.errors import OutOfMemory
from failsoft.messages.reply import TextReply

from .tiny_texts import Faulty, alone, batch_of, finish, row, tiny_llama

pytestmark = pytest.mark.usefixtures("one_thread")

LLAMA = tiny_llama()
POISON = 63


def out_of_memory_over(rows: int) -> Callable[[torch.Tensor], None]:
    """Give what fails every pass of more than ``rows`` rows."""

    def before(ids: torch.Tensor) -> None:
        if ids.shape[0] > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    return before


def out_of_memory_at(*passes: int) -> Callable[[torch.Tensor], None]:
    """Give what fails these passes, counted from 0."""
    count = iter(range(1000))

    def before(_: torch.Tensor) -> None:
        if next(count) in passes:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    return before


@pytest.mark.parametrize("fits", [1, 3, 4])
def test_a_batch_that_runs_out_of_memory_is_split_and_all_are_answered(fits: int) -> None:
    """WK-08 Of 8, as many go on at once as fit; each has its whole text, and no warning."""
    batch = batch_of(Faulty(LLAMA, out_of_memory_over(fits)))
    written = [[n, n + 1, n + 2] for n in range(8)]
    for id, prompt in enumerate(written):
        batch.add(row(id, prompt, 6))
    ends = finish(batch)
    for id, prompt in enumerate(written):
        reply = ends[id]
        assert isinstance(reply, TextReply)
        assert (reply.text, reply.warning) == (alone(LLAMA, prompt, 6), None)


def test_a_text_alone_gets_half_its_tokens_and_says_so() -> None:
    """WK-08 Once; what was said already stays said, and is gone on from."""
    batch = batch_of(Faulty(LLAMA, out_of_memory_at(2)))
    batch.add(row(1, [1, 2, 3], 10))
    reply = finish(batch)[1]
    assert isinstance(reply, TextReply)
    assert reply.text == alone(LLAMA, [1, 2, 3], 5)
    assert (reply.finish_reason, reply.warning) == ("length", LESS_TOKENS)
    assert reply.usage.completion_tokens == 5


def test_a_text_that_has_more_than_half_already_ends_there() -> None:
    """WK-08 Nothing that was said is taken back."""
    batch = batch_of(Faulty(LLAMA, out_of_memory_at(7)))
    batch.add(row(1, [1, 2, 3], 10))
    reply = finish(batch)[1]
    assert isinstance(reply, TextReply)
    assert reply.text == alone(LLAMA, [1, 2, 3], 7)
    assert (reply.finish_reason, reply.warning) == ("length", LESS_TOKENS)


def test_a_second_failure_of_a_text_alone_is_out_of_memory() -> None:
    """WK-08 With what is used and what is left; the next text is answered in full."""
    batch = batch_of(Faulty(LLAMA, out_of_memory_at(1, 2)))
    batch.add(row(1, [1, 2, 3], 10))
    error = finish(batch)[1]
    assert isinstance(error, OutOfMemory)
    assert error.details["memory_used_mb"] > 50
    assert error.details["memory_available_mb"] > 0
    batch.add(row(2, [4, 5], 4))
    reply = finish(batch)[2]
    assert isinstance(reply, TextReply)
    assert (reply.text, reply.warning) == (alone(LLAMA, [4, 5], 4), None)


def test_a_text_that_breaks_the_step_is_found_and_fails_alone() -> None:
    """The others are halved until it stands alone; each of them says what it says alone."""

    def before(ids: torch.Tensor) -> None:
        if (ids == POISON).any():
            raise RuntimeError("index out of range")

    batch = batch_of(Faulty(LLAMA, before))
    written = [[n, n + 1] for n in range(5)] + [[7, POISON, 9]]
    for id, prompt in enumerate(written):
        batch.add(row(id, prompt, 1))
    ends = finish(batch)
    assert isinstance(ends.pop(5), RuntimeError)
    for id, end in ends.items():
        assert isinstance(end, TextReply)
        assert (end.text, end.warning) == (alone(LLAMA, written[id], 1), None)


def test_what_goes_wrong_with_one_rows_choice_fails_that_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The other row's text is unchanged."""
    batch = batch_of(LLAMA)
    bad, good = row(1, [1, 2], 6, temperature=1.0), row(2, [3, 4], 6)

    def broken(scores: Any) -> Any:
        raise ValueError("no choice")

    monkeypatch.setattr(bad.sampler, "choose", broken)
    batch.add(bad)
    batch.add(good)
    ends = finish(batch)
    assert isinstance(ends[1], ValueError)
    assert isinstance(ends[2], TextReply)
    assert ends[2].text == alone(LLAMA, [3, 4], 6)


def test_a_broken_device_fails_all_at_once() -> None:
    """WK-09 Nothing is tried again on it."""
    tried: list[int] = []

    def before(ids: torch.Tensor) -> None:
        tried.append(ids.shape[0])
        raise RuntimeError("CUDA error: device-side assert triggered")

    batch = batch_of(Faulty(LLAMA, before))
    for id in range(3):
        batch.add(row(id, [1, 2, 3], 4))
    ends = finish(batch)
    assert [type(ends[id]) for id in range(3)] == [RuntimeError] * 3
    assert tried == [3]


def test_after_want_of_memory_the_batch_grows_again_as_texts_end_well() -> None:
    """By one for as many as it has at once."""
    room = BatchRoom(8, 1000)
    room.shrink(8)
    limits = []
    for _ in range(9):
        limits.append(room.limit)
        room.ended()
    assert limits == [4, 4, 4, 4, 5, 5, 5, 5, 5]
    assert room.limit == 6
    assert room.statistics().shrunk == 1
