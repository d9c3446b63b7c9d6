"""Loads of diffusion pipelines that can't go well."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from failsoft.gpu.image.engine import ImageEngine
from failsoft.messages.errors import ModelLoadingFailed

from .tiny_models import save_pipeline


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline") / "whole"
    save_pipeline(folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """Give a copy to spoil."""
    return Path(shutil.copytree(whole, tmp_path / "tiny"))


def failure(model: Path | str, **options: Any) -> str:
    with pytest.raises(ModelLoadingFailed) as caught:
        ImageEngine(str(model), **{"device": "cpu", **options}).load(lambda done, total: None)
    return caught.value.message


def weights(folder: Path) -> Path:
    return folder / "unet" / "diffusion_pytorch_model.safetensors"


def test_progress_ends_with_all_bytes(folder: Path) -> None:
    """In bytes of the weights' files."""
    told: list[tuple[int, int]] = []
    info = ImageEngine(str(folder), device="cpu").load(
        lambda done, total: told.append((done, total))
    )
    total = sum(file.stat().st_size for file in folder.glob("*/*.safetensors"))
    assert told == [(0, total), (total, total)]
    assert (info["model"], info["pipeline"]) == ("tiny", "StableDiffusionPipeline")
    assert info["parameters"] > 90_000


def test_a_missing_folder_is_named_without_its_path(tmp_path: Path) -> None:
    """WK-07"""
    said = failure(tmp_path / "nothing")
    assert "'nothing'" in said
    assert "no such folder" in said
    assert str(tmp_path) not in said


def test_a_folder_without_a_pipeline_is_told_from_one(tmp_path: Path) -> None:
    """WK-07 A language model's folder, say."""
    (tmp_path / "config.json").write_text("{}")
    assert "model_index.json" in failure(tmp_path)


def test_damaged_weights_are_found(folder: Path) -> None:
    """WK-07 Cut off in the middle."""
    path = weights(folder)
    path.write_bytes(path.read_bytes()[:-1000])
    said = failure(folder)
    assert "damaged" in said or "not there" in said
    assert str(folder) not in said


def test_weights_that_lack_a_tensor_are_refused(folder: Path) -> None:
    """WK-07 They would be made up at random."""
    tensors = load_file(weights(folder))
    del tensors["conv_out.weight"]
    save_file(tensors, weights(folder))
    assert "1 tensors are missing" in failure(folder)


def test_a_pipeline_for_another_purpose_is_refused(folder: Path) -> None:
    """It wants an image to begin with."""
    index = folder / "model_index.json"
    content = json.loads(index.read_text())
    content["_class_name"] = "StableDiffusionImg2ImgPipeline"
    index.write_text(json.dumps(content))
    assert "use a text-to-image model" in failure(folder)


@pytest.mark.parametrize(("option", "value"), [("device", "toaster"), ("dtype", "float12")])
def test_options_out_of_range_are_named(folder: Path, option: str, value: str) -> None:
    """With what they may be."""
    said = failure(folder, **{option: value})
    assert value in said
    assert option in said
