"""The peer: a program that uses the model by hand, with ``model.generate`` and nothing else.

    python -m bench.engines.bare FOLDER THREADS

Commands come as lines of JSON on stdin, answers go as lines of JSON to stdout.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, StoppingCriteria

from bench.engines.static import serve
from bench.engines.texts import Text
from bench.engines.took import Took


class Serve(msgspec.Struct, frozen=True, tag=True):
    """Answer texts as they come: all that wait in one padded batch, to its end, and so on."""

    texts: list[Text]


class LoadAnew(msgspec.Struct, frozen=True, tag=True):
    """Load the model in a fork of this process, which has only imported torch.

    all_imported: without what transformers imports by need, as it loads its first model.
    """

    all_imported: bool


Command = Serve | LoadAnew


class Steps(StoppingCriteria):
    """Note the time of each step; stop nothing. It is where a hand-made stream would hook in."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, input_ids: Any, scores: Any, **options: Any) -> Any:
        self.times.append(time.perf_counter())
        return torch.zeros(input_ids.shape[0], dtype=torch.bool)


class Model:
    """Hold a model, loaded as transformers' own docs say."""

    def __init__(self, folder: str) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)

    def generate(self, texts: Sequence[Text]) -> tuple[list[int], list[float]]:
        """Answer in one padded batch; give each text's tokens, and the time of each step."""
        given = self._tokenizer([text.prompt for text in texts], padding=True, return_tensors="pt")
        most = max(text.max_tokens for text in texts)
        steps = Steps()
        with torch.inference_mode():
            made = self._model.generate(
                **given,
                max_new_tokens=most,
                do_sample=False,
                stopping_criteria=[steps],
                pad_token_id=self._tokenizer.pad_token_id,
            )
        answers = made[:, given["input_ids"].shape[1] :].tolist()
        counts = [
            min(_length(answer, self._tokenizer.eos_token_id), text.max_tokens)
            for answer, text in zip(answers, texts, strict=True)
        ]
        return counts, steps.times


def _length(answer: list[int], end: int) -> int:
    return answer.index(end) + 1 if end in answer else len(answer)


def load_anew(folder: str, *, all_imported: bool) -> Took:
    """Load in a fork, as a worker does; give the seconds that the load took there."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        if all_imported:
            importlib.import_module("transformers.modeling_utils")
        began, busy = time.perf_counter(), time.process_time()
        Model(folder)
        took = Took(time.perf_counter() - began, time.process_time() - busy, 0)
        os.write(write_end, msgspec.json.encode(took))
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as told:
        said = told.read()
    os.waitpid(child, 0)
    return msgspec.json.decode(said, type=Took)


def main(folder: str, threads: int) -> None:
    """Do what the lines on stdin say."""
    # What libraries print must not stand between the answers.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    torch.set_num_threads(threads)
    decoder = msgspec.json.Decoder(Command)
    model: Model | None = None
    for line in sys.stdin.buffer:
        command = decoder.decode(line)
        match command:
            case LoadAnew(all_imported):
                took = load_anew(folder, all_imported=all_imported)
            case Serve(texts):
                model = model or Model(folder)
                took = serve(model, texts)
        answers.write(msgspec.json.encode(took) + b"\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
