"""The image engine: any text-to-image pipeline that diffusers can load.

Imports torch and diffusers: only a worker process imports this module.
"""

from __future__ import annotations

import base64
import functools
import inspect
import io
import secrets
import sys
from collections.abc import Callable, Generator
from typing import Any, ClassVar

import msgspec
import torch

from failsoft.gpu.image.fit import fitted, own_side
from failsoft.gpu.image.less import less_of, warning_of
from failsoft.gpu.image.loading import load_pipeline, parameters
from failsoft.gpu.image.steps import stepwise
from failsoft.gpu.loading.model_source import ModelSource
from failsoft.gpu.memory.device_memory import free_cache
from failsoft.gpu.memory.room import MAX_MEMORY_SHARE
from failsoft.gpu.serving.classify import classify
from failsoft.gpu.tiny import is_embedded
from failsoft.messages.errors import InvalidInput, OutOfMemory
from failsoft.messages.image import (
    MIN_SIDE,
    GenerateImage,
    ImageProgress,
    ImageReply,
    validate_image,
)

# Tokenizers that know no length say so with a huge one.
_NO_LENGTH_FROM = 1_000_000


class ImageEngine:
    """Make images with a diffusion pipeline, one diffusion step a step.

    model: a hub id or a folder. A folder is never looked up on the hub.
    dtype: ``float32``, ``bfloat16``, ``float16``, or ``auto``: float32 on a CPU, else bfloat16
        where the device has it.
    device: ``cpu``, ``cuda``, ``cuda:N``, ``mps``, or ``auto``: a GPU where there is one.
    variant: of the weights' files, such as ``fp16``.
    max_memory_share: of the memory of the device, or of the machine on a CPU, that may be in use,
        by whomever. A model that would take more isn't loaded, and above it no image is begun.
    own_size: make each image in the size that the model was trained for, and enlarge it to what
        is asked, with a warning: for a model that can't do another. None: so where ``model`` is
        one of the package's own.
    """

    requests: ClassVar[tuple[type, ...]] = (GenerateImage,)

    def __init__(
        self,
        model: str,
        *,
        dtype: str = "auto",
        device: str = "auto",
        variant: str | None = None,
        max_memory_share: float = MAX_MEMORY_SHARE,
        own_size: bool | None = None,
    ) -> None:
        self._source = ModelSource(model, None, dtype, device, max_memory_share)
        self.max_memory_share = max_memory_share
        self._variant = variant
        self._pipeline: Any = None
        self._takes: frozenset[str] = frozenset()
        self._multiple = 1
        self._has_own_size = is_embedded(model) if own_size is None else own_size
        self._own_side: int | None = None

    def __repr__(self) -> str:
        state = "loaded" if self._pipeline is not None else "not loaded"
        return f"<ImageEngine {self._source.name} {state}>"

    def load(self, progress: Callable[[int, int], None]) -> dict[str, Any]:
        """Load the pipeline; give what it is. Raises ModelLoadingFailed."""
        pipeline = load_pipeline(self._source, self._variant, progress)
        self._pipeline = pipeline
        self._takes = frozenset(inspect.signature(pipeline.__call__).parameters)
        self._multiple = _side_multiple(pipeline)
        self._own_side = self._found_own_side() if self._has_own_size else None
        return {
            "model": self._source.name,
            "pipeline": type(pipeline).__name__,
            "device": str(pipeline.device),
            "dtype": str(pipeline.dtype).removeprefix("torch."),
            "parameters": sum(parameter.numel() for parameter in parameters(pipeline)),
        }

    def warm_up(self) -> None:
        """Make one step of a small image for nobody: what a first pass costs once is paid then."""
        side = -(-MIN_SIDE // self._multiple) * self._multiple
        request = GenerateImage("Hello", width=side, height=side, num_inference_steps=1, seed=0)
        for _ in self._make(request, None):
            pass

    def generate(self, request: GenerateImage) -> Generator[ImageProgress, None, ImageReply]:
        """Answer ``request``: each diffusion step is a step, and the decoding is the last one.

        The last chunk has the image, which is the generator's return value, too. Closing it
        stops the work. Where memory runs out, the image is made anew, once, with less.

        Raises InvalidInput at the first step, before any work.
        """
        request = self._checked(request)
        made: ImageReply | None = None
        cut = _cut_warning(self._pipeline, request.prompt)
        try:
            made = yield from self._make(request, cut)
        except Exception as error:
            if not isinstance(classify(error)[0], OutOfMemory):
                raise
        # Out here, since the error holds on to what the failed try had allocated.
        if made is None:
            free_cache()
            less = less_of(request, self._multiple)
            made = yield from self._make(less, _joined(cut, warning_of(less)))
        return made

    def unload(self) -> None:
        """Let go of the pipeline and its memory."""
        self._pipeline = None
        free_cache()

    def _make(
        self, request: GenerateImage, warning: str | None
    ) -> Generator[ImageProgress, None, ImageReply]:
        """Make one image. The seed is drawn before, so that a second try gets the same one."""
        output = yield from stepwise(functools.partial(self._run, self._in_own_size(request)))
        if any(getattr(output, "nsfw_content_detected", None) or ()):
            warning = _joined(warning, "The model's own safety checker blackened the image.")
        image = fitted(output.images[0], request.width, request.height)
        if image is not output.images[0]:
            side = self._own_side
            warning = _joined(warning, f"The model makes {side}x{side} pixels, here scaled.")
        assert request.seed is not None
        reply = ImageReply(
            image_base64=_png(image),
            width=image.width,
            height=image.height,
            seed=request.seed,
            steps=request.num_inference_steps,
            warning=warning,
        )
        steps = request.num_inference_steps
        yield ImageProgress(steps, steps, image=reply, warning=warning)
        return reply

    def _run(self, request: GenerateImage, pause: Callable[[ImageProgress], None]) -> Any:
        """Call the pipeline; ``pause`` at each step. In the thread of ``stepwise``."""

        def at_step(pipeline: Any, step: int, _time: Any, kept: dict[str, Any]) -> dict[str, Any]:
            # Some schedulers make more steps than they are asked for.
            steps = max(getattr(pipeline, "num_timesteps", 0) or 0, request.num_inference_steps)
            pause(ImageProgress(step + 1, steps))
            return kept

        asked = {
            "negative_prompt": request.negative_prompt or None,
            "width": request.width,
            "height": request.height,
            "num_inference_steps": request.num_inference_steps,
            "guidance_scale": request.guidance_scale,
            # On the CPU, so that a seed means the same on every device.
            "generator": torch.Generator("cpu").manual_seed(request.seed or 0),
            "output_type": "pil",
        }
        taken = {name: value for name, value in asked.items() if name in self._takes}
        return self._pipeline(prompt=request.prompt, callback_on_step_end=at_step, **taken)

    def _in_own_size(self, request: GenerateImage) -> GenerateImage:
        """Give the request as it goes to the pipeline."""
        side = self._own_side
        if side is None:
            return request
        return msgspec.structs.replace(request, width=side, height=side)

    def _found_own_side(self) -> int:
        side = own_side(self._pipeline)
        if side is None:
            raise self._source.failure("it doesn't tell its own size; leave own_size out")
        return side

    def _checked(self, request: GenerateImage) -> GenerateImage:
        """Give the request cleaned and with a seed. Raises InvalidInput."""
        request = validate_image(request, max_characters=sys.maxsize)
        errors = {
            name: f"must be a multiple of {self._multiple} for this model; it is {side}"
            for name, side in (("width", request.width), ("height", request.height))
            if side % self._multiple
        }
        if request.negative_prompt.strip() and "negative_prompt" not in self._takes:
            errors["negative_prompt"] = "is not taken by this model; leave it out"
        if errors:
            raise InvalidInput.in_fields(errors)
        seed = secrets.randbits(32) if request.seed is None else request.seed
        return msgspec.structs.replace(request, seed=seed)


def _side_multiple(pipeline: Any) -> int:
    """Give what the pipeline wants width and height to be multiples of."""
    transformer = getattr(pipeline, "transformer", None)
    patch = getattr(getattr(transformer, "config", None), "patch_size", None)
    scale = getattr(pipeline, "vae_scale_factor", None) or 8
    return int(scale) * (patch if isinstance(patch, int) else 1)


def _cut_warning(pipeline: Any, prompt: str) -> str | None:
    """Warn of a prompt that none of the pipeline's text encoders reads to its end."""
    warning = None
    for name, tokenizer in pipeline.components.items():
        if "tokenizer" in name and tokenizer is not None:
            most, tokens = tokenizer.model_max_length, len(tokenizer(prompt)["input_ids"])
            if tokens <= most or most >= _NO_LENGTH_FROM:
                return None
            warning = f"The prompt has {tokens} tokens; the model reads the first {most}."
    return warning


def _joined(*warnings: str | None) -> str | None:
    return " ".join(warning for warning in warnings if warning) or None


def _png(image: Any) -> str:
    file = io.BytesIO()
    image.save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode()
