"""Supervised inference: an asyncio actor system in which models fail softly.

General layout, from the bottom up: ``messages`` (words), ``gpu`` (worker processes and engines),
``actors`` (the runtime and the model actor), ``supervisors`` (the tree and its policies),
``telemetry`` (actors that listen), ``service`` (the command, the demo).

The names below are loaded when first used, so that ``import failsoft`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from failsoft.actors import Actor as Actor
    from failsoft.actors import Ref as Ref
    from failsoft.actors import System as System
    from failsoft.actors import handles as handles
    from failsoft.actors import streams as streams
    from failsoft.gpu import WorkerSpec as WorkerSpec
    from failsoft.gpu import embedding_worker as embedding_worker
    from failsoft.gpu import image_worker as image_worker
    from failsoft.gpu import text_worker as text_worker
    from failsoft.messages import ChatMessage as ChatMessage
    from failsoft.messages import Embed as Embed
    from failsoft.messages import GenerateImage as GenerateImage
    from failsoft.messages import GenerateText as GenerateText
    from failsoft.messages import InferenceError as InferenceError
    from failsoft.messages import Message as Message
    from failsoft.messages import Request as Request
    from failsoft.messages import TextChunk as TextChunk
    from failsoft.messages import TextReply as TextReply
    from failsoft.supervisors import Backoff as Backoff
    from failsoft.supervisors import ChildSpec as ChildSpec
    from failsoft.supervisors import Intensity as Intensity
    from failsoft.supervisors import candidate as candidate
    from failsoft.supervisors import child as child
    from failsoft.supervisors import model as model
    from failsoft.supervisors import pool as pool
    from failsoft.supervisors import router as router
    from failsoft.supervisors import supervisor as supervisor

_HOMES = {
    "Actor": "actors",
    "Backoff": "supervisors",
    "ChatMessage": "messages",
    "ChildSpec": "supervisors",
    "Embed": "messages",
    "GenerateImage": "messages",
    "GenerateText": "messages",
    "InferenceError": "messages",
    "Intensity": "supervisors",
    "Message": "messages",
    "Ref": "actors",
    "Request": "messages",
    "System": "actors",
    "TextChunk": "messages",
    "TextReply": "messages",
    "WorkerSpec": "gpu",
    "candidate": "supervisors",
    "child": "supervisors",
    "handles": "actors",
    "model": "supervisors",
    "pool": "supervisors",
    "router": "supervisors",
    "streams": "actors",
    "supervisor": "supervisors",
    "embedding_worker": "gpu",
    "image_worker": "gpu",
    "text_worker": "gpu",
}

__all__ = [
    "Actor",
    "Backoff",
    "ChatMessage",
    "ChildSpec",
    "Embed",
    "GenerateImage",
    "GenerateText",
    "InferenceError",
    "Intensity",
    "Message",
    "Ref",
    "Request",
    "System",
    "TextChunk",
    "TextReply",
    "WorkerSpec",
    "candidate",
    "child",
    "embedding_worker",
    "handles",
    "image_worker",
    "model",
    "pool",
    "router",
    "streams",
    "supervisor",
    "text_worker",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'failsoft' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"failsoft.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
