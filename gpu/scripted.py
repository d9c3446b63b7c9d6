"""The scripted engine: no model, but a real process that does what a script says.

For tests of trees: it loads, answers, streams, stalls, runs out of memory and dies on cue.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, assert_never

import msgspec
import structlog

from failsoft.gpu.memory.device_memory import DeviceMemory
from failsoft.gpu.script import (
    Act,
    BreakDevice,
    Die,
    Echo,
    Exit,
    Garble,
    Grow,
    Log,
    Once,
    Pause,
    Print,
    Progress,
    Raise,
    RunOutOfMemory,
    Say,
    Script,
    Stall,
    WaitFor,
)
from failsoft.gpu.serving.faults import raise_out_of_memory
from failsoft.gpu.text.stop_strings import StopStrings
from failsoft.gpu.worker_spec import WorkerSpec
from failsoft.messages.errors import ErrorInfo, InferenceError, error_from
from failsoft.messages.reply import FinishReason, TextChunk, TextReply, Usage
from failsoft.messages.request import GenerateText
from failsoft.messages.wire import MAX_FRAME_BYTES

ENGINE = "failsoft.gpu.scripted:ScriptedEngine"

_WIRE = 3
_log = structlog.get_logger("failsoft.scripted")


def scripted(script: Script | None = None, **spec: Any) -> WorkerSpec:
    """Give the spec of a worker that does what ``script`` says; without one it echoes prompts."""
    return WorkerSpec(engine=ENGINE, options=(script or Script()).options(), **spec)


class ScriptedEngine:
    """Answer text requests by a script: the fields of ``Script``, as plain data.

    A word is a token, and its place among the words is the token's id. ``max_tokens`` and ``stop``
    are honoured, the usage is counted.
    """

    requests: ClassVar[tuple[type, ...]] = (GenerateText,)

    def __init__(self, **script: Any) -> None:
        self._script = msgspec.convert(script, Script)
        self.max_batch = self._script.max_batch
        self._ballast: list[bytearray] = []

    def device_memory(self) -> DeviceMemory:
        """Give what the script says of the device."""
        return DeviceMemory(*self._script.device_memory)

    def load(self, progress: Callable[[int, int], None]) -> dict[str, Any]:
        """Do what the script says of the load."""
        self._play_alone(self._script.load, progress)
        return {"model": "scripted"}

    def warm_up(self) -> None:
        """Do what the script says of it."""
        self._play_alone(self._script.warm_up, lambda *_: None)

    def generate(self, request: GenerateText) -> Generator[TextChunk | None, None, TextReply]:
        """Answer ``request`` by the first rule that fits its prompt. Each word is a step.

        After the words comes one more step, whose chunk is empty and has the usage.
        """
        prompt = _prompt_text(request)
        stops, said, words = StopStrings(request.stop), "", 0
        answered = _words_answered(request)
        finish_reason: FinishReason = "stop"
        for delay, word in self._steps(prompt):
            if words >= answered:
                time.sleep(delay)
            if word is None:
                yield None
                continue
            words += 1
            shown = stops.feed(word)
            said += shown
            if words > answered:
                yield TextChunk(shown, tokens=1, token_ids=(words,))
            if stops.stopped:
                break
            if words == request.max_tokens:
                finish_reason = "length"
                break
        rest = "" if stops.stopped else stops.flush()
        usage = Usage(len(_words(prompt)), words)
        yield TextChunk(rest, tokens=0, finish_reason=finish_reason, usage=usage)
        return TextReply(said + rest, finish_reason, usage)

    def unload(self) -> None:
        """Let go of what ``Grow`` took."""
        self._ballast.clear()

    def _steps(self, prompt: str) -> Iterator[tuple[float, str | None]]:
        """Give each step's delay and word; do what else the script says on the way."""
        fitting = (rule.play for rule in self._script.rules if rule.words in prompt)
        for act in self._flat(next(fitting, self._script.otherwise)):
            match act:
                case Say(text, delay, times):
                    yield from ((delay, word) for word in _words(text * times))
                case Echo(delay):
                    yield from ((delay, word) for word in _words(prompt))
                case Pause(delay, steps):
                    yield from ((delay, None) for _ in range(steps))
                case _:
                    self._do(act)

    def _play_alone(self, play: Iterable[Act], progress: Callable[[int, int], None]) -> None:
        """Do what needs no request."""
        for act in self._flat(play):
            match act:
                case Progress(done, total):
                    progress(done, total)
                case Pause(delay, steps):
                    time.sleep(delay * steps)
                case Say() | Echo():
                    raise ValueError("nothing can be said without a request")
                case _:
                    self._do(act)

    def _flat(self, play: Iterable[Act]) -> Iterator[Act]:
        for act in play:
            if not isinstance(act, Once):
                yield act
            elif _is_first(act.marker):
                yield from self._flat(act.play)

    def _do(self, act: Act) -> None:
        if isinstance(act, Exit | Die | Garble) and not _has_own_process():
            said = f"{type(act).__name__} would end the whole service here; use run_in='process'"
            raise RuntimeError(said)
        match act:
            case Stall():
                threading.Event().wait()
            case WaitFor(path):
                with Path(path).open("rb"):
                    pass
            case RunOutOfMemory():
                raise_out_of_memory()
            case BreakDevice():
                raise RuntimeError("CUDA error: device-side assert triggered (scripted)")
            case Raise(kind, message):
                raise _error(kind, message)
            case Exit(status):
                os._exit(status)
            case Die(number):
                os.kill(os.getpid(), number)
                signal.pause()
            case Garble(how):
                _garble(how)
            case Print(text, times, encoding):
                _write_all(1, (text * times).encode(encoding))
            case Log(event, level, fields):
                getattr(_log, level)(event, **fields)
            case Grow(mib):
                self._ballast.append(bytearray(os.urandom(1) * (mib * 1024 * 1024)))
            case Progress():
                raise ValueError("progress is for loads")
            case Say() | Echo() | Pause() | Once():
                raise AssertionError("done elsewhere")
            case _:
                assert_never(act)


def _has_own_process() -> bool:
    return threading.current_thread() is threading.main_thread()


def _error(kind: str, message: str) -> Exception:
    error: InferenceError = error_from(ErrorInfo(kind, message, {}, False, time.time()))
    if error.kind != kind:
        return RuntimeError(message)
    return type(error)(message)


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _garble(how: str) -> None:
    match how:
        case "garbage":
            os.write(_WIRE, struct.pack(">I", 8) + b"\xc1garbage")
        case "oversize":
            os.write(_WIRE, struct.pack(">I", MAX_FRAME_BYTES + 1))
        case _:
            os.write(_WIRE, struct.pack(">I", 100) + b"half")
            with socket.socket(fileno=os.dup(_WIRE)) as wire:
                wire.shutdown(socket.SHUT_WR)
    # What comes after it on the wire must not be read as the rest of a frame.
    threading.Event().wait()


def _is_first(marker: str) -> bool:
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _prompt_text(request: GenerateText) -> str:
    if isinstance(request.prompt, str):
        return request.prompt
    return "\n".join(turn.content for turn in request.prompt)


def _words_answered(request: GenerateText) -> int:
    """Give how many words of the answer have been given already."""
    answered = request.answered
    return 0 if answered is None else len(answered.token_ids) or len(_words(answered.text))


def _words(text: str) -> list[str]:
    """Cut ``text`` after the space that follows each word; joined, it is the text again."""
    return re.findall(r"\s*\S+\s?|\s+", text)
