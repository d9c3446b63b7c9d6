"""The real model, as the real programs fetch and convert it."""

from __future__ import annotations

import json
from pathlib import Path


def test_the_real_model_is_whole_and_can_chat(smollm2: Path) -> None:
    """The converted folder has a chat template and both end tokens."""
    assert "<|im_start|>" in (smollm2 / "chat_template.jinja").read_text()
    generation = json.loads((smollm2 / "generation_config.json").read_text())
    assert generation["eos_token_id"] == [0, 2]
    assert "quantization_config" not in (smollm2 / "config.json").read_text()
