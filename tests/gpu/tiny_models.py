"""Tiny models of real kinds, made up at random: they answer nonsense, fast."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import torch

_START, _END = "<|startoftext|>", "<|endoftext|>"


def save_pipeline(folder: Path) -> None:
    """Save a text-to-image pipeline: Stable Diffusion's parts, 94,000 parameters in all."""
    from diffusers import StableDiffusionPipeline

    torch.manual_seed(0)
    tokenizer = _tokenizer()
    kind: Any = StableDiffusionPipeline  # untyped, as much of diffusers is
    pipeline = kind(
        tokenizer=tokenizer,
        text_encoder=_text_encoder(tokenizer),
        unet=_unet(),
        vae=_vae(),
        scheduler=_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)


def save_bert(folder: Path, *, longest: int = 64) -> None:
    """Save an encoder of BERT's kind, whose tokens are letters, with 64 positions.

    longest: the most tokens that its tokenizer says it reads.
    """
    from transformers import BertConfig, BertModel, BertTokenizer

    torch.manual_seed(0)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces += [mark + letter for mark in ("", "##") for letter in string.ascii_lowercase]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer: Any = BertTokenizer
    tokenizer(vocab=vocabulary, model_max_length=longest).save_pretrained(folder)


def _tokenizer() -> Any:
    from transformers import CLIPTokenizer

    pieces = [letter + end for end in ("", "</w>") for letter in string.ascii_lowercase]
    vocabulary = {piece: number for number, piece in enumerate([*pieces, _START, _END])}
    tokenizer: Any = CLIPTokenizer
    return tokenizer(vocab=vocabulary, merges=[], model_max_length=77)


def _text_encoder(tokenizer: Any) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=77,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)


def _unet() -> Any:
    from diffusers import UNet2DConditionModel

    unet: Any = UNet2DConditionModel
    return unet(
        sample_size=32,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        norm_num_groups=4,
        attention_head_dim=4,
    )


def _vae() -> Any:
    from diffusers import AutoencoderKL

    vae: Any = AutoencoderKL
    return vae(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
    )


def _scheduler() -> Any:
    from diffusers import DDIMScheduler

    scheduler: Any = DDIMScheduler
    return scheduler(clip_sample=False, set_alpha_to_one=False, steps_offset=1)
