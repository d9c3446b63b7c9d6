"""A loop by hand, of the standard library: what a good engineer writes in a hundred lines.

A thread keeps one process of ``multiprocessing`` and gives it one request after the other. It
sees a death at once (``sentinel``), holds a request to a time, sends what was in hand once more,
and waits longer before each restart of a process that never answered. The processes come from a
fork server that has imported what they need, as the standard library advises for programs with
threads; they are daemons, and end where their pipe does.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import multiprocessing
import os
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import Future
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import NamedTuple

from bench.supervise.model import IMPORTS, load, serving
from bench.supervise.peer import Unanswered

# By model, and longer than its longest request.
REQUEST_SECONDS = {"steady": 6.0, "smollm2": 60.0}
LOAD_SECONDS = 60.0
TRIES = 2
_HERE = ["bench.supervise.by_hand"]
SETTINGS = (
    "multiprocessing.Process from a fork server that has imported what the model needs; daemon,"
    f" Pipe, sentinel; {REQUEST_SECONDS['steady']:g} s a request, then SIGKILL; what"
    " was in hand is sent once more; restarts at once, then after 0.5, 1, 2 … 30 s"
    " while no process gets to answer"
)


class WorkerLost(Exception):
    """The request was in hand when two processes ended."""


class Asked(NamedTuple):
    prompt: str
    steps: int
    answer: Future[str]


class ByHand:
    def __init__(self, model: str, folder: Path) -> None:
        self._model = model
        self._folder = folder
        self._processes = multiprocessing.get_context("forkserver")
        # A new process imports the program's main module, too, and what that needs.
        self._processes.set_forkserver_preload(["bench.supervise.host", *_HERE, *IMPORTS[model]])
        self._waiting: collections.deque[Asked] = collections.deque()
        self._woken, self._wake = self._processes.Pipe(duplex=False)
        self._is_stopping = False
        self._thread = threading.Thread(target=self._supervise)
        self._thread.start()

    async def ask(self, prompt: str, steps: int, seconds: float) -> str:
        asked = Asked(prompt, steps, Future())
        self._waiting.append(asked)
        self._wake.send_bytes(b".")
        try:
            return await asyncio.wait_for(asyncio.wrap_future(asked.answer), seconds)
        except Exception as error:
            raise Unanswered(type(error).__name__) from error

    async def ready(self) -> None:
        await self.ask("hello", 1, LOAD_SECONDS)

    def worker(self) -> int:
        return serving(self._folder)

    def parent(self) -> int:
        return os.getpid()

    async def stop(self) -> None:
        self._is_stopping = True
        self._wake.send_bytes(b".")
        await asyncio.to_thread(self._thread.join)

    def _supervise(self) -> None:
        in_hand: list[Asked] = []
        tries = failures = 0
        while not self._is_stopping:
            process, pipe = self._start()
            answered = self._loaded(process, pipe)
            while answered and not self._is_stopping:
                if not in_hand and not self._next(process, in_hand):
                    break
                if not in_hand:
                    continue
                answered = self._asked(process, pipe, in_hand[0])
                if answered:
                    in_hand.clear()
                    tries = failures = 0
            process.kill()
            process.join()
            pipe.close()
            if in_hand and (tries := tries + 1) >= TRIES:
                _end(in_hand.pop().answer, WorkerLost())
                tries = 0
            failures += 1
            if failures > 1 and not self._is_stopping:
                time.sleep(min(30.0, 0.5 * 2.0 ** (failures - 2)))

    def _start(self) -> tuple[ForkServerProcess, Connection]:
        ours, its = self._processes.Pipe()
        process = self._processes.Process(target=_work, args=(its, self._model), daemon=True)
        process.start()
        its.close()
        return process, ours

    def _loaded(self, process: ForkServerProcess, pipe: Connection) -> bool:
        ready = wait([pipe, process.sentinel], LOAD_SECONDS)
        with contextlib.suppress(OSError, EOFError):
            return pipe in ready and pipe.recv() == "loaded"
        return False

    def _next(self, process: ForkServerProcess, in_hand: list[Asked]) -> bool:
        """Wait for a request; tell whether the process lives."""
        if process.sentinel in wait([self._woken, process.sentinel]):
            return False
        self._woken.recv_bytes()
        if self._waiting:
            asked = self._waiting.popleft()
            if not asked.answer.cancelled():
                in_hand.append(asked)
        return True

    def _asked(self, process: ForkServerProcess, pipe: Connection, asked: Asked) -> bool:
        """Have a request answered; tell whether the process can go on."""
        with contextlib.suppress(OSError, EOFError):
            pipe.send((asked.prompt, asked.steps))
            if pipe in wait([pipe, process.sentinel], REQUEST_SECONDS[self._model]):
                _end(asked.answer, pipe.recv())
                return True
        return False


def _end(answer: Future[str], result: str | Exception) -> None:
    with contextlib.suppress(Exception):  # its caller has left
        if isinstance(result, Exception):
            answer.set_exception(result)
        else:
            answer.set_result(result)


def _work(pipe: Connection, name: str) -> None:
    model = load(name)
    pipe.send("loaded")
    while True:
        try:
            prompt, steps = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(model.answer(prompt, steps))
        except Exception as error:
            pipe.send(error)


@contextlib.asynccontextmanager
async def running(model: str, folder: Path) -> AsyncIterator[ByHand]:
    peer = ByHand(model, folder)
    try:
        await peer.ready()
        yield peer
    finally:
        await peer.stop()
