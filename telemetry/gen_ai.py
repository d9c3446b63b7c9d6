"""What OpenTelemetry's conventions for generative AI call things."""

from __future__ import annotations

from typing import Final

PROVIDER: Final = "failsoft"
# What the convention has a name for; other requests keep their own.
OPERATIONS: Final = {"GenerateText": "text_completion", "Embed": "embeddings"}
