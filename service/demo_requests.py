"""What the demo asks: 24 requests in four rounds, and what goes wrong in each round."""

from __future__ import annotations

from typing import Literal

import msgspec

from failsoft.messages import ChatMessage, GenerateText

FaultKind = Literal["kill", "hang", "oom", "caller_fault", "cancel"]

DEADLINE_SECONDS = 90.0
# Chunks that a stream has given when its worker is killed or stopped, or its reader leaves.
CHUNKS_BEFORE_FAULT = 5

_SYSTEM = ChatMessage("system", "Answer in one or two short sentences.")


class DemoRequest(msgspec.Struct, frozen=True):
    """Describe one request. ``fault``: what the caller, or fate, does while it is under way."""

    number: int
    round: int
    text: str
    streamed: bool
    fault: FaultKind | None = None
    max_tokens: int = 32

    @property
    def correlation_id(self) -> str:
        return f"demo-{self.number:02}"

    def message(self) -> GenerateText:
        """Give the message to send; greedy, so that a run can be held against another."""
        turns = (_SYSTEM, ChatMessage("user", self.text))
        return GenerateText(turns, max_tokens=self.max_tokens, temperature=0)


# A round begins when the primary is ready again. Its first request is at the head of the
# primary's queue, so it is the one in work when the round's fault comes.
_ROUNDS: tuple[tuple[FaultKind, bool, tuple[str, ...]], ...] = (
    (
        "kill",
        True,
        (
            "Tell me something about the moon.",
            "What is the capital of France?",
            "Why is the sky blue?",
            "Name three fruits.",
            "What do bees make?",
            "How many days are in a week?",
        ),
    ),
    (
        "oom",
        False,
        (
            "What is water made of?",
            "Who wrote Romeo and Juliet?",
            "Give me a tip for sleeping well.",
            "What is the largest ocean?",
            "What does a baker do?",
            "Say hello in Spanish.",
        ),
    ),
    (
        "hang",
        True,
        (
            "Tell me something about elephants.",
            "What colour is grass?",
            "What is a bicycle?",
            "Name two planets.",
            "What is snow?",
            "Why do we drink water?",
        ),
    ),
    (
        "cancel",
        True,
        (
            "Tell me a short story about a cat.",
            "What is the opposite of hot?",
            "What is a library for?",
            "How many legs does a spider have?",
            "What do you call a young dog?",
        ),
    ),
)


def demo_requests() -> tuple[DemoRequest, ...]:
    """Give the requests in the order in which they are sent."""
    requests: list[DemoRequest] = []
    for round, (fault, first_streamed, texts) in enumerate(_ROUNDS, start=1):
        for position, text in enumerate(texts):
            streamed = first_streamed if position == 0 else position % 3 == 1
            requests.append(
                DemoRequest(
                    len(requests) + 1, round, text, streamed, fault if position == 0 else None
                )
            )
    too_long = "Sum this up: " + "one two three " * 800
    requests.append(DemoRequest(len(requests) + 1, len(_ROUNDS), too_long, False, "caller_fault"))
    return tuple(requests)
