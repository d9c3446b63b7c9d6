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
from failsoft.messages.logprobs import TokenLogprob, TopLogprob
from failsoft.messages.reply import FinishReason, TextChunk, TextReply, Usage
from failsoft.messages.request import (
    ChatMessage,
    Control,
    GenerateText,
    Message,
    Request,
    Streamed,
)
from failsoft.messages.response_format import (
    JsonObjectFormat,
    JsonSchema,
    JsonSchemaFormat,
    ResponseFormat,
    TextFormat,
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
    "JsonObjectFormat",
    "JsonSchema",
    "JsonSchemaFormat",
    "Message",
    "ModelLoadingFailed",
    "ModelOverloaded",
    "OutOfMemory",
    "PoisonedRequest",
    "Request",
    "ResponseFormat",
    "Streamed",
    "TextChunk",
    "TextFormat",
    "TextReply",
    "TokenLogprob",
    "TopLogprob",
    "Usage",
    "WorkerLost",
    "error_from",
    "validate_embed",
    "validate_image",
]
