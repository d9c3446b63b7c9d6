"""Train the language model from nothing: ``python -m training text``.

Seeds are fixed; the same machine gives the same weights. One thread, so that sums are added up in
one order everywhere: about half an hour.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from random import Random
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from failsoft.gpu.tiny import EMBEDDED
from training.loss_chart import draw_losses
from training.text.corpus import Text, held_out, texts
from training.text.tokens import LONGEST, VOCABULARY, Encoded, encode, train_tokenizer

SEED = 20_26
# Tokens in a batch, padding with them.
BATCH_TOKENS = 3072
# Steps of each cycle, and the learning rate that it falls from: the second one learns facts, which
# come to a model that can speak already.
CYCLES = ((1500, 4e-3), (1300, 2.5e-3))
_WARM_UP = 50
# By how much the scores are stretched at the end. Most requests are sampled as the scores are, and
# a small model leaves too much to what it knows to be wrong.
SHARPNESS = 1.8
# Texts of like lengths share a batch: they are sorted within so many.
_SORTED = 512
_TOKENIZER_TEXTS = 40_000
_REPORT_EVERY = 100
_IGNORED = -100


def main() -> None:
    """Train tokenizer and model, and write them to the package's folder."""
    folder = EMBEDDED["failsoft:tiny-text"]
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    random = Random(SEED)
    source = texts(random)
    tokenizer = train_tokenizer(next(source) for _ in range(_TOKENIZER_TEXTS))
    model: Any = LlamaForCausalLM(_config(tokenizer))  # untyped in part
    curves = _train(model, tokenizer, source)
    with torch.no_grad():
        model.model.norm.weight.mul_(SHARPNESS)
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # safetensors lets nobody else read it.
    (folder / "model.safetensors").chmod(0o644)
    draw_losses(curves, "Loss of failsoft:tiny-text", folder / "loss.svg")


def _config(tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=LONGEST,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _train(
    model: Any, tokenizer: PreTrainedTokenizerFast, source: Iterator[Text]
) -> dict[str, list[tuple[int, float]]]:
    """Train ``model``; give its losses by steps: of the training, and on what is held out."""
    steps = sum(length for length, _ in CYCLES)
    optimizers = _optimizers(model)
    schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, _rate) for optimizer in optimizers]
    unseen = held_out(Random(SEED + 1))
    checked = [encode(tokenizer, Text([next(unseen)])) for _ in range(300)]
    curves: dict[str, list[tuple[int, float]]] = {"training": [], "held out": []}
    losses: list[float] = []
    seen = 0
    start = time.monotonic()
    for step, batch in zip(range(1, steps + 1), _batches(tokenizer, source), strict=False):
        loss = _loss(model, batch)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        losses.append(loss.item())
        seen += sum(len(encoded.tokens) for encoded in batch)
        if step % _REPORT_EVERY == 0 or step == steps:
            with torch.no_grad():
                unseen_loss = _loss(model, checked).item()
            trained = sum(losses) / len(losses)
            curves["training"].append((step, trained))
            curves["held out"].append((step, unseen_loss))
            losses.clear()
            print(
                f"{step}/{steps}: {seen:,} tokens, loss {trained:.4f}, "
                f"held out {unseen_loss:.4f}, {time.monotonic() - start:.0f} s",
                flush=True,
            )
    return curves


def _optimizers(model: Any) -> list[torch.optim.Optimizer]:
    """Give Muon for the layers' matrices, which learns them in half the steps, and AdamW.

    Their learning rate is 1, for the schedule to make what it is.
    """
    matrices = [p for name, p in model.named_parameters() if p.dim() > 1 and "embed" not in name]
    rest = [p for name, p in model.named_parameters() if p.dim() == 1 or "embed" in name]
    return [
        torch.optim.Muon(matrices, lr=1.0, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=1.0, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    ]


def _rate(step: int) -> float:
    """Give the learning rate: in each cycle warm up, and fall to nothing along a cosine."""
    for length, peak in CYCLES:
        if step < length:
            falling = 0.5 * (1 + math.cos(math.pi * step / length))
            return peak * min((step + 1) / _WARM_UP, falling)
        step -= length
    return 0.0


def _batches(tokenizer: PreTrainedTokenizerFast, source: Iterator[Text]) -> Iterator[list[Encoded]]:
    """Give batches of texts of like lengths, in an order by chance."""
    random = Random(SEED + 2)
    while True:
        drawn = sorted(
            (encode(tokenizer, next(source)) for _ in range(_SORTED)),
            key=lambda encoded: len(encoded.tokens),
        )
        batches: list[list[Encoded]] = [[]]
        for encoded in drawn:
            # The longest comes last, and the others are padded to it.
            if (len(batches[-1]) + 1) * len(encoded.tokens) > BATCH_TOKENS and batches[-1]:
                batches.append([])
            batches[-1].append(encoded)
        random.shuffle(batches)
        yield from batches


def _loss(model: Any, batch: list[Encoded]) -> torch.Tensor:
    """Give the mean loss of the tokens that are to be learned."""
    length = max(len(encoded.tokens) for encoded in batch)
    tokens = torch.zeros((len(batch), length), dtype=torch.long)
    labels = torch.full((len(batch), length), _IGNORED)
    for row, encoded in enumerate(batch):
        tokens[row, : len(encoded.tokens)] = torch.tensor(encoded.tokens)
        known = [
            token if learned else _IGNORED
            for token, learned in zip(encoded.tokens, encoded.learned, strict=True)
        ]
        labels[row, : len(known)] = torch.tensor(known)
    # Padding is on the right, where no token before it can see it.
    hidden = model.model(input_ids=tokens).last_hidden_state[:, :-1]
    wanted = labels[:, 1:] != _IGNORED
    return cross_entropy(model.lm_head(hidden[wanted]), labels[:, 1:][wanted])
