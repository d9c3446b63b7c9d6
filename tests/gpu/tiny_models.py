"""Tiny models of real kinds, made up at random: they answer nonsense, fast."""

from __future__ import annotations

import json
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


def save_llama(folder: Path) -> None:
    """Save a language model whose tokens are bytes, some pairs of them, and an end."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [(first, second) for first in 'abcdefgh"{' for second in 'abcdefgh":']
    pieces = [_END, *letters, *(first + second for first, second in merges)]
    tokens = Tokenizer(models.BPE({piece: at for at, piece in enumerate(pieces)}, merges))
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokens.decoder = decoders.ByteLevel()
    config = LlamaConfig(
        vocab_size=len(pieces),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        bos_token_id=0,
        eos_token_id=0,
        initializer_range=0.5,  # far-apart scores, so that rounding decides nothing
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    kind: Any = PreTrainedTokenizerFast
    kind(tokenizer_object=tokens, eos_token=_END).save_pretrained(folder)


def save_llama_gguf(path: Path, folder: Path, *, kind: str) -> None:
    """Save the model of ``save_llama`` in ``folder`` as a GGUF file. kind: ``F32``, ``Q8_0``."""
    from gguf import GGMLQuantizationType, GGUFWriter, TokenType, quantize
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    config = model.config
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    tokens = tokenizer.convert_ids_to_tokens([*range(len(tokenizer))])
    writer.add_token_list(tokens)
    writer.add_token_types([TokenType.CONTROL] + [TokenType.NORMAL] * (len(tokens) - 1))
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    for name, tensor in model.state_dict().items():
        dtype = GGMLQuantizationType[kind if tensor.dim() == 2 else "F32"]
        heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
        numbers = (
            tensor.numpy()
            if "q_proj" not in name and "k_proj" not in name
            # GGUF has the two halves of a head's rotation side by side.
            else (
                tensor.view(heads, 2, -1, tensor.shape[1])
                .transpose(1, 2)
                .reshape(tensor.shape)
                .numpy()
            )
        )
        writer.add_tensor(_gguf_name(name), quantize(numbers, dtype), raw_dtype=dtype)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _gguf_name(name: str) -> str:
    for ours, theirs in (
        ("model.layers.", "blk."),
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
    ):
        name = name.replace(ours, theirs)
    return name
