"""Have a text engine answer requests together, as a worker would."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from failsoft.gpu.text.engine import TextEngine
from failsoft.messages import GenerateText, TextChunk, TextReply

from .tiny_models import save_llama


class Answer(NamedTuple):
    chunks: list[TextChunk]
    reply: TextReply


def tiny_engine(folder: Path) -> TextEngine:
    """Give a loaded engine with a model whose tokens are bytes, made up at random."""
    save_llama(folder)
    engine = TextEngine(str(folder), device="cpu")
    engine.load(lambda done, total: None)
    return engine


def answers(engine: TextEngine, *requests: GenerateText) -> list[Answer]:
    """Give what each request streams and its reply; all are in one batch."""
    chunks: dict[int, list[TextChunk]] = {id: [] for id in range(len(requests))}
    replies: dict[int, TextReply] = {}
    for id, request in enumerate(requests):
        assert engine.begin(id, request)
    while len(replies) < len(requests):
        for step in engine.step():
            assert step.error is None, step.error
            if step.chunk is not None:
                chunks[step.id].append(step.chunk)
            if step.is_last:
                replies[step.id] = step.reply
    return [Answer(chunks[id], replies[id]) for id in range(len(requests))]
