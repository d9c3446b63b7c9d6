"""Where a model is, on which device and in which precision it is held, and why it can't be loaded.

Imports torch: only a worker process imports this module.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from failsoft.gpu.memory.device_choice import choose_device
from failsoft.gpu.memory.model_files import find_model, is_local, weight_files
from failsoft.gpu.memory.room import MAX_MEMORY_SHARE
from failsoft.gpu.tiny import EMBEDDED
from failsoft.messages.errors import ModelLoadingFailed

DTYPES: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
_DEVICES = ("cpu", "cuda", "mps")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelSource:
    """Name a model and how to hold it. See ``TextEngine`` for the fields."""

    model: str
    gguf_file: str | None
    dtype: str
    device: str
    max_memory_share: float = MAX_MEMORY_SHARE

    @property
    def name(self) -> str:
        """Give the model's name as errors may show it: a folder's or file's name, no path."""
        return Path(self.model).name if self.is_local else self.model

    @property
    def is_local(self) -> bool:
        return is_local(self.model)

    def folder(self) -> Path:
        """Give the folder of a local model. Raises ModelLoadingFailed for a name nobody has."""
        return self._found()[0]

    def located(self) -> tuple[str, str | None]:
        """Give what ``from_pretrained`` takes: a folder or hub id, and the GGUF file's name.

        Raises ModelLoadingFailed where a local folder or file isn't there.
        """
        if not self.is_local:
            return self.model, self.gguf_file
        folder, gguf_file = self._found()
        if not folder.is_dir() or (gguf_file and not (folder / gguf_file).is_file()):
            missing = gguf_file if folder.is_dir() else "folder"
            raise self.failure(f"there is no such {missing}; check the model's path")
        if not gguf_file and not (folder / "config.json").is_file():
            raise self.failure("its folder has no config.json, so it holds no transformers model")
        return str(folder), gguf_file

    def weight_bytes(self, variant: str | None = None) -> int:
        """Give the size of the weights' files; 0 for a hub id that isn't fetched yet."""
        folder, gguf_file = find_model(self.model, self.gguf_file)
        if folder is None:
            return 0
        files = weight_files(folder, gguf_file=gguf_file, variant=variant)
        return sum(file.stat().st_size for file in files)

    def _found(self) -> tuple[Path, str | None]:
        folder, gguf_file = find_model(self.model, self.gguf_file)
        if folder is None:
            raise self.failure(f"the package has none of that name, only {', '.join(EMBEDDED)}")
        return folder, gguf_file

    @contextlib.contextmanager
    def loading(self, kind: str) -> Iterator[None]:
        """Have what goes wrong in the block be ModelLoadingFailed, with what to do about it.

        kind: what its files are to be, such as ``transformers model``. The cause goes to the log.
        """
        try:
            yield
        except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
            _log.warning("loading %s failed", self.model, exc_info=error)
            raise self.failure(_reason(error, kind)) from error
        except MemoryError as error:
            raise self.failure("there is not enough memory for it") from error

    def check_whole(self, missing: int) -> None:
        """Raise ModelLoadingFailed where so many tensors are ``missing``, unless it is none."""
        if missing:
            raise self.failure(
                f"its weights are not whole ({missing} tensors are missing); fetch it again"
            )

    def failure(self, reason: str, **details: Any) -> ModelLoadingFailed:
        """Make the error, for one raised from its cause: the cause's words may hold paths."""
        return ModelLoadingFailed(
            f"The model '{self.name}' could not be loaded: {reason}.",
            details={"model": self.name, **details},
        )

    def chosen_device(self) -> torch.device:
        """Give the device; ``auto`` is the GPU with most free memory, where there is one.

        Raises ModelLoadingFailed.
        """
        if self.device == "auto":
            if torch.cuda.is_available():
                return torch.device("cuda", choose_device(_free_by_device()))
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


def _free_by_device() -> list[tuple[int, int]]:
    """Give the free bytes of each CUDA device, with its index. One alone isn't looked at."""
    count = torch.cuda.device_count()
    if count == 1:
        return [(0, 0)]
    return [(index, _free_on(index)) for index in range(count)]


def _free_on(index: int) -> int:
    total: int = torch.cuda.get_device_properties(index).total_memory
    try:
        return total - torch.cuda.device_memory_used(index)
    # Without nvidia-ml-py, or where the driver tells nothing. This way takes some memory of each
    # device that is looked at.
    except Exception:
        return torch.cuda.mem_get_info(index)[0]


def _reason(error: Exception, kind: str) -> str:
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
                f"its files are not there, or are not a {kind}; check the folder "
                "or the hub id, and the network where it must be fetched"
            )
        case _:
            return f"its files are damaged or of an unknown kind ({type(error).__name__}, see log)"
