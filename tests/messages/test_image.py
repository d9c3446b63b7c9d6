"""Requests for images: cleaned, bounded, and each mistake named by its field."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.messages.errors import InvalidInput
from failsoft.messages.image import GenerateImage, ImageProgress, ImageReply, validate_image


def errors_of(**fields: Any) -> set[str]:
    with pytest.raises(InvalidInput) as caught:
        validate_image(GenerateImage(**{"prompt": "a cat", **fields}))
    return set(caught.value.details["field_errors"])


def test_a_good_request_comes_back_as_it_is() -> None:
    """The largest ones, too, of any shape."""
    for width, height in ((512, 512), (1024, 1024), (2048, 512), (64, 64)):
        request = GenerateImage("a cat", negative_prompt="dog", width=width, height=height)
        assert validate_image(request) is request


def test_both_prompts_are_cleaned() -> None:
    """Of control characters."""
    request = validate_image(GenerateImage("a\0 cat", negative_prompt="\x1bdog\n"))
    assert (request.prompt, request.negative_prompt) == ("a cat", "dog\n")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", " \0 "),
        ("prompt", "x" * 10_001),
        ("prompt", "\ud800"),
        ("negative_prompt", "x" * 10_001),
        ("width", 0),
        ("width", 60),
        ("height", 100),
        ("height", -64),
        ("width", 2056),
        ("num_inference_steps", 0),
        ("num_inference_steps", 201),
        ("guidance_scale", -0.1),
        ("guidance_scale", 50.1),
        ("guidance_scale", math.nan),
        ("guidance_scale", math.inf),
        ("seed", 2**63),
        ("seed", -(2**63) - 1),
    ],
)
def test_each_mistake_is_named_by_its_field(field: str, value: Any) -> None:
    """Alone, for the others are fine."""
    assert errors_of(**{field: value}) == {field}


def test_all_mistakes_are_told_at_once() -> None:
    """Not one after the other."""
    wrong = {"prompt": "", "width": 1, "height": 1, "num_inference_steps": 0, "seed": 2**70}
    assert errors_of(**wrong) == set(wrong)


@given(st.integers(1, 300), st.integers(1, 300))
def test_an_area_is_bounded_whatever_its_shape(wide: int, high: int) -> None:
    """At most 1024x1024 pixels."""
    width, height = wide * 8, high * 8
    is_fine = min(width, height) >= 64 and width * height <= 1024 * 1024
    request = GenerateImage("a cat", width=width, height=height)
    if is_fine:
        assert validate_image(request) is request
    else:
        with pytest.raises(InvalidInput):
            validate_image(request)


def test_late_progress_takes_the_place_of_what_was_not_read() -> None:
    """The image is never lost by it."""
    image = ImageReply("AAAA", 64, 64, seed=1, steps=2)
    last = ImageProgress(1, 2).merge(ImageProgress(2, 2)).merge(ImageProgress(2, 2, image=image))
    assert last == ImageProgress(2, 2, image=image)


def test_it_is_typed_by_its_reply_and_its_chunks() -> None:
    """And comes through the wire as it was."""
    assert (GenerateImage.reply_type, GenerateImage.chunk_type) == (ImageReply, ImageProgress)
    request = GenerateImage("a cat", seed=7, tenant="x")
    body = msgspec.msgpack.encode(request)
    assert msgspec.msgpack.decode(body, type=GenerateImage) == request
