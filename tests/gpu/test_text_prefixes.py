"""Prompts that begin alike: the beginning is read once, and each says what it says alone."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from failsoft.gpu.text import prefix_cache
from failsoft.gpu.text.batch import TextBatch
from failsoft.messages.reply import TextReply

from .tiny_texts import (
    VOCABULARY,
    Faulty,
    alone,
    batch_of,
    finish,
    row,
    tiny_gpt2,
    tiny_llama,
    tiny_mistral,
)

MODELS = {"llama": tiny_llama(), "mistral": tiny_mistral(6), "gpt2": tiny_gpt2()}
LLAMA = MODELS["llama"]
SYSTEM = [random.Random(1).randrange(VOCABULARY) for _ in range(30)]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True, scope="module")
def short_ones_count() -> Iterator[None]:
    """Have a beginning of three tokens be worth it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefix_cache, "_FEWEST_TOKENS", 3)
        yield


def reply_of(batch: TextBatch, prompt: list[int], max_tokens: int = 4) -> TextReply:
    batch.add(row(1, prompt, max_tokens))
    reply = finish(batch)[1]
    assert isinstance(reply, TextReply)
    return reply


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(MODELS)),
    st.lists(
        st.tuples(
            st.integers(0, 30),  # tokens of the common beginning
            st.integers(1, 12),  # and of its own
            st.integers(1, 6),  # max_tokens
            st.integers(0, 12),  # the step before which it comes
        ),
        min_size=2,
        max_size=8,
    ),
    st.integers(1, 40),
    st.integers(0, 80),
    st.integers(0, 2**32),
)
def test_a_text_is_the_same_whatever_is_known_of_its_prompt(
    kind: str, texts: list[tuple[int, int, int, int]], chunk: int, most: int, seed: int
) -> None:
    """WK-13 Read alone or with others, in parts, where much, little or nothing is known."""
    model = MODELS[kind]
    chance = random.Random(seed)
    batch = batch_of(model, prompt_chunk=chunk, prefix_tokens=most)
    written = [
        SYSTEM[:common] + [chance.randrange(VOCABULARY) for _ in range(own)]
        for common, own, _, _ in texts
    ]
    waiting = dict(enumerate(texts))
    said: dict[int, str] = {}
    for step in range(500):
        for id, text in list(waiting.items()):
            if text[3] <= step:
                batch.add(row(id, written[id], text[2]))
                del waiting[id]
        if batch.rows:
            said |= {told.id: told.reply.text for told in batch.step() if told.is_last}
        elif not waiting:
            break
    assert said == {id: alone(model, written[id], text[2]) for id, text in enumerate(texts)}


def test_only_what_is_not_known_is_read() -> None:
    """And the usage says how much was known."""
    widths: list[tuple[int, int]] = []
    model = Faulty(LLAMA, lambda ids: widths.append((ids.shape[0], ids.shape[1])))
    batch = batch_of(model, prefix_tokens=100)
    first = reply_of(batch, [*SYSTEM, 1, 2, 3], 1)
    second = reply_of(batch, [*SYSTEM, 4, 5], 1)
    assert widths == [(1, 33), (1, 2)]
    assert (first.usage.cached_tokens, second.usage.cached_tokens) == (0, 30)
    assert second.usage.prompt_tokens == 32
    assert batch.statistics().prefixes.hits == 1


def test_those_of_which_as_much_is_new_are_read_together() -> None:
    """However long they are in all: another that knows nothing is read apart."""
    widths: list[tuple[int, int]] = []
    model = Faulty(LLAMA, lambda ids: widths.append((ids.shape[0], ids.shape[1])))
    batch = batch_of(model, prefix_tokens=100)
    reply_of(batch, [*SYSTEM, 1], 1)
    widths.clear()
    prompts = [[*SYSTEM, 2, 3], [*SYSTEM[:20], 60, 61, 62], [63] * 40]
    for id, prompt in enumerate(prompts):
        batch.add(row(id, prompt, 1))
    ends = finish(batch)
    assert widths == [(2, 3), (1, 40)]
    for id, prompt in enumerate(prompts):
        reply = ends[id]
        assert isinstance(reply, TextReply)
        assert reply.text == alone(LLAMA, prompt, 1)


def test_what_is_kept_of_a_padded_row_is_its_own() -> None:
    """The columns of its padding aren't."""
    batch = batch_of(LLAMA, prefix_tokens=200)
    short = [token ^ 1 for token in SYSTEM[:20]]
    batch.add(row(1, SYSTEM, 1))
    batch.add(row(2, short, 1))
    batch.step()
    assert batch.statistics().prefixes.prompts == 2
    reply = reply_of(batch, [*short, 5, 6, 7])
    assert (reply.text, reply.usage.cached_tokens) == (alone(LLAMA, [*short, 5, 6, 7], 4), 20)


def test_after_memory_ran_out_nothing_is_kept() -> None:
    """WK-08 What was kept is let go of; texts are what they are without it."""
    passes = iter(range(1000))

    def before(_: torch.Tensor) -> None:
        if next(passes) == 5:
            raise torch.OutOfMemoryError("out of memory")

    batch = batch_of(Faulty(LLAMA, before), prefix_tokens=100)
    prompt = [*SYSTEM, 1, 2, 3]
    reply_of(batch, prompt)
    assert batch.statistics().prefixes.tokens == 33
    assert reply_of(batch, prompt, 12).text == alone(LLAMA, prompt, 6)
    assert batch.statistics().prefixes.tokens == 0
    assert reply_of(batch, prompt).usage.cached_tokens == 0


def test_a_text_that_breaks_a_step_does_no_harm_to_what_is_kept() -> None:
    """It is read whole or not at all."""

    def before(ids: torch.Tensor) -> None:
        if (ids == 63).any():
            raise RuntimeError("index out of range")

    batch = batch_of(Faulty(LLAMA, before), prefix_tokens=100)
    prompt = [*[token % 63 for token in SYSTEM], 1, 2, 3]
    reply_of(batch, prompt)
    batch.add(row(2, [*prompt, 63], 4))
    assert isinstance(finish(batch)[2], RuntimeError)
    again = reply_of(batch, prompt)
    assert (again.text, again.usage.cached_tokens) == (alone(LLAMA, prompt, 4), 32)
