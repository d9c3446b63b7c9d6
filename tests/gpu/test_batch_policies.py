"""The policies of a batch of texts, without a model: how many, and which are read together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from failsoft.gpu.serving.batch_room import BatchRoom
from failsoft.gpu.text.prompt_groups import read_together

LENGTHS = st.lists(st.integers(1, 500), min_size=1, max_size=20)


@given(LENGTHS, st.integers(1, 16), st.integers(1, 2000))
def test_the_oldest_prompt_is_always_read_next(
    lengths: list[int], most: int, most_tokens: int
) -> None:
    """So none waits for ever; and no group has more prompts or tokens than it may."""
    group = read_together(lengths, most, most_tokens)
    assert group[0] == 0
    assert len(group) == len(set(group)) <= most
    padded = max(lengths[at] for at in group) * len(group)
    assert len(group) == 1 or padded <= most_tokens
    assert padded - sum(lengths[at] for at in group) <= max(16, padded // 5)


def test_prompts_of_like_lengths_are_read_together() -> None:
    """Those far longer or shorter wait for their own group."""
    assert read_together([50, 10, 52, 400, 47], 16, 1024) == [0, 2, 4]
    assert read_together([5, 6, 7, 8], 16, 1024) == [0, 1, 2, 3]
    assert read_together([5, 6, 7, 8], 2, 1024) == [0, 1]
    assert read_together([500, 500, 500], 16, 1024) == [0, 1]


@given(
    st.integers(1, 32),
    st.lists(st.one_of(st.integers(1, 32), st.none()), max_size=80),
)
def test_the_limit_stays_between_one_and_its_bound(most: int, happens: list[int | None]) -> None:
    """Whatever fails (a number of rows) and ends well (None), in any order."""
    room = BatchRoom(most, 1000)
    for rows in happens:
        before = room.limit
        if rows is None:
            room.ended()
            assert before <= room.limit <= before + 1
        else:
            room.shrink(min(rows, before))
            assert room.limit <= max(1, before // 2)
        assert 1 <= room.limit <= most
        assert room.fits([], 10**9)
        assert not room.fits([1] * room.limit, 1)
