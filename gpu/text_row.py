"""One request in a batch of texts: its tokens, how it goes on, and what it has answered."""

from __future__ import annotations

from failsoft.gpu.engine import Step
from failsoft.gpu.incremental_text import IncrementalText
from failsoft.gpu.sampling import Sampler
from failsoft.gpu.stop_strings import StopStrings
from failsoft.messages.reply import FinishReason, TextChunk, TextReply, Usage


class TextRow:
    """Gather one answer: tokens in, steps out.

    prompt: its tokens. max_tokens: of the answer, at most.
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
    ) -> None:
        self.id = id
        self.tokens = list(prompt)
        self.sampler = sampler
        self.max_tokens = max_tokens
        self.warning: str | None = None
        self._prompt_tokens = len(prompt)
        self._decoder = decoder
        self._stops = stops
        self._end_tokens = end_tokens
        self._pieces: list[str] = []
        self._fresh = ""
        self._tokens_told = 0

    def __repr__(self) -> str:
        return f"<TextRow {self.id}: {self._prompt_tokens} + {self.made} of {self.max_tokens}>"

    @property
    def made(self) -> int:
        """Give how many tokens the answer has so far."""
        return len(self.tokens) - self._prompt_tokens

    @property
    def most_tokens(self) -> int:
        """Give how many tokens prompt and answer have at most."""
        return self._prompt_tokens + self.max_tokens

    def add(self, token: int) -> Step:
        """Take in the answer's next token."""
        self.tokens.append(token)
        self.sampler.note(token)
        finish_reason = self._finish_reason(at_end=token in self._end_tokens)
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

    def _finish_reason(self, *, at_end: bool) -> FinishReason | None:
        if not at_end:
            self._show(self._stops.feed(self._decoder.feed(self.tokens[-1])))
        if self._stops.stopped:
            return "stop"
        if not at_end and self.made < self.max_tokens:
            return None
        self._flush()
        return "stop" if at_end or self._stops.stopped else "length"

    def _last_step(self, finish_reason: FinishReason) -> Step:
        usage = Usage(self._prompt_tokens, self.made)
        chunk = self._chunk(finish_reason, usage)
        reply = TextReply("".join(self._pieces), finish_reason, usage, warning=self.warning)
        return Step(self.id, chunk, is_last=True, reply=reply)

    def _chunk(
        self, finish_reason: FinishReason | None = None, usage: Usage | None = None
    ) -> TextChunk:
        text, self._fresh = self._fresh, ""
        tokens, self._tokens_told = self.made - self._tokens_told, self.made
        warning = None if finish_reason is None else self.warning
        return TextChunk(text, tokens, finish_reason, usage, warning=warning)

    def _flush(self) -> None:
        self._show(self._stops.feed(self._decoder.flush()))
        self._show(self._stops.flush())

    def _show(self, text: str) -> None:
        self._fresh += text
        self._pieces.append(text)
