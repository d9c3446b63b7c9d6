"""Errors of engines become errors of ours."""

from __future__ import annotations

import subprocess
import sys

import pytest

from failsoft.gpu.serving.classify import classify, classify_load
from failsoft.messages import InferenceError, InvalidInput, ModelLoadingFailed, OutOfMemory


class CodedError(RuntimeError):
    """Stand in for torch.AcceleratorError, which has the CUDA code."""

    def __init__(self, code: int, text: str = "CUDA error") -> None:
        super().__init__(text)
        self.error_code = code


def like_torchs(name: str, module: str) -> RuntimeError:
    kind: type[RuntimeError] = type(name, (RuntimeError,), {"__module__": module})
    return kind("whatever it says")


@pytest.mark.parametrize(
    ("error", "kind", "sticky"),
    [
        (MemoryError(), "out_of_memory", False),
        (like_torchs("OutOfMemoryError", "torch"), "out_of_memory", False),
        (like_torchs("OutOfMemoryError", "torch.cuda"), "out_of_memory", False),
        (like_torchs("OutOfMemoryError", "somebody"), "generation_failed", False),
        (CodedError(2), "out_of_memory", False),
        (RuntimeError("CUDA out of memory. Tried"), "out_of_memory", False),
        (RuntimeError("MPS backend out of memory"), "out_of_memory", False),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
            "out_of_memory",
            False,
        ),
        (RuntimeError("DefaultCPUAllocator: not enough memory"), "out_of_memory", False),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling"), "out_of_memory", False),
        (ValueError("out of memory of what was said"), "generation_failed", False),
        (CodedError(710), "generation_failed", True),
        (CodedError(700), "generation_failed", True),
        (CodedError(719), "generation_failed", True),
        (CodedError(214), "generation_failed", True),
        (CodedError(1, "invalid argument"), "generation_failed", False),
        (RuntimeError("CUDA error: device-side assert triggered"), "generation_failed", True),
        (
            RuntimeError("CUDA error: an illegal memory access was encountered"),
            "generation_failed",
            True,
        ),
        (RuntimeError("CUDA error: unspecified launch failure"), "generation_failed", True),
        (RuntimeError("uncorrectable ECC error encountered"), "generation_failed", True),
        (RuntimeError("uncorrectable NVLink error detected"), "generation_failed", True),
        (ValueError("device-side assert"), "generation_failed", False),
        (KeyError("x"), "generation_failed", False),
        (SystemExit(3), "generation_failed", False),
    ],
)
def test_an_error_is_known_by_type_code_and_text(
    error: BaseException, kind: str, sticky: bool
) -> None:
    """WK-08 WK-09 Type and code come before the text; nothing of the text is shown."""
    known, is_sticky = classify(error)
    assert (known.kind, is_sticky) == (kind, sticky)
    assert not str(error) or str(error) not in known.message


def test_our_own_errors_stay_as_they_are() -> None:
    """They are meant for the caller."""
    error = InvalidInput.in_fields({"prompt": "too loud"})
    assert classify(error) == (error, False)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModelLoadingFailed("no such folder"), "no such folder"),
        (OutOfMemory.on_device(1, 2), "ran out of memory"),
        (MemoryError(), "not enough memory"),
        (ValueError("/secret/path"), "it raised ValueError"),
    ],
)
def test_a_failed_load_is_one_kind_of_error(error: Exception, words: str) -> None:
    """WK-07 Whatever the cause, it is model_loading_failed."""
    known = classify_load(error, "some:Engine")
    assert isinstance(known, ModelLoadingFailed)
    assert words in known.message
    assert "secret" not in known.message


def test_torchs_own_errors_are_known() -> None:
    """The types and codes are those of the torch that is installed; in a process of its own."""
    program = """if True:
        import torch
        from failsoft.gpu.serving.classify import classify
        print(classify(torch.OutOfMemoryError("x"))[0].kind)
        try:
            torch.empty(1 << 45)
        except RuntimeError as error:
            print(classify(error)[0].kind)
        print(issubclass(torch.AcceleratorError, RuntimeError))
    """
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, check=True, text=True
    )
    assert done.stdout.split() == ["out_of_memory", "out_of_memory", "True"]


def test_an_inference_error_is_what_comes_out() -> None:
    """Always one of ours, with its details."""
    known, _ = classify(MemoryError())
    assert isinstance(known, InferenceError)
    assert set(known.details) == {"memory_used_mb", "memory_available_mb"}
