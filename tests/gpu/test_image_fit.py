"""A model that can make but one size answers in the size that was asked for."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from failsoft.gpu.image.fit import fitted, own_side


def disc(side: int) -> Image.Image:
    """Give a red disc on blue, of half the side's radius."""
    rows, columns = np.mgrid[0:side, 0:side] - (side - 1) / 2
    pixels = np.full((side, side, 3), (0, 0, 255), np.uint8)
    pixels[np.hypot(rows, columns) < side / 4] = (255, 0, 0)
    return Image.fromarray(pixels)


def test_an_image_of_that_size_is_left_alone() -> None:
    """Not a pixel is computed anew."""
    image = disc(64)
    assert fitted(image, 64, 64) is image


@pytest.mark.parametrize(("width", "height"), [(256, 256), (256, 128), (128, 320), (64, 72)])
def test_what_is_round_stays_round(width: int, height: int) -> None:
    """It is enlarged alike both ways, stands in the middle, and the background goes on."""
    pixels = np.asarray(fitted(disc(64), width, height)).astype(int)
    assert pixels.shape == (height, width, 3)
    rows, columns = np.nonzero(pixels[:, :, 0] > 128)
    assert np.ptp(rows) == np.ptp(columns) == pytest.approx(min(width, height) / 2, abs=2)
    assert rows.mean() == pytest.approx(height / 2, abs=1)
    assert columns.mean() == pytest.approx(width / 2, abs=1)
    for corner in pixels[[0, 0, -1, -1], [0, -1, 0, -1]]:
        assert tuple(corner) == (0, 0, 255)


def part(sample_size: object) -> SimpleNamespace:
    return SimpleNamespace(config=SimpleNamespace(sample_size=sample_size))


@pytest.mark.parametrize(
    ("pipeline", "side"),
    [
        (SimpleNamespace(unet=part(16), vae_scale_factor=4), 64),
        (SimpleNamespace(unet=None, transformer=part(128), vae_scale_factor=8), 1024),
        (SimpleNamespace(unet=part(64)), 64),
        (SimpleNamespace(unet=part([8, 16]), vae_scale_factor=8), None),
        (SimpleNamespace(), None),
    ],
)
def test_a_pipeline_tells_the_side_it_was_made_for(
    pipeline: SimpleNamespace, side: int | None
) -> None:
    """In pixels; of its latent pictures' side, and of either kind of denoiser."""
    assert own_side(pipeline) == side
