"""Load a language model and its tokenizer, with errors that say what to do."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from failsoft.gpu.load_progress import watching_load
from failsoft.messages.errors import ModelLoadingFailed

DTYPES: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
_DEVICES = ("cpu", "cuda", "mps")
_WEIGHT_PATTERNS = ("*.safetensors", "*.bin")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TextModelSource:
    """Name a model and how to hold it. See ``TextEngine`` for the fields."""

    model: str
    gguf_file: str | None
    dtype: str
    device: str

    @property
    def name(self) -> str:
        """Give the model's name as errors may show it: a folder's or file's name, no path."""
        return Path(self.model).name if self.is_local else self.model

    @property
    def is_local(self) -> bool:
        path = Path(self.model).expanduser()
        return path.exists() or path.is_absolute() or self.model.startswith((".", "~"))

    def located(self) -> tuple[str, str | None]:
        """Give what ``from_pretrained`` takes: a folder or hub id, and the GGUF file's name.

        Raises ModelLoadingFailed where a local folder or file isn't there.
        """
        if not self.is_local:
            return self.model, self.gguf_file
        path = Path(self.model).expanduser()
        folder, gguf_file = path, self.gguf_file
        if path.suffix == ".gguf" and gguf_file is None:
            folder, gguf_file = path.parent, path.name
        if not folder.is_dir() or (gguf_file and not (folder / gguf_file).is_file()):
            missing = gguf_file if folder.is_dir() else "folder"
            raise self.failure(f"there is no such {missing}; check the model's path")
        if not gguf_file and not (folder / "config.json").is_file():
            raise self.failure("its folder has no config.json, so it holds no transformers model")
        return str(folder), gguf_file

    def failure(self, reason: str) -> ModelLoadingFailed:
        """Make the error, for one raised from its cause: the cause's words may hold paths."""
        return ModelLoadingFailed(
            f"The model '{self.name}' could not be loaded: {reason}.",
            details={"model": self.name},
        )

    def chosen_device(self) -> torch.device:
        """Give the device; ``auto`` is the first GPU, else the CPU. Raises ModelLoadingFailed."""
        if self.device == "auto":
            if torch.cuda.is_available():
                return torch.device("cuda", 0)
            return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
        try:
            device = torch.device(self.device)
        except RuntimeError as error:
            raise self._no_such_device() from error
        if device.type not in _DEVICES:
            raise self._no_such_device()
        if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
            raise self.failure(
                f"device '{self.device}' is not here ({torch.cuda.device_count()} CUDA devices "
                "are seen); use 'cpu', or install a driver and a CUDA build of torch"
            )
        if device.type == "mps" and not torch.backends.mps.is_available():
            raise self.failure("device 'mps' is not here; use 'cpu'")
        return device

    def chosen_dtype(self, device: torch.device) -> torch.dtype | str:
        """Give the dtype; ``auto`` is float32 on a CPU, else the one the weights are stored in."""
        if self.dtype == "auto":
            return torch.float32 if device.type == "cpu" else "auto"
        if self.dtype not in DTYPES:
            raise self.failure(f"dtype must be auto, {', '.join(DTYPES)}; it is '{self.dtype}'")
        return DTYPES[self.dtype]

    def _no_such_device(self) -> ModelLoadingFailed:
        return self.failure(f"device must be auto, cpu, cuda, cuda:N or mps; it is '{self.device}'")


def load_text_model(
    source: TextModelSource, progress: Callable[[int, int], None]
) -> tuple[Any, Any]:
    """Give the model, in eval mode on its device, and its tokenizer. Progress is in bytes.

    The share of the tensors loaded stands for the share of the bytes. A hub id's size isn't
    known before it is fetched: its total is 0 until the end.

    Raises ModelLoadingFailed.
    """
    device = source.chosen_device()
    dtype = source.chosen_dtype(device)
    folder, gguf_file = source.located()
    total = weight_bytes(Path(folder), gguf_file) if source.is_local else 0
    progress(0, total)
    options: dict[str, Any] = {"local_files_only": source.is_local}
    if gguf_file:
        options["gguf_file"] = gguf_file
    try:
        with watching_load(lambda done, tensors: progress(total * done // tensors, total)):
            tokenizer = AutoTokenizer.from_pretrained(folder, **options)
            # Typed as one model, but with output_loading_info it gives two things.
            from_pretrained: Any = AutoModelForCausalLM.from_pretrained
            model, info = from_pretrained(
                folder,
                dtype=dtype,
                output_loading_info=True,
                **({} if device.type == "cpu" else {"device_map": str(device)}),
                **options,
            )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        _log.warning("loading %s failed", source.model, exc_info=error)
        raise source.failure(reason_of(error)) from error
    except MemoryError as error:
        raise source.failure("there is not enough memory for it") from error
    _check_loaded(source, model, info)
    model.eval()
    loaded = total or model.get_memory_footprint()
    progress(loaded, loaded)
    return model, tokenizer


def _check_loaded(source: TextModelSource, model: Any, info: dict[str, Any]) -> None:
    """Refuse what transformers lets pass: weights made up at random, models without a KV cache."""
    missing = info.get("missing_keys")
    if missing:
        raise source.failure(
            f"its weights are not whole ({len(missing)} tensors are missing); fetch it again"
        )
    if "past_key_values" not in inspect.signature(model.forward).parameters:
        raise source.failure(
            f"models of type '{model.config.model_type}' keep no key-value cache, "
            "which this engine needs; use another model"
        )


def weight_bytes(folder: Path, gguf_file: str | None) -> int:
    if gguf_file:
        return (folder / gguf_file).stat().st_size
    for pattern in _WEIGHT_PATTERNS:
        if files := list(folder.glob(pattern)):
            return sum(file.stat().st_size for file in files)
    return 0


def reason_of(error: Exception) -> str:
    """Say what to do about ``error``, without its words: they may hold paths and addresses."""
    match error:
        case torch.OutOfMemoryError():
            return "the device has too little free memory for it; use a smaller model or dtype"
        case RuntimeError() if "memory" in str(error):
            return "there is not enough memory for it; use a smaller model or dtype"
        case SafetensorError():
            return "its weights file is damaged or cut off; fetch it again"
        case ImportError():
            return f"it needs the package '{error.name or 'named in the log'}'; install it"
        case OSError():
            return (
                "its files are not there, or are not a transformers model; check the folder "
                "or the hub id, and the network where it must be fetched"
            )
        case _:
            return f"its files are damaged or of an unknown kind ({type(error).__name__}, see log)"
