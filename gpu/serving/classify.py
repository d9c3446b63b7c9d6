"""Turn what an engine raises into an error of ours: by type and code first, then by text.

torch isn't imported here: its types are known by name, and its numbers are read where it is
loaded already.
"""

from __future__ import annotations

from failsoft.gpu.memory.device_memory import DeviceMemory, memory_at_work, memory_of_machine
from failsoft.messages.errors import (
    GenerationFailed,
    InferenceError,
    ModelLoadingFailed,
    OutOfMemory,
)

_MIB = 1024 * 1024

# cudaError_t: 2 is out of memory. After the others the context is of no more use.
_CUDA_OUT_OF_MEMORY = 2
_CUDA_STICKY = frozenset({214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721})

_OUT_OF_MEMORY_TYPES = frozenset({"torch.OutOfMemoryError", "torch.cuda.OutOfMemoryError"})
_OUT_OF_MEMORY_TEXTS = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
)
_STICKY_TEXTS = (
    "device-side assert",
    "illegal memory access",
    "illegal address",
    "illegal instruction",
    "misaligned address",
    "unspecified launch failure",
    "launch timed out",
    "hardware stack error",
    "uncorrectable ecc error",
    "uncorrectable nvlink error",
    "cublas_status_execution_failed",
    "cudnn_status_execution_failed",
)


def classify(error: BaseException) -> tuple[InferenceError, bool]:
    """Give the error to answer with, and whether the device is unusable from now on."""
    if isinstance(error, InferenceError):
        return error, False
    if _is_out_of_memory(error):
        memory = _memory()
        return OutOfMemory.on_device(memory.in_use / _MIB, memory.available / _MIB), False
    return GenerationFailed("The model failed while it worked on the request."), is_sticky(error)


def classify_load(error: BaseException, engine: str) -> ModelLoadingFailed:
    """Give the error that tells why ``engine`` could not be loaded."""
    if isinstance(error, ModelLoadingFailed):
        return error
    if isinstance(error, InferenceError):
        return ModelLoadingFailed(error.message, details=error.details)
    if _is_out_of_memory(error):
        available = _memory().available / _MIB
        return ModelLoadingFailed(
            f"The engine '{engine}' could not be loaded: there is not enough memory for it "
            f"({available:.0f} MiB are left). Take a smaller model or data type.",
        )
    return ModelLoadingFailed(
        f"The engine '{engine}' could not be loaded: it raised {type(error).__name__}; "
        "see the worker's log.",
    )


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if any(f"{t.__module__}.{t.__qualname__}" in _OUT_OF_MEMORY_TYPES for t in type(error).mro()):
        return True
    code = getattr(error, "error_code", None)
    if isinstance(code, int):
        return code == _CUDA_OUT_OF_MEMORY
    return isinstance(error, RuntimeError) and _says(error, _OUT_OF_MEMORY_TEXTS)


def is_sticky(error: BaseException) -> bool:
    """Tell whether the device is unusable after ``error``, until this process ends."""
    code = getattr(error, "error_code", None)
    if isinstance(code, int) and code in _CUDA_STICKY:
        return True
    return isinstance(error, RuntimeError) and _says(error, _STICKY_TEXTS)


def _says(error: BaseException, texts: tuple[str, ...]) -> bool:
    said = str(error).lower()
    return any(text in said for text in texts)


def _memory() -> DeviceMemory:
    # A device in trouble may raise anything; then the machine's own numbers must do.
    try:
        return memory_at_work()
    except Exception:
        return memory_of_machine()
