"""How likely the tokens of an answer were, of a tiny model whose tokens are bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import torch

from failsoft.gpu.text.engine import TextEngine
from failsoft.gpu.text.incremental_text import IncrementalText
from failsoft.gpu.text.logprobs import Logprobs
from failsoft.gpu.text.row import TextRow
from failsoft.gpu.text.sampling import Sampler
from failsoft.gpu.text.stop_strings import StopStrings
from failsoft.messages import GenerateText, TokenLogprob

from .text_answers import answers, tiny_engine

pytestmark = pytest.mark.usefixtures("one_thread")

# Letters of two bytes and more come of it, cut into tokens.
ASKED = GenerateText("Hello", max_tokens=40, seed=3, temperature=0.7, logprobs=True, top_logprobs=3)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TextEngine]:
    engine = tiny_engine(tmp_path_factory.mktemp("llama"))
    yield engine
    engine.unload()


def told(engine: TextEngine, request: GenerateText) -> tuple[TokenLogprob, ...]:
    (answer,) = answers(engine, request)
    assert answer.reply.logprobs is not None
    return answer.reply.logprobs


def likely(engine: TextEngine, text: bytes) -> torch.Tensor:
    """Give the model's own log probabilities of what follows ``text``."""
    tokens = engine._tokenizer(text.decode())["input_ids"]
    with torch.inference_mode():
        scores = engine._model(torch.tensor([tokens])).logits[0, -1]
    return torch.log_softmax(scores, dim=-1)


def test_they_are_the_models_own_whatever_the_sampling_does(engine: TextEngine) -> None:
    """Before temperature and penalties: of the first token, at two temperatures, the same."""
    expected = likely(engine, b"Hello")
    for temperature, penalty in ((0.0, 0.0), (1.9, 2.0)):
        request = msgspec.structs.replace(
            ASKED, max_tokens=8, temperature=temperature, frequency_penalty=penalty
        )
        (first, *_) = told(engine, request)
        assert [top.logprob for top in first.top_logprobs] == pytest.approx(
            expected.topk(3).values.tolist(), abs=1e-4
        )


def test_the_likeliest_token_is_first_and_is_the_greedy_one(engine: TextEngine) -> None:
    """In the list of the likeliest, which falls; so many as were asked for."""
    for entry in told(engine, msgspec.structs.replace(ASKED, temperature=0)):
        values = [top.logprob for top in entry.top_logprobs]
        assert values == sorted(values, reverse=True)
        assert len(values) == 3
        first = entry.top_logprobs[0]
        assert (entry.token, entry.bytes) == (first.token, first.bytes)
        assert entry.logprob == pytest.approx(first.logprob)
        assert sum(math.exp(value) for value in values) <= 1.0001


@pytest.mark.parametrize("seed", range(8))
def test_the_bytes_joined_are_the_text(engine: TextEngine, seed: int) -> None:
    """Parts of a character have their own bytes, and U+FFFD as text."""
    request = msgspec.structs.replace(ASKED, seed=seed, stop=("\n",))
    (answer,) = answers(engine, request)
    assert answer.reply.logprobs is not None
    said = b"".join(bytes(entry.bytes) for entry in answer.reply.logprobs)
    # A character that is left unfinished, or was none, is not in the text.
    assert said.decode(errors="replace").rstrip("\N{REPLACEMENT CHARACTER}") == (
        answer.reply.text.rstrip("\N{REPLACEMENT CHARACTER}")
    )


@pytest.mark.parametrize("seed", range(4))
def test_those_of_the_chunks_joined_are_the_replys(engine: TextEngine, seed: int) -> None:
    """WK-14 Each rides with the chunk in which its text begins; merged chunks keep them."""
    request = msgspec.structs.replace(ASKED, seed=seed, stop=("a", "bc"))
    (answer,) = answers(engine, request)
    joined: list[TokenLogprob] = []
    for chunk in answer.chunks:
        assert chunk.logprobs is not None
        joined += chunk.logprobs
    assert tuple(joined) == answer.reply.logprobs
    merged = answer.chunks[0]
    for chunk in answer.chunks[1:]:
        merged = merged.merge(chunk)
    assert merged.logprobs == answer.reply.logprobs


def test_what_is_held_back_for_a_stop_string_is_held_back_here_too(engine: TextEngine) -> None:
    """WK-14 Its tokens show in no chunk; where it isn't completed, all of them do."""
    greedy = msgspec.structs.replace(ASKED, temperature=0, max_tokens=30)
    (whole,) = answers(engine, greedy)
    text = whole.reply.text
    at = next(at for at in range(4, len(text)) if text.index(text[at : at + 3]) == at)
    (cut,) = answers(engine, msgspec.structs.replace(greedy, stop=(text[at : at + 3],)))
    assert cut.reply.text == text[:at]
    assert cut.reply.logprobs is not None
    assert whole.reply.logprobs is not None
    assert cut.reply.logprobs == whole.reply.logprobs[: len(cut.reply.logprobs)]
    said = b"".join(bytes(entry.bytes) for entry in cut.reply.logprobs[:-1])
    assert len(said) < len(text[:at].encode())
    (held,) = answers(engine, msgspec.structs.replace(greedy, stop=(text[-2:] + "\N{SNOWMAN}",)))
    assert held.reply.logprobs == whole.reply.logprobs


def test_a_row_that_did_not_ask_has_none_and_none_is_computed(
    engine: TextEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside one that did, whose tokens alone are counted."""
    computed: list[int] = []
    log_softmax = torch.log_softmax

    def counted(scores: Any, dim: int) -> Any:
        computed.append(scores.dim())
        return log_softmax(scores, dim=dim)

    monkeypatch.setattr(torch, "log_softmax", counted)
    plain = msgspec.structs.replace(ASKED, logprobs=False, top_logprobs=0, max_tokens=20)
    beside, asking = answers(engine, plain, msgspec.structs.replace(ASKED, max_tokens=5))
    assert beside.reply.logprobs is None
    assert all(chunk.logprobs is None for chunk in beside.chunks)
    assert asking.reply.logprobs is not None
    assert computed == [1] * 5


def test_an_end_token_that_brings_out_what_was_held_is_not_told() -> None:
    """The text that comes out then is that of the tokens before it."""
    pieces = {1: b"a\xf0", 2: b"<end>"}

    class Bytes:
        def decode(self, token_ids: list[int], **_: bool) -> str:
            return b"".join(pieces[token] for token in token_ids).decode(errors="replace")

    ending = TextRow(
        1,
        [3],
        sampler=Sampler(0.0, 1.0, 0, torch.device("cpu")),
        decoder=IncrementalText(Bytes()),
        stops=StopStrings(()),
        end_tokens=frozenset({2}),
        max_tokens=9,
        logprobs=Logprobs(0, pieces.__getitem__),
    )
    assert ending.choose(torch.zeros(4), best=1).chunk is None
    last = ending.choose(torch.zeros(4), best=2)
    assert last.reply.text == "a"
    assert [entry.bytes for entry in last.reply.logprobs] == [(0x61, 0xF0)]


def test_the_end_token_is_no_part_of_the_answer(engine: TextEngine) -> None:
    """It has no text, and so it isn't told, though it counts in the usage."""
    ends = (
        answers(engine, msgspec.structs.replace(ASKED, seed=seed, temperature=1.5, max_tokens=400))
        for seed in range(40)
    )
    reply = next(answer.reply for (answer,) in ends if answer.reply.finish_reason == "stop")
    assert reply.logprobs is not None
    assert len(reply.logprobs) < reply.usage.completion_tokens
    assert not any("endoftext" in entry.token for entry in reply.logprobs)
