"""Judge what the model says by the grammar that wrote what it was trained on."""

from __future__ import annotations

import re
from functools import cache, partial

from training.text import beyond
from training.text.corpus import Turn
from training.text.exchange import exchanges
from training.text.world import grammar

_SLOT = re.compile(r"\{(\w+)(?!:)\b([^:}]*)\}")


def is_of_the_grammar(said: str) -> bool:
    """Tell whether any answer of the grammar, with any words, is ``said``."""
    return beyond.is_answer(said) or any(grammar().accepts(answer, said) for answer in _answers())


@cache
def _answers() -> tuple[str, ...]:
    """Give all answers, each able to stand without its question."""
    found = []
    for exchange in exchanges():
        alone: dict[str, str] = {}
        for ask in exchange.asks:
            # What the question has chosen, or called by a label of its own, is chosen here.
            for label, (owner, attribute) in grammar().kept(ask).items():
                alone[label] = f"{owner}.{attribute}"
            for label, kind in grammar().labels(ask).items():
                alone.setdefault(label, f"{label}:{kind}")
        found += [_SLOT.sub(partial(_alone, alone), answer) for answer in exchange.answers]
    return tuple(found)


def _alone(alone: dict[str, str], slot: re.Match[str]) -> str:
    label, rest = slot.groups()
    name = alone.get(label.lower(), label)
    return f"{{{name.capitalize() if label[0].isupper() else name}{rest}}}"


def is_right(turn: Turn, said: str) -> bool:
    """Tell whether it is an answer to this very question, with what is true of its words."""
    assert turn.exchange is not None
    return any(
        grammar().accepts(f"{turn.template}\n{answer}", f"{turn.ask}\n{said}")
        for answer in turn.exchange.answers
    )


def keeps_subject(turn: Turn, said: str) -> bool:
    """Tell whether all that the question names is named in the answer."""
    words = said.lower()
    return all(any(form.lower() in words for form in forms) for forms in turn.subjects)


def refuses(said: str) -> bool:
    """Tell whether it says that it is the stand-in, and that this is beyond it."""
    return beyond.is_answer(said.removeprefix("... "))
