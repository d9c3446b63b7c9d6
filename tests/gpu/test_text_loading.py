"""Loading a text model: progress, and errors that say what to do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from failsoft.gpu.text.engine import TextEngine
from failsoft.messages.errors import ModelLoadingFailed


def load(model: Path, **options: Any) -> list[tuple[int, int]]:
    """Give what the load reported as progress."""
    reported: list[tuple[int, int]] = []
    engine = TextEngine(str(model), **options)
    engine.load(lambda done, total: reported.append((done, total)))
    engine.unload()
    return reported


def copy_without_weights(smollm2: Path, folder: Path) -> Path:
    """Give a folder with all of the model but its weights."""
    shutil.copytree(smollm2, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    return folder


def test_progress_grows_from_nothing_to_the_bytes_of_the_weights(smollm2: Path) -> None:
    """Each tensor shows, and the last report is the whole."""
    reported = load(smollm2, device="cpu")
    size = (smollm2 / "model.safetensors").stat().st_size
    assert reported[0] == (0, size)
    assert reported[-1] == (size, size)
    assert len(reported) > 100
    assert reported == sorted(reported)


def test_load_tells_what_the_model_is(smollm2: Path) -> None:
    """The info has device, dtype, context length and size."""
    info = TextEngine(str(smollm2), device="cpu", context_length=99).load(lambda *_: None)
    assert info["device"] == "cpu"
    assert info["dtype"] == "float32"
    assert info["context_length"] == 99
    assert info["parameters"] == 134_515_008


def test_no_such_folder(tmp_path: Path) -> None:
    """WK-07 The error names the model and shows no path."""
    with pytest.raises(ModelLoadingFailed, match=r"'gone'.*no such folder") as caught:
        load(tmp_path / "gone")
    assert str(tmp_path) not in str(caught.value)


def test_no_such_gguf_file(tmp_path: Path) -> None:
    """WK-07 A path that ends in .gguf is a file in a folder."""
    with pytest.raises(ModelLoadingFailed, match=r"no such model\.gguf"):
        load(tmp_path / "model.gguf")


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    """WK-07 An empty folder is told apart from a missing one."""
    with pytest.raises(ModelLoadingFailed, match=r"no config\.json"):
        load(tmp_path)


def test_weights_cut_off(smollm2: Path, tmp_path: Path) -> None:
    """WK-07 A cut-off weights file is called damaged."""
    folder = copy_without_weights(smollm2, tmp_path / "model")
    with (smollm2 / "model.safetensors").open("rb") as whole:
        (folder / "model.safetensors").write_bytes(whole.read(1_000_000))
    with pytest.raises(ModelLoadingFailed, match="damaged or cut off") as caught:
        load(folder, device="cpu")
    assert str(tmp_path) not in str(caught.value)


def test_weights_that_lack_tensors(smollm2: Path, tmp_path: Path) -> None:
    """WK-07 Missing tensors are an error: made up at random, they would give nonsense."""
    folder = copy_without_weights(smollm2, tmp_path / "model")
    save_file(
        {"model.norm.weight": torch.ones(576)},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(ModelLoadingFailed, match="tensors are missing"):
        load(folder, device="cpu")


@pytest.mark.parametrize(
    "options", [{"device": "toaster"}, {"device": "cuda:99"}, {"dtype": "int3"}]
)
def test_a_wrong_choice_of_device_or_dtype(smollm2: Path, options: dict[str, str]) -> None:
    """WK-07 The error quotes the choice."""
    (choice,) = options.values()
    with pytest.raises(ModelLoadingFailed, match=choice):
        load(smollm2, **options)
