"""How much memory a model takes, told from its files."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from failsoft.gpu.memory.model_size import model_bytes

# Of each dtype: its bytes.
BYTES = {"F32": 4, "BF16": 2, "F16": 2, "I64": 8, "U8": 1}


def safetensors(path: Path, tensors: dict[str, tuple[str, list[int]]]) -> None:
    """Write the header of a file with such tensors; the numbers themselves are left out."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, (dtype, shape) in tensors.items():
        size = BYTES[dtype]
        for side in shape:
            size *= side
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    data = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(data)) + data)


def gguf(path: Path, shapes: dict[str, list[int]]) -> None:
    """Write a real file, with values of all kinds, and tensors of 4 bits a number."""
    from gguf import GGMLQuantizationType, GGUFWriter, quantize

    writer = GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_token_list(["a", "bc", "ü"])
    writer.add_token_scores([0.0, 1.0, 2.0])
    writer.add_add_bos_token(False)
    kind = GGMLQuantizationType.Q4_0
    for name, shape in shapes.items():
        numbers = quantize(np.zeros(shape, np.float32), kind)
        writer.add_tensor(name, numbers, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


WEIGHTS = {"a": ("BF16", [10, 10]), "b": ("F32", [5]), "ids": ("I64", [3])}


def test_the_size_is_that_of_the_tensors(tmp_path: Path) -> None:
    """WK-07 As they are stored, where no dtype is asked for."""
    safetensors(tmp_path / "model.safetensors", WEIGHTS)
    assert model_bytes(tmp_path) == 200 + 20 + 24


@pytest.mark.parametrize(("dtype", "size"), [("float32", 4), ("bfloat16", 2), ("float16", 2)])
def test_numbers_are_held_in_the_dtype_that_was_asked_for(
    tmp_path: Path, dtype: str, size: int
) -> None:
    """A bfloat16 file takes twice its size in float32; integers stay what they are."""
    safetensors(tmp_path / "model.safetensors", WEIGHTS)
    assert model_bytes(tmp_path, dtype=dtype) == 105 * size + 24


def test_quantised_weights_stay_as_they_are(tmp_path: Path) -> None:
    """No dtype makes them larger."""
    safetensors(tmp_path / "model.safetensors", {"a": ("U8", [10]), "scale": ("F16", [1])})
    (tmp_path / "config.json").write_text('{"quantization_config": {}}')
    assert model_bytes(tmp_path, dtype="float32") == 12


def test_all_shards_count_and_other_copies_do_not(tmp_path: Path) -> None:
    """What transformers wouldn't read isn't counted."""
    for shard in (1, 2):
        path = tmp_path / f"model-0000{shard}-of-00002.safetensors"
        safetensors(path, {"a": ("F32", [10])})
    safetensors(tmp_path / "consolidated.safetensors", {"a": ("F32", [20])})
    (tmp_path / "pytorch_model.bin").write_bytes(bytes(1000))
    assert model_bytes(tmp_path) == 80


def test_a_shard_that_is_missing_leaves_the_size_unknown(tmp_path: Path) -> None:
    """The load will say what is missing."""
    safetensors(tmp_path / "model-00001-of-00002.safetensors", {"a": ("F32", [10])})
    assert model_bytes(tmp_path) is None


def test_old_weights_count_as_their_files(tmp_path: Path) -> None:
    """They say nothing of what is in them."""
    (tmp_path / "pytorch_model.bin").write_bytes(bytes(1000))
    assert model_bytes(tmp_path, dtype="float32") == 1000


def pipeline(folder: Path) -> None:
    parts = {
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "safety_checker": [None, None],
    }
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "X", **parts}))
    for part in ("unet", "vae", "safety_checker"):
        safetensors(folder / part / "diffusion_pytorch_model.safetensors", {"a": ("F32", [10])})
    (folder / "scheduler").mkdir()
    safetensors(folder / "unet" / "diffusion_pytorch_model.fp16.safetensors", {"a": ("F16", [10])})


@pytest.mark.parametrize(("variant", "size"), [(None, 80), ("fp16", 60)])
def test_a_pipeline_is_the_sum_of_its_parts(tmp_path: Path, variant: str | None, size: int) -> None:
    """Of those that are loaded, in the variant; a part that has none counts as it is."""
    pipeline(tmp_path)
    assert model_bytes(tmp_path, variant=variant) == size


@pytest.mark.parametrize(("dtype", "size"), [("auto", 4), ("float32", 4), ("float16", 2)])
def test_a_gguf_file_counts_as_what_it_is_de_quantised_to(
    tmp_path: Path, dtype: str, size: int
) -> None:
    """WK-07 Four bits in the file are a whole number in memory."""
    gguf(tmp_path / "tiny.gguf", {"a": [10, 64], "b": [32]})
    assert (tmp_path / "tiny.gguf").stat().st_size < 2 * 672
    assert model_bytes(tmp_path / "tiny.gguf", dtype=dtype) == 672 * size
    assert model_bytes(tmp_path, gguf_file="tiny.gguf", dtype=dtype) == 672 * size


def no_gguf(path: Path) -> None:
    path.write_bytes(b"none")


def old_gguf(path: Path) -> None:
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 1, 0, 0))


def cut_gguf(path: Path) -> None:
    gguf(path, {"a": [32]})
    path.write_bytes(path.read_bytes()[:200])


def huge_gguf(path: Path) -> None:
    path.write_bytes(b"GGUF" + struct.pack("<IQQQ", 3, 1, 1, 1 << 63))


@pytest.mark.parametrize("write", [no_gguf, old_gguf, cut_gguf, huge_gguf])
def test_a_gguf_file_that_can_not_be_read_has_no_size(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    """The load will say what is wrong with it."""
    write(tmp_path / "bad.gguf")
    assert model_bytes(tmp_path / "bad.gguf") is None


@pytest.mark.parametrize(
    "content", [b"", b"short", struct.pack("<Q", 1 << 60), struct.pack("<Q", 2) + b"[]", b"{" * 99]
)
def test_a_damaged_file_has_no_size(tmp_path: Path, content: bytes) -> None:
    """The load will say what is wrong with it."""
    (tmp_path / "model.safetensors").write_bytes(content)
    assert model_bytes(tmp_path) is None


def test_what_is_not_there_has_no_size(tmp_path: Path) -> None:
    """A folder without weights, a missing one, and a hub id that wasn't fetched."""
    assert model_bytes(tmp_path) is None
    assert model_bytes(tmp_path / "gone") is None
    assert model_bytes(tmp_path / "gone.gguf") is None
    assert model_bytes("nobody/nothing-of-the-kind") is None
    assert model_bytes("not/an/id") is None


def test_a_hub_id_that_was_fetched_has_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked up in the hub's cache, and nothing is fetched."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--some--model"
    snapshot = repository / "snapshots" / "abc"
    safetensors(snapshot / "model.safetensors", {"a": ("F32", [10])})
    (snapshot / "config.json").write_text("{}")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    assert model_bytes("some/model") == 40


def test_a_real_model(smollm2: Path) -> None:
    """As many bytes as its parameters take."""
    assert model_bytes(smollm2) == 134_515_008 * 4
    assert model_bytes(smollm2, dtype="bfloat16") == 134_515_008 * 2
