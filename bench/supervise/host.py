"""The process of one peer: ``python -m bench.supervise.host PEER MODEL FOLDER``.

It says which process watches over the worker, once the peer is up. Then each line on its standard
input is a scene to play, and is answered by a line of what was seen. It ends with its input.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import msgspec

from bench.supervise.model import TROUBLE
from bench.supervise.peer import Peer
from bench.supervise.scenes import Scenes, play
from failsoft.supervisors import NO_WAIT

# Where each is, and with which options.
PEERS: dict[str, tuple[str, dict[str, Any]]] = {
    "failsoft": ("ours", {}),
    "failsoft, NO_WAIT": ("ours", {"backoff": NO_WAIT}),
    "failsoft, with a spare": ("ours", {"spare": True}),
    "a loop by hand": ("by_hand", {}),
    "Ray": ("ray_actor", {}),
    "supervisord": ("supervisord", {}),
}


class Played(msgspec.Struct, frozen=True):
    """Name a scene."""

    scene: str
    arguments: dict[str, int | float] = {}


def settings_of(peer: str) -> str:
    """Tell how a peer is set up."""
    module, _ = PEERS[peer]
    return str(importlib.import_module(f"bench.supervise.{module}").SETTINGS)


async def main(name: str, model: str, folder: Path) -> None:
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    os.environ[TROUBLE] = str(folder)
    module, options = PEERS[name]
    running = importlib.import_module(f"bench.supervise.{module}").running
    block: AbstractAsyncContextManager[Peer] = running(model, folder, **options)
    async with block as peer:
        scenes = Scenes(peer, folder)
        answers.write(msgspec.json.encode(peer.parent()) + b"\n")
        while line := await asyncio.to_thread(sys.stdin.buffer.readline):
            played = msgspec.json.decode(line, type=Played)
            seen = await play(scenes, played.scene, played.arguments)
            answers.write(msgspec.json.encode(seen) + b"\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
