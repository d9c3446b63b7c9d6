"""Have the packaged engine answer, as a worker would."""

from __future__ import annotations

from collections.abc import Sequence

from failsoft.gpu.text.engine import TextEngine
from failsoft.messages import ChatMessage, GenerateText

_MAX_TOKENS = 200


def load(model: str) -> TextEngine:
    """Give an engine with the model, on the CPU."""
    engine = TextEngine(model, device="cpu")
    engine.load(lambda done, total: None)
    return engine


def answers(
    engine: TextEngine, asks: Sequence[str], *, temperature: float = 0.0, plain: bool = False
) -> list[str]:
    """Give what the model says to each of ``asks``; plain: as texts to go on with, and no chat."""
    waiting = [
        GenerateText(
            ask if plain else (ChatMessage("user", ask),),
            max_tokens=_MAX_TOKENS,
            temperature=temperature,
            seed=number,
        )
        for number, ask in enumerate(asks)
    ]
    said: dict[int, str] = {}
    begun = 0
    while len(said) < len(waiting):
        while begun < len(waiting) and engine.begin(begun, waiting[begun]):
            begun += 1
        for step in engine.step():
            if step.error is not None:
                raise step.error
            if step.is_last:
                said[step.id] = step.reply.text
    return [said[number] for number in range(len(waiting))]
