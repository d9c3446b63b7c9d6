"""Fit an image to the size that was asked for, where its model can make but one size.

Imports numpy and Pillow: only a worker process imports this module.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image


def own_side(pipeline: Any) -> int | None:
    """Give the side of the square images that the pipeline was made for; None: it doesn't say."""
    for name in ("unet", "transformer"):
        config = getattr(getattr(pipeline, name, None), "config", None)
        size = getattr(config, "sample_size", None)
        if isinstance(size, int):
            return size * int(getattr(pipeline, "vae_scale_factor", None) or 1)
    return None


def fitted(image: Image.Image, width: int, height: int) -> Image.Image:
    """Give the square ``image`` as large as fits in the middle, its border drawn out to the sides.

    Stretched, a circle would be none.
    """
    if image.size == (width, height):
        return image
    side = min(width, height)
    pixels = np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC))
    left, top = (width - side) // 2, (height - side) // 2
    around = ((top, height - side - top), (left, width - side - left), (0, 0))
    return Image.fromarray(np.pad(pixels, around, mode="edge"))
