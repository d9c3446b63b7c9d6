"""Train the denoiser and the reader of prompts, together, on latent pictures."""

from __future__ import annotations

import math
from random import Random
from typing import Any, NamedTuple

import torch

from training.image.autoencoder import drawn
from training.image.progress import Progress
from training.image.scenes import Scene
from training.image.wording import variously

_BATCH = 32
_WARM_UP = 150


class _Cycle(NamedTuple):
    """Be so many steps. rate: of learning, at first. flat: the share of them before it falls."""

    steps: int
    rate: float
    flat: float


# After the first, shapes were right in 80 of 100 pictures; after the second, in 83.
_CYCLES = (_Cycle(16_000, 1.5e-3, 0.4), _Cycle(4_000, 8e-4, 0.0))
_STEPS = sum(cycle.steps for cycle in _CYCLES)
# Drawn once: they are seen twenty times each, with other words and other noise.
_PICTURES = 32_000
_AT_ONCE = 100
_KEPT = 0.999


class Latents:
    """Hold scenes and their latent pictures, from which batches are drawn."""

    def __init__(self, autoencoder: Any, random: Random) -> None:
        self.scenes: list[Scene] = []
        parts = []
        for _ in range(0, _PICTURES, _AT_ONCE):
            scenes, pictures = drawn(_AT_ONCE, random)
            self.scenes += scenes
            parts.append(autoencoder.encode(pictures).latents)
        self.latents = torch.cat(parts) * autoencoder.config.scaling_factor

    def batch(self, random: Random) -> tuple[list[str], torch.Tensor]:
        """Give prompts and their latent pictures."""
        chosen = random.sample(range(len(self.scenes)), _BATCH)
        prompts = [variously(self.scenes[index], random) for index in chosen]
        return prompts, self.latents[chosen]


def train_denoiser(
    denoiser: Any,
    text_encoder: Any,
    tokenizer: Any,
    scheduler: Any,
    latents: Latents,
    random: Random,
    progress: Progress,
) -> None:
    """Train both; at the end they hold the running mean of their weights."""
    denoiser.to(memory_format=torch.channels_last)
    parts = (denoiser, text_encoder)
    weights = [w for part in parts for w in part.parameters() if w.requires_grad]
    means = [weight.detach().clone() for weight in weights]
    optimiser = torch.optim.AdamW(weights, lr=1.0, weight_decay=1e-3, betas=(0.9, 0.99), fused=True)
    rates = torch.optim.lr_scheduler.LambdaLR(optimiser, _rate)
    for step in range(_STEPS):
        prompts, pictures = latents.batch(random)
        tokens = tokenizer(
            prompts,
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        times = torch.randint(scheduler.config.num_train_timesteps, (len(prompts),))
        noise = torch.randn_like(pictures)
        noisy = scheduler.add_noise(pictures, noise, times)
        wanted = scheduler.get_velocity(pictures, noise, times)
        read = text_encoder(tokens.input_ids)[0]
        told = denoiser(noisy.contiguous(memory_format=torch.channels_last), times, read).sample
        loss = (told - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        rates.step()
        with torch.no_grad():
            # Early weights are worth nothing, so the mean is a short one at first.
            torch._foreach_lerp_(means, weights, 1 - min(_KEPT, (step + 1) / (step + 10)))
        progress.tell("denoiser", step + 1, _STEPS, loss.item())
    with torch.no_grad():
        for weight, mean in zip(weights, means, strict=True):
            weight.copy_(mean)
    # As safetensors files want them.
    denoiser.to(memory_format=torch.contiguous_format)


def _rate(step: int) -> float:
    """Warm up, stay, then fall to nothing along a cosine; in each cycle anew."""
    for cycle in _CYCLES:
        if step < cycle.steps:
            break
        step -= cycle.steps
    warm = min(1.0, (step + 1) / _WARM_UP)
    fallen = max(0.0, step / cycle.steps - cycle.flat) / (1 - cycle.flat)
    return cycle.rate * warm * 0.5 * (1 + math.cos(math.pi * min(fallen, 1.0)))
