"""A service to be killed: one worker on the Ray cluster at ADDRESS streams, another has no place.

It says who is there, and waits for its end.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import msgspec

from failsoft.gpu import WorkerGone, WorkerLine
from failsoft.gpu.cluster.cluster_host import ClusterHost
from failsoft.gpu.handle.cluster_worker import ClusterWorker
from failsoft.gpu.placement import RayPlacement
from failsoft.gpu.process.prctl import tie_to_parent
from failsoft.gpu.script import Say, Script
from failsoft.gpu.scripted import scripted
from failsoft.messages import GenerateText
from failsoft.messages.frames import Chunk, Ready, Report, Run
from failsoft.messages.wire import raw

TALK = scripted(Script(otherwise=[Say("word", 0.01, times=100_000)]))


class Talking:
    """Have a worker stream, and know when it does."""

    def __init__(self, host: ClusterHost, placement: RayPlacement) -> None:
        self.streams = asyncio.Event()
        spec = msgspec.structs.replace(TALK, placement=placement)
        self.worker = ClusterWorker(spec, placement, host, self)

    def on_report(self, report: Report) -> None:
        match report:
            case Ready():
                request = GenerateText("work", max_tokens=1_000_000)
                self.worker.send(Run(1, raw(request), stream=True))
            case Chunk():
                self.streams.set()

    def on_line(self, line: WorkerLine) -> None:
        print(line, file=sys.stderr)

    def on_gone(self, gone: WorkerGone) -> None:
        print(gone, file=sys.stderr)


async def serve(address: str) -> None:
    host = ClusterHost()
    talking = Talking(host, RayPlacement(address=address))
    waiting = Talking(host, RayPlacement(address=address, gpus=8.0))
    await talking.worker.start()
    await talking.streams.wait()
    placing = asyncio.create_task(waiting.worker.start())
    print(json.dumps({"worker": talking.worker.pid}), flush=True)
    await placing


def main() -> None:
    tie_to_parent(os.getppid())
    asyncio.run(serve(sys.argv[1]))


if __name__ == "__main__":
    main()
