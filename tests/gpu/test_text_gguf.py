"""A language model from a GGUF file: one written here, tiny and of a real kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from failsoft.gpu.text.engine import TextEngine
from failsoft.messages import GenerateText

from .text_answers import answers, tiny_engine
from .tiny_models import save_llama_gguf

pytestmark = pytest.mark.usefixtures("one_thread")

ASKED = GenerateText("Hello", max_tokens=12, temperature=0)


@pytest.mark.parametrize("kind", ["F32", "Q8_0"])
def test_a_gguf_file_is_loaded_and_answers(tmp_path: Path, kind: str) -> None:
    """Quantised or not; unquantised, it says what the folder that it was made of says."""
    of_folder = tiny_engine(tmp_path / "folder")
    save_llama_gguf(tmp_path / "tiny.gguf", tmp_path / "folder", kind=kind)
    told: list[tuple[int, int]] = []
    engine = TextEngine(str(tmp_path / "tiny.gguf"), device="cpu")
    info = engine.load(lambda done, total: told.append((done, total)))
    assert (info["dtype"], info["context_length"]) == ("float32", 1024)
    assert told[-1] == ((tmp_path / "tiny.gguf").stat().st_size,) * 2
    ((_, reply),) = answers(engine, ASKED)
    assert reply.usage.completion_tokens == 12
    if kind == "F32":
        assert [reply] == [answer.reply for answer in answers(of_folder, ASKED)]
