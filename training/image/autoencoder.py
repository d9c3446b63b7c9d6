"""Train what turns a picture into a latent one of 16x16 places, and back."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from training.image.drawing import Pixels, draw
from training.image.progress import Progress
from training.image.scenes import Scene, training_scene

_STEPS = 5000
_BATCH = 8
_RATE = 3e-3
_WARM_UP = 30
# At most so much is added to what is decoded: the denoiser is never quite right either.
_NOISE = 0.08
_EDGES = 5.0


def drawn(count: int, random: Random) -> tuple[list[Scene], torch.Tensor]:
    """Give scenes that may be trained on, and their pictures, from -1 to 1."""
    scenes = [training_scene(random) for _ in range(count)]
    return scenes, as_tensor([draw(scene, random) for scene in scenes])


def as_tensor(pictures: list[Pixels]) -> torch.Tensor:
    stacked = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    return stacked.float() / 127.5 - 1


def train_decoder(autoencoder: Any, random: Random, progress: Progress) -> None:
    """Train the half of it that isn't set by hand: it draws a latent picture anew, sharp."""
    decoder = autoencoder.decoder
    optimiser = torch.optim.AdamW(
        decoder.parameters(), lr=_RATE, weight_decay=0.0, betas=(0.9, 0.99)
    )
    rates = torch.optim.lr_scheduler.LambdaLR(optimiser, _rate)
    for step in range(_STEPS):
        _, pictures = drawn(_BATCH, random)
        latents = autoencoder.encode(pictures).latents
        # Where a picture isn't plain: edges are all that is hard, and few pixels are edges.
        plain = interpolate(latents, scale_factor=4)
        weight = 1 + _EDGES * (plain - pictures).abs().mean(1, keepdim=True)
        noise = _NOISE * torch.rand(_BATCH, 1, 1, 1) * torch.randn_like(latents)
        again = autoencoder.decode(latents + noise).sample
        error = (again - pictures).abs()
        loss = (weight * (error + error.square())).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimiser.step()
        rates.step()
        progress.tell("decoder", step + 1, _STEPS, error.mean().item())


def _rate(step: int) -> float:
    """Warm up, then fall to nothing along a cosine."""
    warm = min(1.0, (step + 1) / _WARM_UP)
    return warm * 0.5 * (1 + math.cos(math.pi * step / _STEPS)) + 1e-3
