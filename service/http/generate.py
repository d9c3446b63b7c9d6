"""The service's own endpoints for texts and images."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from failsoft.messages import GenerateImage, GenerateText, ImageReply, validate_image
from failsoft.messages.image import MAX_GUIDANCE_SCALE, MAX_PIXELS, MAX_STEPS, MIN_SIDE
from failsoft.messages.validation import validate_text
from failsoft.service.http.endpoint import Endpoint
from failsoft.service.http.exchange import Exchange
from failsoft.service.http.text_bodies import GenerateAnswer, GenerateBody, Seed, Timeout

Side = Annotated[int, Meta(ge=MIN_SIDE, le=MAX_PIXELS // MIN_SIDE)]
Steps = Annotated[int, Meta(ge=1, le=MAX_STEPS)]
GuidanceScale = Annotated[float, Meta(ge=0, le=MAX_GUIDANCE_SCALE)]


class GenerateImageBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for an image. Fields are those of ``GenerateImage``, with a model and a timeout."""

    prompt: str
    negative_prompt: str = ""
    width: Side = 512
    height: Side = 512
    num_inference_steps: Steps = 50
    guidance_scale: GuidanceScale = 7.5
    seed: Seed | None = None
    model: str | None = None
    timeout: Timeout | None = None


class GenerateImageAnswer(msgspec.Struct, frozen=True):
    """Answer with an image; see ``ImageReply``."""

    image_base64: str
    width: int
    height: int
    seed: int
    steps: int
    model_used: str
    was_fallback: bool
    attempts: int
    degradation_level: str
    warning: str | None

    @classmethod
    def of(cls, reply: ImageReply) -> GenerateImageAnswer:
        return cls(**{name: getattr(reply, name) for name in cls.__struct_fields__})


async def generate(exchange: Exchange) -> None:
    """Answer with a text, and with how it came about."""
    body = await exchange.read(GenerateBody)
    exchange.allow(body.timeout)
    request = exchange.check(validate_text, body.request(exchange.caller))
    served = exchange.gateway.find(GenerateText, body.model)
    await exchange.answer(GenerateAnswer.of(await exchange.ask(served.ref, request)))


async def generate_image(exchange: Exchange) -> None:
    """Answer with an image."""
    body = await exchange.read(GenerateImageBody)
    exchange.allow(body.timeout)
    request = exchange.check(
        validate_image,
        GenerateImage(
            body.prompt,
            body.negative_prompt,
            body.width,
            body.height,
            body.num_inference_steps,
            body.guidance_scale,
            body.seed,
            priority=exchange.caller.priority,
            tenant=exchange.caller.tenant,
        ),
    )
    served = exchange.gateway.find(GenerateImage, body.model)
    await exchange.answer(GenerateImageAnswer.of(await exchange.ask(served.ref, request)))


def _text(path: str, summary: str) -> Endpoint:
    return Endpoint(
        method="POST",
        path=path,
        summary=summary,
        handler=generate,
        body=GenerateBody,
        reply=GenerateAnswer,
        is_work=True,
    )


# One for all three: every answer tells which model gave it, after how many attempts, and at which
# level of degradation.
GENERATE: Final = (
    _text("/generate", "Make a text."),
    _text("/generate_resilient", "Make a text; the same as /generate."),
    _text("/adaptive_generate", "Make a text; the same as /generate."),
    Endpoint(
        method="POST",
        path="/generate_image",
        summary="Make an image.",
        handler=generate_image,
        body=GenerateImageBody,
        reply=GenerateImageAnswer,
        is_work=True,
    ),
)
