"""A service to be killed: it starts workers, says who is there, and waits for its end.

Arguments: ``main`` or ``thread``, the thread that starts the reaper; then what the workers do:
``idle``, ``plain`` (no template can be forked for them), ``busy``, ``helper`` (a helper process of
the worker's own) or ``loading``.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import tempfile
import threading

import structlog

from failsoft.gpu import WorkerGone, WorkerHost, WorkerLine, WorkerProcess, WorkerSpec
from failsoft.gpu.process.prctl import tie_to_parent
from failsoft.gpu.script import Pause, Progress, Script, Stall
from failsoft.gpu.scripted import scripted
from failsoft.messages import GenerateText
from failsoft.messages.frames import Chunk, Heartbeat, Loading, Ready, Report, Run
from failsoft.messages.wire import raw

SPECS = {
    "idle": scripted(),
    "plain": scripted(preload=("thread_at_import",)),
    "busy": scripted(Script(otherwise=[Pause(0.01, steps=1_000_000)]), heartbeat_every=0.02),
    "loading": scripted(Script(load=[Progress(1, 2), Stall()])),
    "helper": WorkerSpec(engine="helper_engine:HelperEngine"),
}


class Listener:
    """Count the workers that are where they should be."""

    def __init__(self, manner: str) -> None:
        self._manner = manner
        self.is_there = asyncio.Event()
        self.process: WorkerProcess | None = None

    def on_report(self, report: Report) -> None:
        assert self.process is not None
        match self._manner, report:
            case ("idle" | "plain" | "helper", Ready()) | ("loading", Loading(done=1)):
                self.is_there.set()
            case "busy", Ready():
                request = GenerateText("work", max_tokens=1_000_000)
                self.process.send(Run(1, raw(request), stream=True))
            case "busy", (Heartbeat(running=(1,)) | Chunk()):
                self.is_there.set()

    def on_line(self, line: WorkerLine) -> None:
        print(line, file=sys.stderr)

    def on_gone(self, gone: WorkerGone) -> None:
        print(gone, file=sys.stderr)


async def serve(manner: str) -> None:
    host = WorkerHost()
    pids = []
    for _ in range(2):
        listener = Listener(manner)
        listener.process = WorkerProcess(SPECS[manner], host, listener)
        await listener.process.start()
        await listener.is_there.wait()
        pids.append(listener.process.pid)
    print(json.dumps({"reaper": host.statistics().reaper_pid, "workers": pids}), flush=True)
    await asyncio.Event().wait()


def main() -> None:
    thread, manner = sys.argv[1:]
    tie_to_parent(os.getppid())
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    # What a service has open, and hands on where it is careless.
    with socket.create_server(("127.0.0.1", 0)) as listening, tempfile.TemporaryFile() as file:
        listening.set_inheritable(True)
        file.fileno()
        if thread == "main":
            asyncio.run(serve(manner))
        else:
            serving = threading.Thread(target=lambda: asyncio.run(serve(manner)))
            serving.start()
            serving.join()


if __name__ == "__main__":
    main()
