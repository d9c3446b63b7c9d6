"""``/v1/embeddings``."""

from __future__ import annotations

import base64
import struct
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from failsoft.messages import Embed, validate_embed
from failsoft.service.http.endpoint import Endpoint
from failsoft.service.http.exchange import Exchange
from failsoft.service.http.openai.unserved import NoneAlone, unserved_errors
from failsoft.service.http.openai.usage import Made
from failsoft.service.http.refusals import InvalidBody
from failsoft.service.http.text_bodies import Prompt, Timeout


class EmbeddingsBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for the vectors of one or more texts. Of dimensions only null is served."""

    input: Prompt | Annotated[tuple[Prompt, ...], Meta(min_length=1)]
    model: str | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None
    timeout: Timeout | None = None
    dimensions: NoneAlone = None


class Embedding(msgspec.Struct, frozen=True, kw_only=True):
    """Be a text's vector: numbers, or base64 of them as 32-bit floats, the low byte first."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: tuple[float, ...] | str


class EmbeddingUsage(msgspec.Struct, frozen=True):
    prompt_tokens: int
    total_tokens: int


class Embeddings(msgspec.Struct, frozen=True, kw_only=True):
    """Answer with vectors, in the order of the texts."""

    object: Literal["list"] = "list"
    data: tuple[Embedding, ...]
    model: str
    usage: EmbeddingUsage
    failsoft: Made


async def embed(exchange: Exchange) -> None:
    """Answer with the texts' vectors."""
    body = await exchange.read(EmbeddingsBody)
    exchange.allow(body.timeout)
    if errors := unserved_errors(body):
        raise InvalidBody.in_fields(errors)
    is_one = isinstance(body.input, str)
    texts = (body.input,) if isinstance(body.input, str) else body.input
    request = exchange.check(
        validate_embed,
        Embed(texts, priority=exchange.caller.priority, tenant=exchange.caller.tenant),
        {"texts[0]" if is_one else "texts": "input"},
    )
    served = exchange.gateway.find(Embed, body.model)
    reply = await exchange.ask(served.ref, request)
    is_packed = body.encoding_format == "base64"
    tokens = reply.usage.prompt_tokens
    await exchange.answer(
        Embeddings(
            data=tuple(
                Embedding(index=index, embedding=_packed(vector) if is_packed else vector)
                for index, vector in enumerate(reply.vectors)
            ),
            model=served.name,
            usage=EmbeddingUsage(tokens, tokens),
            failsoft=Made.of([reply]),
        )
    )


def _packed(vector: tuple[float, ...]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")


EMBEDDINGS: Final = Endpoint(
    method="POST",
    path="/v1/embeddings",
    summary="Make vectors of texts.",
    handler=embed,
    body=EmbeddingsBody,
    reply=Embeddings,
    is_work=True,
    is_openai=True,
)
