"""Hold an answer to a form: of the next tokens, only those that keep to it may be chosen.

Imports torch: only a worker process imports this module.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import torch
from torch import Tensor

from failsoft.messages.errors import InvalidInput
from failsoft.messages.response_format import JsonSchemaFormat, ResponseFormat, TextFormat

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

# Some models would otherwise write blanks until their tokens are used up.
_OPTIONS: Any = {"whitespace_pattern": r"[ \n\r\t]{0,16}"}
# Each state has 1 to 2 kB.
_MOST_STATES = 20_000
_MOST_WORDS = 300


class GrammarCompiler:
    """Make grammars for the tokens of one model.

    The vocabulary is read for the first of them: 0.2 s and 23 MB for 49,152 tokens. A grammar
    itself takes 0.1 to 3 ms, since its size is bounded and its automaton is made as it is used.

    vocabulary: how many scores the model gives. end_tokens: those that end an answer.
    """

    def __init__(self, tokenizer: Any, vocabulary: int, end_tokens: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._end_tokens = end_tokens

    def compile(self, form: ResponseFormat | None) -> Grammar | None:
        """Give what holds one answer to ``form``; None where any text will do.

        Raises InvalidInput where there can be no such grammar.
        """
        if form is None or isinstance(form, TextFormat):
            return None
        tokens = self._tokens
        from llguidance import LLMatcher, LLParserLimits

        path, schema = "response_format", {"type": "object"}
        if isinstance(form, JsonSchemaFormat):
            path, schema = f"{path}.json_schema.schema", form.json_schema.schema
        matcher = LLMatcher(
            tokens,
            LLMatcher.grammar_from_json_schema(
                msgspec.json.encode(schema).decode(), overrides=_OPTIONS
            ),
            log_level=0,
            limits=LLParserLimits(max_lexer_states=_MOST_STATES, verbose_errors=False),
        )
        if matcher.is_error():
            raise InvalidInput.in_fields({path: f"can't be kept to: {_said(matcher)}"})
        return Grammar(matcher)

    @functools.cached_property
    def _tokens(self) -> LLTokenizer:
        try:
            from llguidance import LLTokenizer
        except ImportError as error:
            raise _refused("needs the extra: pip install 'failsoft[structured]'") from error
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise _refused("isn't possible with this model: its tokenizer is of an old kind")
        try:
            return LLTokenizer(
                backend.to_str(),
                n_vocab=max(self._vocabulary, len(self._tokenizer)),
                eos_token=sorted(self._end_tokens) or None,
            )
        except ValueError as error:
            raise _refused(f"isn't possible with this model's tokenizer: {error}") from error


class Grammar:
    """Know what one answer may go on with."""

    def __init__(self, matcher: LLMatcher) -> None:
        self._matcher = matcher

    @property
    def is_complete(self) -> bool:
        """Tell whether nothing can follow any more."""
        return self._matcher.is_stopped()

    def masked(self, scores: Tensor) -> Tensor:
        """Give ``scores`` (vocabulary size), those of tokens that may not follow at -inf.

        Raises InvalidInput where the form turns out to be too complex.
        """
        mask = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._check()
        forbidden = np.unpackbits(~mask, count=len(scores), bitorder="little").view(bool)
        return scores.masked_fill(torch.from_numpy(forbidden).to(scores.device), -torch.inf)

    def note(self, token: int) -> None:
        """Go on with ``token``. Raises InvalidInput where the form turns out to be too complex."""
        self._matcher.consume_token(token)
        self._check()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise _refused(f"is too complex: {_said(self._matcher)}")


def _refused(words: str) -> InvalidInput:
    return InvalidInput.in_fields({"response_format": words})


def _said(matcher: LLMatcher) -> str:
    return " ".join(matcher.get_error().split())[:_MOST_WORDS]
