"""What is asked, by whom, and how long they wait; and whether an answer is the one to it."""

from __future__ import annotations

from random import Random

import msgspec

from bench.storm.tree import router_paths
from failsoft.messages import GenerateText

# Seconds that a patient caller waits: far longer than anything here takes.
PATIENCE = 60.0


class Question(msgspec.Struct, frozen=True):
    """Be one request. It bears its number, and so does the answer to it.

    within: seconds until its deadline. leaves_after: when its caller goes away; None: never.
    """

    number: int
    router: str
    request: GenerateText
    within: float = PATIENCE
    leaves_after: float | None = None
    is_stream: bool = False

    @property
    def id(self) -> str:
        return f"q{self.number}"

    @property
    def is_patient(self) -> bool:
        return self.within >= PATIENCE

    def is_answered_by(self, text: str, finish_reason: str | None) -> bool:
        """Tell whether ``text`` is what this prompt is echoed as, as far as there was room."""
        return is_echo(str(self.request.prompt), text, finish_reason)


def is_echo(prompt: str, text: str, finish_reason: str | None) -> bool:
    """Tell whether ``text`` is a prompt, or its beginning where it had to end; an id is first."""
    is_whole = text == prompt or (finish_reason == "length" and prompt.startswith(text))
    return is_whole and text.split()[:1] == prompt.split()[:1]


def draw(random: Random, number: int) -> Question:
    """Draw a question: few are in a hurry, few go away, one in fifty is wrongly put."""
    how = random.choices(["quickly", "slowly", "wrongly"], [60, 38, 2])[0]
    words = " ".join(["word"] * random.randrange(8))
    return Question(
        number,
        random.choice(router_paths()),
        GenerateText(
            f"q{number} {how} {words}".strip(),
            max_tokens=random.choice([3, 100]),
            priority=random.choice([0, 0, 0, 1, -3]),
            tenant=random.choice(["", "one", "another"]),
        ),
        within=random.choices([PATIENCE, 1.0, 0.1], [8, 1, 1])[0],
        leaves_after=random.uniform(0.0, 0.2) if random.random() < 0.1 else None,
        is_stream=random.random() < 0.4,
    )
