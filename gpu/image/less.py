"""Ask for less of an image, after the device ran out of memory. Pure."""

from __future__ import annotations

import msgspec

from failsoft.messages.image import MIN_SIDE, GenerateImage

_MOST_SIDE = 512
_FEWEST_STEPS = 10


def less_of(request: GenerateImage, multiple: int) -> GenerateImage:
    """Give the request with at most 512x512 pixels and half its steps, at least 10 of them.

    The image keeps its shape, as far as sides that are multiples of ``multiple`` allow.
    """
    scale = min(1.0, _MOST_SIDE / max(request.width, request.height))
    steps = request.num_inference_steps
    return msgspec.structs.replace(
        request,
        width=_scaled(request.width, scale, multiple),
        height=_scaled(request.height, scale, multiple),
        num_inference_steps=min(steps, max(_FEWEST_STEPS, steps // 2)),
    )


def warning_of(less: GenerateImage) -> str:
    """Say what was made instead of what was asked for."""
    return (
        "The device ran out of memory; the image was made anew with less: "
        f"{less.width}x{less.height} pixels in {less.num_inference_steps} steps."
    )


def _scaled(side: int, scale: float, multiple: int) -> int:
    least = -(-MIN_SIDE // multiple) * multiple
    return max(least, int(side * scale) // multiple * multiple)
