"""Images: the request for one, its progress and its reply."""

from __future__ import annotations

import math

import msgspec

from failsoft.messages.errors import InvalidInput
from failsoft.messages.request import Request, Streamed
from failsoft.messages.validation import MAX_TEXT_CHARACTERS, check_text, clean_text

MIN_SIDE = 64
MAX_PIXELS = 1024 * 1024
SIDE_MULTIPLE = 8
MAX_STEPS = 200
MAX_GUIDANCE_SCALE = 50.0


class ImageReply(msgspec.Struct, frozen=True, tag="image_reply"):
    """Answer a ``GenerateImage``.

    image_base64: a PNG file.
    width, height: in pixels, as made.
    seed: the one that was used: with it, the same request gives the same image again.
    steps: how many there were.
    The other fields are those of ``TextReply``.
    """

    image_base64: str
    width: int
    height: int
    seed: int
    steps: int
    model_used: str = ""
    was_fallback: bool = False
    attempts: int = 1
    degradation_level: str = "full"
    warning: str | None = None


class ImageProgress(msgspec.Struct, frozen=True, tag="image_progress"):
    """Tell that ``step`` of ``steps`` is done. The last one alone has the ``image``.

    Where the model had to begin anew with less, the steps are counted anew, too.
    The other fields are those of ``TextChunk``.
    """

    step: int
    steps: int
    image: ImageReply | None = None
    model_used: str = ""
    was_fallback: bool = False
    attempts: int = 1
    degradation_level: str = "full"
    warning: str | None = None

    @property
    def is_last(self) -> bool:
        """Tell whether it is the last one."""
        return self.image is not None

    def merge(self, later: ImageProgress) -> ImageProgress:
        """Give the later one: progress that nobody has read yet is out of date."""
        return later


class GenerateImage(
    Request[ImageReply], Streamed[ImageProgress], frozen=True, tag="generate_image"
):
    """Ask a diffusion model for one image. Fields are named as in diffusers.

    width, height: in pixels: multiples of 8, at least 64, and at most 1024x1024 in area.
    num_inference_steps: from 1 to 200.
    guidance_scale: how closely to keep to the prompt, from 0 to 50.
    seed: makes the image repeatable on the same model and device.
    priority: of those that wait for a model, the higher goes first.
    tenant: whom it is for; while several wait, each gets a fair share.
    """

    prompt: str
    negative_prompt: str = ""
    width: int = 512
    height: int = 512
    num_inference_steps: int = 50
    guidance_scale: float = 7.5
    seed: int | None = None
    priority: int = 0
    tenant: str = ""


def validate_image(
    request: GenerateImage, max_characters: int = MAX_TEXT_CHARACTERS
) -> GenerateImage:
    """Give the request with its texts cleaned. Raise InvalidInput with all its field errors."""
    prompt, negative = clean_text(request.prompt), clean_text(request.negative_prompt)
    errors: dict[str, str] = {}
    check_text(prompt, "prompt", max_characters, errors)
    if negative.strip():
        check_text(negative, "negative_prompt", max_characters, errors)
    _check_size(request, errors)
    _check_numbers(request, errors)
    if errors:
        raise InvalidInput.in_fields(errors)
    if (prompt, negative) == (request.prompt, request.negative_prompt):
        return request
    return msgspec.structs.replace(request, prompt=prompt, negative_prompt=negative)


def _check_size(request: GenerateImage, errors: dict[str, str]) -> None:
    for name, side in (("width", request.width), ("height", request.height)):
        if side < MIN_SIDE or side % SIDE_MULTIPLE:
            errors[name] = (
                f"must be a multiple of {SIDE_MULTIPLE}, at least {MIN_SIDE}; it is {side}"
            )
    if not errors.keys() & {"width", "height"} and request.width * request.height > MAX_PIXELS:
        errors["width"] = (
            f"times height must be at most {MAX_PIXELS} pixels (1024x1024); "
            f"it is {request.width}x{request.height}"
        )


def _check_numbers(request: GenerateImage, errors: dict[str, str]) -> None:
    if not 1 <= request.num_inference_steps <= MAX_STEPS:
        errors["num_inference_steps"] = (
            f"must be from 1 to {MAX_STEPS}; it is {request.num_inference_steps}"
        )
    scale = request.guidance_scale
    if not (math.isfinite(scale) and 0 <= scale <= MAX_GUIDANCE_SCALE):
        errors["guidance_scale"] = f"must be from 0 to {MAX_GUIDANCE_SCALE:g}; it is {scale}"
    if request.seed is not None and not -(2**63) <= request.seed < 2**63:
        errors["seed"] = "must fit in 64 bits"
