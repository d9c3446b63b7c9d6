"""Fields of the OpenAI API that can't be served: refused by name, never ignored in silence.

Clients send some of them with the value that asks for nothing; that is let through.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

Unserved = Annotated[
    Any, Meta(description="Isn't served: null alone, or what asks for nothing, is let through.")
]
Neutral = Mapping[str, tuple[Any, ...]]

_NOTHING: Final[tuple[Any, ...]] = (None, [], {})
_NO_CALLS: Final = (None, "none", "auto")

CHAT: Final[Neutral] = {
    **dict.fromkeys(("audio", "functions", "logit_bias", "metadata"), _NOTHING),
    **dict.fromkeys(("moderation", "prediction", "prompt_cache_options", "tools"), _NOTHING),
    **dict.fromkeys(("reasoning_effort", "verbosity", "web_search_options"), _NOTHING),
    **dict.fromkeys(("function_call", "tool_choice"), _NO_CALLS),
    "modalities": (None, [], ["text"]),
    "parallel_tool_calls": (None, True, False),
    "service_tier": (None, "auto", "default"),
    "store": (None, False),
}
CHAT_TURN: Final[Neutral] = dict.fromkeys(
    ("annotations", "audio", "function_call", "name", "refusal", "tool_calls"), _NOTHING
)
COMPLETION: Final[Neutral] = {
    "best_of": (None, 1),
    "echo": (None, False),
    "logit_bias": _NOTHING,
    "suffix": (None, ""),
}
EMBEDDING: Final[Neutral] = {"dimensions": (None,)}
IMAGE: Final[Neutral] = {
    "background": (None, "auto", "opaque"),
    "moderation": (None, "auto", "low"),
    "output_compression": (None, 100),
    "output_format": (None, "png"),
    "partial_images": (None, 0),
    "quality": (None, "auto", "standard"),
    "stream": (None, False),
    "style": (None,),
}


def unserved_errors(body: msgspec.Struct, neutral: Neutral, path: str = "") -> dict[str, str]:
    """Give what is asked for and can't be served: path → words."""
    return {
        path + name: "isn't served here; take it out"
        for name, values in neutral.items()
        if getattr(body, name) not in values
    }
