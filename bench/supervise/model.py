"""The model that all supervise, and the folder by which the benchmark makes trouble for it.

``BENCH_TROUBLE`` names the folder: each start leaves a byte in ``starts``, and a model that has
been loaded a file in ``loaded``, with its process's id as the name. Where there is a file
``broken``, a start ends the process at once; where there is one called ``wedge``, the next prompt
that asks for it is never done.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from bench.servers.model import Model, Steady
from bench.servers.smollm2 import SmolLM2
from bench.supervise.processes import is_alive

TROUBLE = "BENCH_TROUBLE"
WEDGE = "{wedge}"
# What a language model's process may have imported before: see failsoft.gpu.text.worker.
IMPORTS = {"steady": [], "smollm2": ["torch", "transformers", "transformers.modeling_utils"]}


class Troubled:
    """Answer with the prompt, once each step of a model is done; or fall into trouble."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def answer(self, prompt: str, steps: int) -> str:
        for _ in self.stream(prompt, steps):
            pass
        return prompt

    def stream(self, prompt: str, steps: int) -> Iterator[str]:
        if WEDGE in prompt and _taken(Path(os.environ[TROUBLE]) / "wedge"):
            while True:
                pass
        return self._model.stream(prompt, steps)


def load(name: str) -> Troubled:
    """Load ``steady`` or ``smollm2``."""
    folder = Path(os.environ[TROUBLE])
    with (folder / "starts").open("ab") as starts:
        starts.write(b".")
    if (folder / "broken").exists():
        os._exit(1)
    model = Troubled(Steady() if name == "steady" else SmolLM2())
    (folder / "loaded").mkdir(exist_ok=True)
    (folder / "loaded" / str(os.getpid())).touch()
    return model


def serving(folder: Path) -> int:
    """Give the living process that was the last to load the model.

    Raises:
        ProcessLookupError: there is none.
    """
    files = (folder / "loaded").iterdir()
    for file in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if is_alive(psutil.Process(int(file.name))):
                return int(file.name)
    raise ProcessLookupError("no process has the model loaded")


def _taken(marker: Path) -> bool:
    """Tell whether the marker was there; it is taken away."""
    try:
        marker.unlink()
    except FileNotFoundError:
        return False
    return True
