"""``/v1/images/generations``."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from failsoft.messages import GenerateImage, validate_image
from failsoft.service.http.endpoint import Endpoint
from failsoft.service.http.exchange import Exchange
from failsoft.service.http.generate_image import ImageFields
from failsoft.service.http.openai.choices import ask_all, check_choices, multiplied
from failsoft.service.http.openai.text_fields import Choices
from failsoft.service.http.openai.unserved import (
    LowModeration,
    NoCompression,
    NoFlag,
    NoneAlone,
    NoNumber,
    Opaque,
    PngAlone,
    UsualQuality,
    unserved_errors,
)
from failsoft.service.http.openai.usage import Made, created
from failsoft.service.http.refusals import InvalidBody

_SIZE: Final = re.compile(r"(\d{1,5})x(\d{1,5})")
_DEFAULT_SIZE: Final = "512x512"


class ImagesBody(ImageFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for images. seed, negative_prompt, num_inference_steps and guidance_scale are ours."""

    n: Choices | None = None
    size: Annotated[str, Meta(max_length=20)] | None = None
    response_format: Literal["b64_json"] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    background: Opaque = None
    complexity: NoneAlone = None
    frame_count: NoneAlone = None
    frame_duration_ms: NoneAlone = None
    moderation: LowModeration = None
    output_compression: NoCompression = None
    output_format: PngAlone = None
    partial_images: NoNumber = None
    quality: UsualQuality = None
    stream: NoFlag = None
    style: NoneAlone = None
    svg: NoneAlone = None

    def sides(self) -> tuple[int, int]:
        """Give width and height. Raise InvalidBody."""
        size = self.size if self.size not in (None, "auto") else _DEFAULT_SIZE
        assert size is not None
        found = _SIZE.fullmatch(size)
        if found is None:
            raise InvalidBody.in_fields({"size": "must be WIDTHxHEIGHT, such as 512x512, or auto"})
        return int(found[1]), int(found[2])


class B64Image(msgspec.Struct, frozen=True):
    b64_json: str


class Images(msgspec.Struct, frozen=True, kw_only=True):
    """Answer with images, each a PNG."""

    created: int
    data: tuple[B64Image, ...]
    output_format: Literal["png"] = "png"
    size: str
    failsoft: Made


async def images(exchange: Exchange) -> None:
    """Answer with images."""
    body = await exchange.read(ImagesBody)
    exchange.allow(body.timeout)
    if errors := unserved_errors(body):
        raise InvalidBody.in_fields(errors)
    n = body.n or 1
    check_choices(exchange, n)
    width, height = body.sides()
    asked = body.asks_for(width, height, exchange.caller)
    request = exchange.check(validate_image, asked, {"width": "size", "height": "size"})
    ref = exchange.gateway.find(GenerateImage, body.model).ref
    replies = await ask_all(exchange, ref, multiplied(request, n))
    first = replies[0]
    await exchange.answer(
        Images(
            created=created(),
            data=tuple(B64Image(reply.image_base64) for reply in replies),
            size=f"{first.width}x{first.height}",
            failsoft=Made.of(replies),
        )
    )


IMAGES: Final = Endpoint(
    method="POST",
    path="/v1/images/generations",
    summary="Make images.",
    handler=images,
    body=ImagesBody,
    reply=Images,
    is_work=True,
    is_openai=True,
)
