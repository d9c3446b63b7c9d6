"""Texts in a batch: rows of tiny models come and go, and each says what it says alone."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from failsoft.gpu.text.padded_rows import can_join_rows
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

pytestmark = pytest.mark.usefixtures("one_thread")


def prompts(seed: int, lengths: list[int]) -> list[list[int]]:
    chance = random.Random(seed)
    return [[chance.randrange(VOCABULARY) for _ in range(length)] for length in lengths]


TEXTS = st.lists(
    st.tuples(
        st.integers(1, 24),  # tokens of the prompt
        st.integers(1, 12),  # max_tokens
        st.integers(0, 10),  # the step before which it comes
        st.none() | st.integers(0, 12),  # the step before which its caller leaves
    ),
    min_size=1,
    max_size=7,
)


@settings(max_examples=100)
@given(
    st.sampled_from(sorted(MODELS)), TEXTS, st.integers(1, 40), st.booleans(), st.integers(0, 2**32)
)
def test_a_text_is_the_same_whoever_comes_and_goes_beside_it(
    kind: str,
    texts: list[tuple[int, int, int, int | None]],
    chunk: int,
    is_continuous: bool,
    seed: int,
) -> None:
    """WK-11 WK-13 For prompts of any lengths, read in parts, joining and leaving at any step."""
    model = MODELS[kind]
    batch = batch_of(model, prompt_chunk=chunk, is_continuous=is_continuous)
    written = prompts(seed, [length for length, *_ in texts])
    waiting = {id: (text[2], text[3]) for id, text in enumerate(texts)}
    said: dict[int, str] = dict.fromkeys(waiting, "")
    for step in range(500):
        for id, (comes, _) in list(waiting.items()):
            new = row(id, written[id], texts[id][1])
            if comes <= step and batch.has_room(new):
                batch.add(new)
                del waiting[id]
        for id, text in enumerate(texts):
            if text[3] == step:
                batch.drop(id)
                waiting.pop(id, None)
        if not batch.rows:
            if not waiting:
                break
            continue
        for told in batch.step():
            assert told.error is None
            said[told.id] += told.chunk.text if told.chunk else ""
    assert not waiting
    for id, (_, max_tokens, _, leaves) in enumerate(texts):
        whole = alone(model, written[id], max_tokens)
        assert said[id] == whole if leaves is None else whole.startswith(said[id])


def test_a_seed_says_the_same_alone_and_beside_others() -> None:
    """WK-13 Each row draws from a generator of its own."""
    (prompt,) = prompts(1, [5])
    sampled: dict[str, Any] = {"temperature": 1.0, "top_p": 0.9, "seed": 7}
    by_itself = batch_of(LLAMA)
    by_itself.add(row(0, prompt, 12, **sampled))
    among = batch_of(LLAMA)
    for id, other in enumerate(prompts(2, [3, 9, 5]), start=1):
        among.add(row(id, other, 12, temperature=1.0, seed=id))
    among.add(row(0, prompt, 12, **sampled))
    assert finish(by_itself)[0] == finish(among)[0]


def test_rows_that_end_are_worked_on_no_more_and_new_ones_join() -> None:
    """The batch shrinks by the row that is done, and grows by the one that comes, between steps."""
    widths: list[tuple[int, int]] = []
    model = Faulty(LLAMA, lambda ids: widths.append((ids.shape[0], ids.shape[1])))
    batch = batch_of(model)
    first, second, third = prompts(3, [4, 4, 6])
    batch.add(row(1, first, 2))
    batch.add(row(2, second, 5))
    batch.step()
    batch.step()
    assert batch.has_room(row(3, third, 2))
    batch.add(row(3, third, 2))
    finish(batch)
    assert widths == [(2, 4), (2, 1), (1, 6), (2, 1), (1, 1), (1, 1)]


def test_without_continuous_batching_those_under_way_end_first() -> None:
    """Rows join before the first step, and then only the next batch."""
    batch = batch_of(LLAMA, is_continuous=False)
    one, two, three = (row(id, [1, 2, 3], 3) for id in range(3))
    assert batch.has_room(one)
    batch.add(one)
    assert batch.has_room(two)
    batch.add(two)
    batch.step()
    assert not batch.has_room(three)
    finish(batch)
    assert batch.has_room(three)


def test_a_batch_takes_so_many_rows_and_tokens_and_one_row_of_any_length() -> None:
    """Rows count as long as the longest of them, for that is what they cost padded."""
    few = batch_of(LLAMA, most=2, most_tokens=30)
    few.add(row(1, [1] * 5, 5))
    assert few.has_room(row(2, [1] * 10, 5))
    assert not few.has_room(row(2, [1] * 10, 6))
    few.add(row(2, [1], 1))
    assert not few.has_room(row(3, [1], 1))
    assert batch_of(LLAMA, most_tokens=30).has_room(row(1, [1] * 50, 50))


def test_a_long_prompt_holds_up_those_that_run_for_a_part_of_it_at_a_time() -> None:
    """Between two tokens of another text, no more than prompt_chunk tokens are read."""
    widths: list[int] = []
    model = Faulty(LLAMA, lambda ids: widths.append(ids.shape[1]))
    batch = batch_of(model, prompt_chunk=8)
    batch.add(row(1, [1, 2], 8))
    batch.step()
    batch.step()
    batch.add(row(2, list(range(30)), 1))
    ends = finish(batch)
    assert widths[:10] == [2, 1, 8, 1, 8, 1, 8, 1, 6, 1]
    assert isinstance(ends[2], TextReply)


def test_a_window_of_tokens_holds_for_padded_rows_too() -> None:
    """A row sees its own last tokens, wherever its padding ends."""
    model = MODELS["mistral"]
    batch = batch_of(model)
    written = prompts(5, [3, 20])
    for id, prompt in enumerate(written):
        batch.add(row(id, prompt, 10))
    ends = finish(batch)
    for id, prompt in enumerate(written):
        reply = ends[id]
        assert isinstance(reply, TextReply)
        assert reply.text == alone(model, prompt, 10)


def test_models_with_state_of_another_kind_are_known() -> None:
    """Their rows can't be padded; they are to be worked on one at a time."""
    from transformers import Lfm2Config, Lfm2ForCausalLM

    config = Lfm2Config(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        layer_types=["conv", "full_attention"],
    )
    assert not can_join_rows(Lfm2ForCausalLM(config))
    assert all(can_join_rows(model) for model in MODELS.values())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_text_read_anew_goes_on_as_before(dtype: torch.dtype) -> None:
    """What memory took away is read again, prompt and answer so far; no token is said twice."""
    model = tiny_llama().to(dtype)
    written = prompts(6, [3, 12, 7])
    fail = {5}
    passes = iter(range(1000))

    def before(_: torch.Tensor) -> None:
        if next(passes) in fail:
            raise torch.OutOfMemoryError("out of memory")

    batch = batch_of(Faulty(model, before))
    for id, prompt in enumerate(written):
        batch.add(row(id, prompt, 9))
    ends = finish(batch)
    for id, prompt in enumerate(written):
        reply = ends[id]
        assert isinstance(reply, TextReply)
        assert (reply.text, reply.warning) == (alone(model, prompt, 9), None)
