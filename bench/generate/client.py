"""The one who asks: for a completion as a stream, as OpenAI's API has it, each a connection."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import msgspec

from bench.engines.texts import Text
from bench.generate.answers import Answer

PATH = "/v1/completions"
_HEAD = (
    f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    "Content-Length: {length}\r\nConnection: close\r\n\r\n"
)
_MOST_AT_ONCE = 65536
_CUT_OFF = "the stream was cut off"


class _Choice(msgspec.Struct):
    text: str = ""
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    completion_tokens: int


class _Error(msgspec.Struct):
    message: str
    code: str | int | None = None


class _Event(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: _Error | str | None = None


_decode = msgspec.json.Decoder(_Event).decode


class _Broken(Exception):
    """Tell why a stream is no answer."""


async def ask_all(port: int, texts: Sequence[Text], patience: float) -> tuple[list[Answer], float]:
    """Ask for each text when it comes; leave those that take longer than ``patience``.

    Give the answers, and the seconds until all were there.
    """
    began = time.perf_counter()
    answers = await asyncio.gather(*(_ask(port, text, began, patience) for text in texts))
    return answers, time.perf_counter() - began


async def _ask(port: int, text: Text, began: float, patience: float) -> Answer:
    await asyncio.sleep(began + text.at - time.perf_counter())
    pieces: list[tuple[float, str]] = []
    tokens, fault = 0, ""
    try:
        # From when it was to be asked: a client that is late makes no server look fast.
        async with asyncio.timeout(began + text.at + patience - time.perf_counter()):
            tokens = await _read(port, text, began, pieces)
    except TimeoutError:
        fault = "too late"
    except EOFError:
        fault = _CUT_OFF
    except (OSError, ValueError, _Broken) as error:
        fault = str(error) or type(error).__name__
    whole = "".join(piece for _, piece in pieces)
    return Answer(text.at, tuple(at for at, _ in pieces), tokens, whole, fault)


async def _read(port: int, text: Text, began: float, pieces: list[tuple[float, str]]) -> int:
    """Note in ``pieces`` when each came; give how many tokens there are."""
    usage: _Usage | None = None
    finish: str | None = None
    async with contextlib.aclosing(_events(port, text)) as events:
        async for event in events:
            if isinstance(event.error, _Error):
                raise _Broken(str(event.error.code or event.error.message))
            if event.error is not None:
                raise _Broken(event.error)
            usage = event.usage or usage
            for choice in event.choices:
                finish = choice.finish_reason or finish
                if choice.text:
                    pieces.append((time.perf_counter() - began, choice.text))
            if finish and usage:
                break
    if finish is None:
        raise _Broken(_CUT_OFF)
    return usage.completion_tokens if usage else len(pieces)


async def _events(port: int, text: Text) -> AsyncGenerator[_Event, None]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        body = _body(text)
        writer.write(_HEAD.format(length=len(body)).encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200"):
            raise _Broken(head.partition(b"\r\n")[0].decode())
        rest = b""
        async for data in _parts(reader, is_chunked=b"transfer-encoding: chunked" in head):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                name, _, value = line.partition(b":")
                if name == b"data" and value.strip() != b"[DONE]":
                    yield _decode(value)
    finally:
        writer.transport.abort()


async def _parts(reader: asyncio.StreamReader, *, is_chunked: bool) -> AsyncIterator[bytes]:
    if is_chunked:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            yield (await reader.readexactly(size + 2))[:-2]
    else:
        while data := await reader.read(_MOST_AT_ONCE):
            yield data


def _body(text: Text) -> bytes:
    return msgspec.json.encode(
        {
            "prompt": text.prompt,
            "max_tokens": text.max_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    )
