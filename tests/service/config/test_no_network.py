"""The default tree where nothing can be fetched: it needs nothing but the package."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from openai import OpenAI

from failsoft.gpu.tiny import EMBEDDED

from .serving_tree import PATIENCE, ServedTree

# Nobody listens there.
CLOSED = "http://127.0.0.1:9"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.skipif("failsoft:tiny-image" not in EMBEDDED, reason="it has yet to be trained")
def test_openai_client_is_answered_without_a_network(tmp_path: Path) -> None:
    """A chat, a completion, an embedding and an image, with a closed proxy and an empty cache."""
    cut_off = {
        **{f"{scheme}_PROXY": CLOSED for scheme in ("HTTP", "HTTPS", "ALL")},
        "HF_HOME": str(tmp_path / "empty"),
        # Whatever wants to look something up on the hub may try, and fails.
        "HF_HUB_OFFLINE": "0",
    }
    with (
        ServedTree(tmp_path, environ=cut_off) as served,
        OpenAI(base_url=f"{served.url}/v1", api_key="none", timeout=PATIENCE) as client,
    ):
        chat = client.chat.completions.create(
            model="chat", messages=[{"role": "user", "content": "What do cats eat?"}], temperature=0
        )
        completion = client.completions.create(
            model="chat", prompt="Once upon a time,", max_tokens=8
        )
        embedding = client.embeddings.create(model="embeddings", input="What do cats eat?")
        image = client.images.generate(model="images", prompt="a red circle", size="256x256")
    assert "cats" in (chat.choices[0].message.content or "").lower()
    assert completion.choices[0].text
    assert len(embedding.data[0].embedding) == 128
    assert image.data is not None
    assert base64.b64decode(image.data[0].b64_json or "").startswith(PNG)
    assert not (tmp_path / "empty" / "hub").exists()
