"""What is asked, in which way, and how long its caller waits."""

from __future__ import annotations

from random import Random
from typing import Final

import msgspec

# Seconds that a patient caller waits: longer than anything here takes. A template that is stopped
# is found to be after two minutes, and then another one imports torch.
PATIENCE: Final = 180.0

# How often which way is taken. A picture costs as much as hundreds of echoes.
WAYS: Final = {
    "chat": 18,
    "chat_stream": 14,
    "chat_events": 8,
    "generate": 8,
    "generate_resilient": 8,
    "adaptive_generate": 6,
    "generate_events": 8,
    "completion": 4,
    "embedding": 6,
    "image": 0.4,
    "pages": 4,
    "live": 1,
    "nonsense": 3,
    "gone_mid_stream": 3,
    "half_body": 2,
    "endless_head": 1,
    "pipelined": 2,
}
# Those whose answer is of a scripted model, which makes it of the prompt.
ECHOED: Final = frozenset(
    ("chat", "chat_stream", "chat_events", "generate", "generate_resilient", "adaptive_generate")
) | {"generate_events", "pipelined"}
OF_MODELS: Final = ECHOED | {"completion", "embedding", "image"}

_MANNERS: Final = {"quickly": 70, "slowly": 24, "wrongly": 2, "greedily": 1, "poisonously": 0.3}


class Question(msgspec.Struct, frozen=True):
    """Be one request. Its id is in its prompt, and so in the answer to it.

    within: seconds until its deadline. leaves_after: when its caller goes away; None: never.
    """

    number: int
    way: str
    model: str
    prompt: str
    max_tokens: int = 100
    within: float = PATIENCE
    leaves_after: float | None = None

    @property
    def id(self) -> str:
        return f"q{self.number}"

    @property
    def is_patient(self) -> bool:
        return self.within >= PATIENCE


def draw(random: Random, number: int) -> Question:
    """Draw a question: few are in a hurry, few go away, some are put wrongly or do harm."""
    way = random.choices(list(WAYS), list(WAYS.values()))[0]
    manner = "quickly"
    if way in ECHOED - {"pipelined"}:
        manner = random.choices(list(_MANNERS), list(_MANNERS.values()))[0]
    words = "word " * random.randrange(12)
    return Question(
        number,
        way,
        model=random.choice(("echo", "echo", "gpt-4o-mini", "steady")),
        prompt=f"q{number} {manner} {words}".strip(),
        max_tokens=random.choice((3, 100, 100)),
        within=random.choices((PATIENCE, 1.0, 0.1), (20, 1, 1))[0],
        leaves_after=random.uniform(0.0, 0.3) if random.random() < 0.05 else None,
    )
