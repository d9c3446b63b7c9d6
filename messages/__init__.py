"""Typed messages, the error taxonomy, input validation and the worker's wire."""

from failsoft.messages.errors import (
    Cancelled,
    ContextLengthExceeded,
    ErrorInfo,
    GenerationFailed,
    InferenceError,
    InferenceTimeout,
    InvalidInput,
    ModelLoadingFailed,
    ModelOverloaded,
    OutOfMemory,
    PoisonedRequest,
    WorkerLost,
    error_from,
)
from failsoft.messages.faults import InjectFault
from failsoft.messages.reply import FinishReason, TextChunk, TextReply, Usage
from failsoft.messages.request import (
    ChatMessage,
    Control,
    GenerateText,
    Message,
    Request,
    Streamed,
)

__all__ = [
    "Cancelled",
    "ChatMessage",
    "ContextLengthExceeded",
    "Control",
    "ErrorInfo",
    "FinishReason",
    "GenerateText",
    "GenerationFailed",
    "InferenceError",
    "InferenceTimeout",
    "InjectFault",
    "InvalidInput",
    "Message",
    "ModelLoadingFailed",
    "ModelOverloaded",
    "OutOfMemory",
    "PoisonedRequest",
    "Request",
    "Streamed",
    "TextChunk",
    "TextReply",
    "Usage",
    "WorkerLost",
    "error_from",
]
