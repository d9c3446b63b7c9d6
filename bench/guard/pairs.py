"""What is guarded: ours and a peer, all in one process, so that processor time tells all."""

from __future__ import annotations

import pickle
from time import process_time
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.figures import Figure
from bench.paired import Sample, compare
from bench.route import REQUEST, bare_ask, routed_ask
from bench.runtime import bare, samples
from bench.telemetry.asks import http_ask, post
from failsoft.messages import GenerateText
from failsoft.messages.frames import Run
from failsoft.messages.wire import command_reader, encode_frame, raw


async def frames(operations: int) -> float:
    """Encode a request for a worker, and decode it as the worker does."""
    read, decode = command_reader(), msgspec.msgpack.Decoder(GenerateText).decode
    began = process_time()
    for number in range(operations):
        for frame in read.feed(encode_frame(Run(number, raw(REQUEST), stream=False))):
            assert decode(frame.request) == REQUEST
    return process_time() - began


async def pickles(operations: int) -> float:
    """Send the same as multiprocessing does."""
    began = process_time()
    for number in range(operations):
        assert pickle.loads(pickle.dumps((number, REQUEST)))[1] == REQUEST
    return process_time() - began


async def starlette(operations: int) -> float:
    """Have a bare Starlette decode a body and send it back."""
    decode = msgspec.json.Decoder(GenerateText).decode

    async def echo(request: Request) -> Response:
        return Response(msgspec.json.encode(decode(await request.body())))

    app = Starlette(routes=[Route("/generate", echo, methods=["POST"])])
    await post(app)
    began = process_time()
    for _ in range(operations):
        await post(app)
    return process_time() - began


PAIRS: Final[dict[str, tuple[Sample, str, Sample, int]]] = {
    "tell": (samples.tell, "asyncio.Queue", bare.queue, 64 * 300),
    "ask": (samples.ask, "two futures", bare.two_futures, 3_000),
    "spawn and stop": (samples.spawn_and_stop, "a bare task", bare.one_task, 800),
    "ask through a router": (routed_ask, "a bare ask", bare_ask, 2_000),
    "a request in the app": (http_ask(), "a bare Starlette", starlette, 500),
    "a request as a frame": (frames, "pickle", pickles, 5_000),
}


def measure(name: str, rounds: int) -> Figure:
    """Measure one of ``PAIRS``."""
    ours, peer_name, peer, operations = PAIRS[name]
    return compare(name, ours, peer_name, peer, operations=operations, rounds=rounds)
