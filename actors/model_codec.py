"""Between a model actor's messages and its worker's frames: the types that requests name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from failsoft.actors.model_jobs import Job
from failsoft.messages import InvalidInput, Request
from failsoft.messages.frames import Run
from failsoft.messages.wire import MAX_FRAME_BYTES, raw

# What a frame holds besides the request: ids, a deadline, a correlation id.
_MOST_BYTES = MAX_FRAME_BYTES - 65_536

_Decoder = msgspec.msgpack.Decoder[Any]


class ModelCodec:
    """Encode requests of the given types, and decode their replies and chunks."""

    def __init__(self, requests: Sequence[type[Request[Any]]]) -> None:
        self._replies: dict[type, _Decoder] = {
            kind: msgspec.msgpack.Decoder(Any if kind.reply_type is None else kind.reply_type)
            for kind in requests
        }
        self._chunks: dict[type, _Decoder] = {
            kind: msgspec.msgpack.Decoder(getattr(kind, "chunk_type", None) or Any)
            for kind in requests
        }

    def encode(self, request: Request[Any]) -> msgspec.Raw:
        """Encode a request. Raises InvalidInput where the wire can't carry it."""
        try:
            body = raw(request)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise InvalidInput.in_fields({"request": f"can't be encoded ({error})"}) from error
        size = memoryview(body).nbytes
        if size > _MOST_BYTES:
            said = f"is too large: {size} bytes; at most {_MOST_BYTES} can be sent"
            raise InvalidInput.in_fields({"request": said})
        return body

    def run(self, job: Job) -> Run:
        """Give the frame that starts ``job``."""
        deadline = None if job.reply.deadline == math.inf else job.reply.deadline
        is_timed = job.traceparent is not None
        return Run(job.id, job.body, job.is_stream, deadline, job.correlation_id, is_timed)

    def reply(self, job: Job, value: msgspec.Raw) -> Any:
        """Decode the reply to ``job``. Raises msgspec.DecodeError where it is none."""
        return self._replies[job.kind].decode(value)

    def chunk(self, job: Job, value: msgspec.Raw) -> Any:
        """Decode a chunk of the answer to ``job``. Raises msgspec.DecodeError where it is none."""
        return self._chunks[job.kind].decode(value)
