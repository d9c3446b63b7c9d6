"""The parts of the pipeline, untrained: all of them stock classes of diffusers and transformers."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderTiny, DDIMScheduler, UNet2DConditionModel
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from training.image.drawing import SIDE
from training.image.wording import UNKNOWN, vocabulary

LATENT_SIDE = SIDE // 4
LATENT_CHANNELS = 3
# Of latent pictures, which go from -1 to 1, so that their spread is about 1.
LATENT_SCALE = 1.8
_WORDS = 18
_WIDTH = 64
_PIXEL_WIDTH = 24
_PAD, _BEGIN, _END = "[PAD]", "[BEGIN]", "[END]"


def tokenizer() -> Any:
    """Make one whose tokens are words: what is no word of ``wording`` is UNKNOWN."""
    pieces = [_PAD, UNKNOWN, _BEGIN, _END, *vocabulary()]
    numbers = {piece: number for number, piece in enumerate(pieces)}
    made = Tokenizer(models.WordLevel(numbers, unk_token=UNKNOWN))
    made.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(".", " "),
         normalizers.Replace(",", " ")]
    )  # fmt: skip
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(
        single=f"{_BEGIN} $A {_END}",
        special_tokens=[(_BEGIN, numbers[_BEGIN]), (_END, numbers[_END])],
    )
    kind: Any = PreTrainedTokenizerFast  # untyped
    return kind(
        tokenizer_object=made,
        model_max_length=_WORDS,
        pad_token=_PAD,
        unk_token=UNKNOWN,
        bos_token=_BEGIN,
        eos_token=_END,
    )


def text_encoder(words: Any) -> CLIPTextModel:
    """Make the reader of prompts, for the tokenizer ``words``.

    It begins with words that are far apart: with CLIP's own small ones, all that is read is much
    the same at first, and the denoiser is long in finding out that prompts tell it anything.
    """
    model = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(words),
            hidden_size=_WIDTH,
            projection_dim=_WIDTH,
            intermediate_size=3 * _WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=_WORDS,
            pad_token_id=words.pad_token_id,
            bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id,
        )
    )
    for name, weight in model.named_parameters():
        if "token_embedding" in name:
            torch.nn.init.normal_(weight)
        elif "position_embedding" in name:
            torch.nn.init.normal_(weight, std=0.3)
    return model


def autoencoder() -> Any:
    """Make what turns 4x4 pixels into one place of a latent picture, and back.

    Its encoder is set by hand: it has no layer but linear ones, and gives the mean colour. So
    latent pictures are small pictures, in which nothing is further from 0 than black and white.
    """
    kind: Any = AutoencoderTiny
    made = kind(
        encoder_block_out_channels=(_PIXEL_WIDTH,) * 3,
        decoder_block_out_channels=(_PIXEL_WIDTH,) * 3,
        num_encoder_blocks=(0, 0, 0),
        num_decoder_blocks=(3, 2, 0),
        latent_channels=LATENT_CHANNELS,
        scaling_factor=LATENT_SCALE,
    )
    _average(made.encoder)
    return made


@torch.no_grad()
def _average(encoder: Any) -> None:
    """Have it give the mean of each 4x4 pixels, halving the picture twice."""
    first, *halvings, last = encoder.layers
    for layer in encoder.layers:
        layer.weight.zero_()
        if layer.bias is not None:
            layer.bias.zero_()
    for channel in range(LATENT_CHANNELS):
        first.weight[channel, channel, 1, 1] = 1.0
        for halving in halvings:
            halving.weight[channel, channel, 1:, 1:] = 0.25
        # It is given pictures from 0 to 1.
        last.weight[channel, channel, 1, 1] = 2.0
        last.bias[channel] = -1.0
    encoder.requires_grad_(False)


def denoiser() -> Any:
    """Make the UNet. It reads the prompt at 8x8 places, where most of its work is done.

    It is made as one that is told the guidance, and is deaf to it: the pipeline then makes one
    pass a step, not two, and no guidance that a caller asks for burns a picture out.
    """
    kind: Any = UNet2DConditionModel
    made = kind(
        sample_size=LATENT_SIDE,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        mid_block_type=None,
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(24, _WIDTH),
        layers_per_block=1,
        cross_attention_dim=_WIDTH,
        attention_head_dim=4,
        norm_num_groups=8,
        time_embedding_dim=2 * _WIDTH,
        resnet_time_scale_shift="scale_shift",
        time_cond_proj_dim=4,
    )
    torch.nn.init.zeros_(made.time_embedding.cond_proj.weight).requires_grad_(False)
    return made


def scheduler() -> Any:
    """Make the schedule of noise: it ends in noise alone, so that plain backgrounds come out.

    At each step the picture that it leads to is held between black and white. The pipeline sets a
    ``clip_sample`` that is True to False, since other latent pictures have no bounds; 1 it lets be.
    """
    kind: Any = DDIMScheduler
    return kind(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
        clip_sample=1,
        clip_sample_range=LATENT_SCALE,
    )
