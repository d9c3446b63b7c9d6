"""What is asked of a diffusion model after it ran out of memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from failsoft.gpu.image.less import less_of
from failsoft.messages.image import MAX_PIXELS, GenerateImage, validate_image

sides = st.integers(8, 256).map(lambda eighths: eighths * 8)


@given(sides, sides, st.integers(1, 200), st.sampled_from([8, 16]))
def test_less_is_never_more_and_always_valid(
    width: int, height: int, steps: int, multiple: int
) -> None:
    """WK-08 At most 512x512 and half the steps, at least 10 where so many were asked for."""
    width -= width % multiple
    height -= height % multiple
    if width * height > MAX_PIXELS:
        height = max(64, MAX_PIXELS // width // multiple * multiple)
    asked = GenerateImage("cat", width=width, height=height, num_inference_steps=steps)
    less = validate_image(less_of(asked, multiple))
    assert max(less.width, less.height) <= 512
    assert less.width <= asked.width
    assert less.height <= asked.height
    assert less.width % multiple == less.height % multiple == 0
    assert less.num_inference_steps == (steps if steps <= 10 else max(10, steps // 2))


def test_the_shape_is_kept() -> None:
    """A wide image stays wide."""
    less = less_of(GenerateImage("cat", width=1024, height=768, num_inference_steps=50), 8)
    assert (less.width, less.height, less.num_inference_steps) == (512, 384, 25)


def test_what_is_small_already_is_left_as_it_is() -> None:
    """It may fit the second time, once the cache is freed."""
    asked = GenerateImage("cat", width=256, height=512, num_inference_steps=8)
    assert less_of(asked, 8) == asked
