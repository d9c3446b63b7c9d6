"""Train the image model from nothing: ``python -m training image``.

Seeds are fixed, and the same machine gives the same weights. Less than an hour on two cores.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import torch
from diffusers import StableDiffusionPipeline

from failsoft.gpu.tiny import EMBEDDED
from training.image import parts
from training.image.autoencoder import train_decoder
from training.image.denoiser import Latents, train_denoiser
from training.image.progress import Progress
from training.loss_chart import draw_losses

_SEED = 7
_THREADS = 2


def main() -> None:
    """Train all parts, and write them to the package's folder."""
    # With another number sums are rounded in another order, and the weights are others.
    torch.set_num_threads(_THREADS)
    progress = Progress()
    torch.manual_seed(_SEED)
    autoencoder = parts.autoencoder()
    train_decoder(autoencoder, Random(_SEED), progress)
    torch.manual_seed(_SEED)
    tokenizer = parts.tokenizer()
    text_encoder, denoiser = parts.text_encoder(tokenizer), parts.denoiser()
    scheduler = parts.scheduler()
    random = Random(_SEED)
    latents = Latents(autoencoder, random)
    train_denoiser(denoiser, text_encoder, tokenizer, scheduler, latents, random, progress)
    folder = EMBEDDED["failsoft:tiny-image"]
    save(folder, tokenizer, text_encoder, denoiser, autoencoder, scheduler)
    draw_losses(progress.curves, "tiny-image: mean losses of 100 steps", folder / "loss.svg")


def save(
    folder: Path, tokenizer: Any, text_encoder: Any, denoiser: Any, autoencoder: Any, scheduler: Any
) -> None:
    """Write the pipeline as diffusers does, in half precision."""
    kind: Any = StableDiffusionPipeline  # untyped
    pipeline = kind(
        tokenizer=tokenizer,
        text_encoder=text_encoder,
        unet=denoiser,
        vae=autoencoder,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.to(torch.float16).save_pretrained(folder)
    # Whoever names no dtype gets this one of transformers, and float32 of diffusers.
    config = folder / "text_encoder" / "config.json"
    told = json.loads(config.read_text())
    config.write_text(json.dumps({**told, "dtype": "float32"}, indent=2) + "\n")
