"""Convert a GGUF file to a folder of float32 safetensors, tokenizer and chat template.

A child program: ``python -P -m failsoft.service.convert_gguf SRC_DIR GGUF_NAME DST_DIR``. Each
step is a JSON line on stdout, ``{"phase", "done", "total"}``; a failure is one last line,
``{"error", "message"}``, and exit status 1.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

# A chat model may end with either; files converted to GGUF name only one of them.
_END_TOKENS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>")


def convert_gguf(source: Path, name: str, destination: Path) -> None:
    """Load ``source/name``, de-quantise it to float32 and save it in ``destination``.

    Takes about 1.3 GB of memory for a model of 135 M parameters.
    """
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from failsoft.gpu.loading.progress import watching_load

    options: dict[str, Any] = {"gguf_file": name, "dtype": torch.float32}
    if hasattr(transformers, "GgufConfig"):  # older versions always de-quantise
        options["quantization_config"] = transformers.GgufConfig(dequantize=True)
    with watching_load(lambda done, total: _say(phase="de-quantise", done=done, total=total)):
        model = AutoModelForCausalLM.from_pretrained(source, **options)
    # Some versions leave the quantiser's mark on dense weights, and refuse to save what bears it.
    if quantizer := getattr(model, "hf_quantizer", None):
        quantizer.remove_quantization_config(model)
    weight_bytes = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    _say(phase="save", done=0, total=weight_bytes)
    tokenizer: Any = AutoTokenizer.from_pretrained(source, gguf_file=name)
    tokenizer.model_max_length = model.config.max_position_embeddings
    model.generation_config = _generation_config(model, tokenizer)
    model.save_pretrained(destination)
    tokenizer.save_pretrained(destination)
    _say(phase="save", done=weight_bytes, total=weight_bytes)


def _generation_config(model: Any, tokenizer: Any) -> Any:
    import transformers

    ends = {
        tokenizer.convert_tokens_to_ids(token)
        for token in _END_TOKENS
        if token in tokenizer.get_vocab()
    }
    ends.add(tokenizer.eos_token_id)
    config_class: Any = transformers.GenerationConfig
    return config_class(
        bos_token_id=model.config.bos_token_id,
        pad_token_id=model.config.pad_token_id,
        eos_token_id=sorted(ends),
    )


def _say(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


def main() -> int:
    """Convert what the command line names; give the exit status."""
    if len(sys.argv) != 4:
        print("usage: convert_gguf SRC_DIR GGUF_NAME DST_DIR", file=sys.stderr)
        return 2
    os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1")
    source, name, destination = sys.argv[1:]
    try:
        convert_gguf(Path(source), name, Path(destination))
    except ImportError as error:
        _say(error="import", message=str(error.name or error))
        return 1
    except Exception as error:
        # The boundary of this program: the parent reads one line, whatever went wrong.
        first_line = (str(error).splitlines() or [""])[0]
        _say(error=type(error).__name__, message=first_line[:300] or type(error).__name__)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
