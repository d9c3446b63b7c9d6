"""Typed messages, the error taxonomy, input validation and the worker's wire."""

from failsoft.messages.embedding import Embed, EmbeddingReply, validate_embed
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
from failsoft.messages.image import GenerateImage, ImageProgress, ImageReply, validate_image
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
    "Embed",
    "EmbeddingReply",
    "ErrorInfo",
    "FinishReason",
    "GenerateImage",
    "GenerateText",
    "GenerationFailed",
    "ImageProgress",
    "ImageReply",
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
    "validate_embed",
    "validate_image",
]
