"""A real engine in a thread."""

from __future__ import annotations

from pathlib import Path

import pytest

from failsoft.gpu import text_worker
from failsoft.messages import GenerateText, TextReply

from .launched import Launcher
from .tiny_models import save_llama

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_thread")]

PROMPTS = ("a", "bad cab", "the quick brown fox", "deaf")


async def test_a_model_says_the_same_in_a_thread_as_in_a_process(
    launch: Launcher, tmp_path: Path
) -> None:
    """WK-13 Greedy, four at once; the code is the same, and so is the text."""
    save_llama(tmp_path)

    async def replies(spec_in: str) -> list[TextReply]:
        spec = text_worker(tmp_path, run_in=spec_in, device="cpu")  # type: ignore[arg-type]
        worker = await launch.ready(spec)
        asked = [GenerateText(prompt, max_tokens=16, temperature=0) for prompt in PROMPTS]
        ids = [worker.run(request, stream=False) for request in asked]
        said = [await worker.reply_of(id) for id in ids]
        await worker.process.stop()
        assert (await worker.ended()).was_asked
        return said

    in_thread = await replies("thread")
    assert len({reply.text for reply in in_thread}) == len(PROMPTS)
    assert in_thread == await replies("process")
