"""One request in a batch of texts: its tokens, how it goes on, and what it has answered."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from failsoft.gpu.engine import Step
from failsoft.gpu.text.grammar import Grammar
from failsoft.gpu.text.incremental_text import IncrementalText
from failsoft.gpu.text.logprobs import Logprobs
from failsoft.gpu.text.sampling import Sampler
from failsoft.gpu.text.stop_strings import StopStrings
from failsoft.messages.logprobs import TokenLogprob
from failsoft.messages.reply import FinishReason, TextChunk, TextReply, Usage


class TextRow:
    """Gather one answer: the model's scores in, steps out.

    prompt: its tokens. max_tokens: of the answer, at most.
    logprobs, grammar: where they were asked for.
    batch_divisor: see ``GenerateText``. cached_tokens: of the prompt, those not to be read.
    """

    def __init__(
        self,
        id: int,
        prompt: list[int],
        *,
        sampler: Sampler,
        decoder: IncrementalText,
        stops: StopStrings,
        end_tokens: frozenset[int],
        max_tokens: int,
        logprobs: Logprobs | None = None,
        grammar: Grammar | None = None,
        batch_divisor: float = 1.0,
    ) -> None:
        self.id = id
        self.tokens = list(prompt)
        self.sampler = sampler
        self.max_tokens = max_tokens
        self.batch_divisor = batch_divisor
        self.cached_tokens = 0
        self.warning: str | None = None
        self._prompt_tokens = len(prompt)
        self._decoder = decoder
        self._stops = stops
        self._end_tokens = end_tokens
        self._logprobs = logprobs
        self._grammar = grammar
        self._pieces: list[str] = []
        self._logprobs_told: list[TokenLogprob] = []
        self._decoded = 0
        self._shown = 0
        self._shown_before = 0
        self._fresh = ""
        self._tokens_told = 0

    def __repr__(self) -> str:
        return f"<TextRow {self.id}: {self._prompt_tokens} + {self.made} of {self.max_tokens}>"

    @property
    def shown_text(self) -> str:
        """Give the text that was given out so far."""
        return "".join(self._pieces)

    @property
    def made(self) -> int:
        """Give how many tokens the answer has so far."""
        return len(self.tokens) - self._prompt_tokens

    @property
    def most_tokens(self) -> int:
        """Give how many tokens prompt and answer have at most."""
        return self._prompt_tokens + self.max_tokens

    @property
    def takes_the_best(self) -> bool:
        """Tell whether the token with the highest score is always the one."""
        return self.sampler.takes_the_best and self._grammar is None

    def go_on_after(self, answered: Sequence[int], *, is_all_shown: bool = False) -> None:
        """Be as after the choice of these tokens, with their text given out.

        What of their text could not be given out yet is held here as it was there. is_all_shown:
        all of it was, so that what is held here is not to be given out later.
        """
        for token in answered:
            self.tokens.append(token)
            self.sampler.note(token)
            if self._grammar is not None:
                self._grammar.note(token)
            self._feed(self._decoder.feed(token))
        if is_all_shown:
            self._shown_before = self._decoded - self._shown
        self._fresh = ""
        self._tokens_told = self.made
        # There is at least the last step to make, whatever was cut down meanwhile.
        self.max_tokens = max(self.max_tokens, self.made + 1)

    def choose(self, scores: Tensor, best: int) -> Step:
        """Go on with a token by ``scores`` (vocabulary size), of which ``best`` is the highest.

        best: heeded only where ``takes_the_best``.
        """
        token = best if self.takes_the_best else self._chosen(scores)
        if token not in self._end_tokens:
            if self._logprobs is not None:
                self._logprobs.note(token, scores, begins_at=self._decoded)
            if self._grammar is not None:
                self._grammar.note(token)
        return self._add(token)

    def _chosen(self, scores: Tensor) -> int:
        if self._grammar is not None:
            scores = self._grammar.masked(scores)
        return int(self.sampler.choose(scores))

    def _add(self, token: int) -> Step:
        self.tokens.append(token)
        self.sampler.note(token)
        finish_reason = self._finish_reason(token)
        if finish_reason is not None:
            return self._last_step(finish_reason)
        return Step(self.id, self._chunk() if self._fresh else None)

    def halve(self, warning: str) -> Step | None:
        """Make do with half the tokens; give the last step where the answer has as many already."""
        self.max_tokens = max(1, self.max_tokens // 2)
        self.warning = warning
        if self.made < self.max_tokens:
            return None
        self._flush()
        return self._last_step("length")

    def _finish_reason(self, token: int) -> FinishReason | None:
        is_over = token in self._end_tokens
        if not is_over:
            self._feed(self._decoder.feed(token))
            is_over = self._grammar is not None and self._grammar.is_complete
        if self._stops.stopped:
            return "stop"
        if not is_over and self.made < self.max_tokens:
            return None
        self._flush()
        return "stop" if is_over or self._stops.stopped else "length"

    def _last_step(self, finish_reason: FinishReason) -> Step:
        usage = Usage(self._prompt_tokens, self.made, self.cached_tokens)
        chunk = self._chunk(finish_reason, usage)
        reply = TextReply(
            self.shown_text,
            finish_reason,
            usage,
            warning=self.warning,
            logprobs=None if self._logprobs is None else tuple(self._logprobs_told),
        )
        return Step(self.id, chunk, is_last=True, reply=reply)

    def _chunk(
        self, finish_reason: FinishReason | None = None, usage: Usage | None = None
    ) -> TextChunk:
        text, self._fresh = self._fresh, ""
        told, self._tokens_told = self._tokens_told, self.made
        made = tuple(self.tokens[self._prompt_tokens + told :])
        warning = None if finish_reason is None else self.warning
        logprobs = None
        if self._logprobs is not None:
            logprobs = self._logprobs.shown(self._shown)
            self._logprobs_told += logprobs
        return TextChunk(
            text,
            len(made),
            finish_reason,
            usage,
            warning=warning,
            logprobs=logprobs,
            token_ids=made,
        )

    def _flush(self) -> None:
        self._feed(self._decoder.flush())
        self._show(self._stops.flush())

    def _feed(self, text: str) -> None:
        self._decoded += len(text)
        self._show(self._stops.feed(text))

    def _show(self, text: str) -> None:
        self._fresh += text[self._shown_before :]
        self._shown_before = max(0, self._shown_before - len(text))
        self._shown += len(text)
        self._pieces.append(text)
