"""Which beginnings of prompts are kept, without a model: what is kept is the tokens themselves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.gpu.text import prefix_cache
from failsoft.gpu.text.prefix_cache import PrefixCache

PROMPTS = st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=12), max_size=30)


@pytest.fixture(autouse=True, scope="module")
def short_ones_count() -> Iterator[None]:
    """Have a beginning of two tokens be worth it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefix_cache, "_FEWEST_TOKENS", 2)
        yield


def read(cache: PrefixCache[list[int]], prompt: list[int]) -> int:
    """Note that ``prompt`` was read; give how much of it was known."""
    length = cache.known(prompt).length
    cache.keep(prompt, lambda tokens: prompt[:tokens])
    return length


@given(PROMPTS, st.integers(0, 30))
def test_what_is_known_is_the_prompts_beginning_and_the_bound_holds(
    prompts: list[list[int]], most: int
) -> None:
    """Whatever comes; and the last token is never known."""
    cache: PrefixCache[list[int]] = PrefixCache(most)
    for prompt in prompts:
        length, kept = cache.known(prompt)
        assert length < len(prompt)
        assert (kept is None) is (length == 0)
        if kept is not None:
            assert kept[:length] == prompt[:length]
        read(cache, prompt)
        now = cache.statistics()
        assert now.tokens <= now.most_tokens == most
        assert now.tokens == sum(len(tokens) for tokens in cache._kept)


def test_the_longest_beginning_is_found() -> None:
    """And a prompt of which half was known isn't kept again."""
    cache: PrefixCache[list[int]] = PrefixCache(100)
    assert read(cache, [1, 2, 3, 4]) == 0
    assert read(cache, [1, 2, 3, 4, 5, 6]) == 4
    assert read(cache, [1, 2, 3, 9, 9, 9, 9, 9]) == 3
    assert read(cache, [1, 2, 3, 9, 9, 0]) == 5
    assert read(cache, [9, 9, 9]) == 0
    assert cache.statistics().prompts == 3
    assert (cache.statistics().hits, cache.statistics().misses) == (3, 2)


def test_a_chat_that_grows_replaces_its_own_beginning() -> None:
    """Once it has more than doubled."""
    cache: PrefixCache[list[int]] = PrefixCache(100)
    chat = list(range(20))
    assert [read(cache, chat[:length]) for length in (4, 6, 8, 10, 12)] == [0, 4, 4, 4, 10]
    assert cache.statistics().prompts == 1
    assert cache.statistics().tokens == 10


def test_the_one_that_was_of_no_use_for_the_longest_goes_first() -> None:
    """A use is a prompt that begins with it."""
    cache: PrefixCache[list[int]] = PrefixCache(12)
    first, second, third = [1] * 5, [2] * 5, [3] * 5
    read(cache, first)
    read(cache, second)
    read(cache, [*first, 7])
    read(cache, third)
    assert [cache.known([*prompt, 7]).length for prompt in (first, second, third)] == [5, 0, 5]


def test_of_a_prompt_over_the_bound_its_beginning_is_kept() -> None:
    """As much as may be."""
    cache: PrefixCache[list[int]] = PrefixCache(6)
    read(cache, list(range(10)))
    assert cache.known(list(range(10))).length == 6


def test_after_it_has_given_up_nothing_is_kept() -> None:
    """Nor counted."""
    cache: PrefixCache[list[int]] = PrefixCache(100)
    read(cache, [1, 2, 3, 4])
    cache.give_up()
    assert read(cache, [1, 2, 3, 4]) == 0
    assert read(cache, [1, 2, 3, 4]) == 0
    assert repr(cache) == "<PrefixCache 0 of 0 tokens>"
