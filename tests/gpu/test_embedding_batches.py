"""How texts are put into batches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from failsoft.gpu.embedding.batches import batches

lengths_of = st.lists(st.integers(1, 60), max_size=40)


@given(lengths_of, st.integers(1, 200))
def test_each_text_is_in_one_batch_and_none_is_too_large(
    lengths: list[int], most_tokens: int
) -> None:
    """Padding counts; one text alone may be more."""
    planned = batches(lengths, most_tokens)
    assert sorted(position for batch in planned for position in batch) == list(range(len(lengths)))
    for batch in planned:
        assert batch
        assert len(batch) == 1 or max(lengths[n] for n in batch) * len(batch) <= most_tokens


@given(lengths_of, st.integers(1, 200))
def test_no_batch_has_room_for_the_next_ones_first(lengths: list[int], most_tokens: int) -> None:
    """The longest come first, and batches are as full as their order allows."""
    planned = batches(lengths, most_tokens)
    order = [lengths[position] for batch in planned for position in batch]
    assert order == sorted(lengths, reverse=True)
    for batch in planned[:-1]:
        assert lengths[batch[0]] * (len(batch) + 1) > most_tokens


def test_short_texts_share_a_batch() -> None:
    """Order of arrival where lengths are the same."""
    assert batches([3, 9, 3, 3], 9) == [[1], [0, 2, 3]]
