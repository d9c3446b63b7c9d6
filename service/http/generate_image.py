"""The service's own endpoint for images."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from failsoft.messages import GenerateImage, ImageProgress, ImageReply, validate_image
from failsoft.messages.image import MAX_GUIDANCE_SCALE, MAX_PIXELS, MAX_STEPS, MIN_SIDE
from failsoft.service.http.callers import Caller
from failsoft.service.http.endpoint import Endpoint
from failsoft.service.http.error_body import plain_body
from failsoft.service.http.event_stream import sending_events
from failsoft.service.http.exchange import Exchange
from failsoft.service.http.served_models import Served
from failsoft.service.http.text_bodies import Prompt, Seed, Timeout

Side = Annotated[int, Meta(ge=MIN_SIDE, le=MAX_PIXELS // MIN_SIDE)]
Steps = Annotated[int, Meta(ge=1, le=MAX_STEPS)]
GuidanceScale = Annotated[float, Meta(ge=0, le=MAX_GUIDANCE_SCALE)]

_WAY: Final = ("model_used", "was_fallback", "attempts", "degradation_level", "warning")


class ImageFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Be what requests for images have in common, here and in the OpenAI API."""

    prompt: Prompt
    negative_prompt: str = ""
    num_inference_steps: Steps = 50
    guidance_scale: GuidanceScale = 7.5
    seed: Seed | None = None
    model: str | None = None
    timeout: Timeout | None = None

    def asks_for(self, width: int, height: int, caller: Caller) -> GenerateImage:
        """Give what is asked of a model."""
        return GenerateImage(
            self.prompt,
            self.negative_prompt,
            width,
            height,
            self.num_inference_steps,
            self.guidance_scale,
            self.seed,
            priority=caller.priority,
            tenant=caller.tenant,
        )


class GenerateImageBody(ImageFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for an image. Fields are those of ``GenerateImage``, and three more.

    model: who is asked; without it the first that makes images. timeout: seconds for the answer.
    stream: whether its steps are told as server-sent events.
    """

    width: Side = 512
    height: Side = 512
    stream: bool = False


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


class StepEvent(msgspec.Struct, frozen=True):
    """Tell that so many steps are done; see ``ImageProgress``."""

    step: int
    steps: int


async def generate_image(exchange: Exchange) -> None:
    """Answer with an image, and where that is wanted with its steps as they are done."""
    body = await exchange.read(GenerateImageBody)
    exchange.allow(body.timeout)
    asked = body.asks_for(body.width, body.height, exchange.caller)
    request = exchange.check(validate_image, asked)
    served = exchange.gateway.find(GenerateImage, body.model)
    if body.stream:
        await _stream(exchange, served, request)
    else:
        await exchange.answer(GenerateImageAnswer.of(await exchange.ask(served.ref, request)))


async def _stream(exchange: Exchange, served: Served, request: GenerateImage) -> None:
    async with (
        sending_events(exchange, plain_body, "error"),
        exchange.stream(served.ref, request) as stream,
    ):
        async for told in stream:
            if told.image is None:
                await exchange.send_event(StepEvent(told.step, told.steps), "step")
            else:
                await exchange.send_event(_answer(told, told.image), "reply")


def _answer(last: ImageProgress, image: ImageReply) -> GenerateImageAnswer:
    """Make the answer of a stream's last message, which knows the way; the image does not."""
    way = {name: getattr(last, name) for name in _WAY}
    return msgspec.structs.replace(GenerateImageAnswer.of(image), **way)


GENERATE_IMAGE: Final = Endpoint(
    method="POST",
    path="/generate_image",
    summary="Make an image.",
    handler=generate_image,
    body=GenerateImageBody,
    reply=GenerateImageAnswer,
    events={"step": StepEvent, "reply": GenerateImageAnswer},
    is_work=True,
)
