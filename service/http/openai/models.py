"""``/v1/models``."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from failsoft.service.http.endpoint import Endpoint
from failsoft.service.http.exchange import Exchange
from failsoft.service.http.refusals import ModelNotFound


class Model(msgspec.Struct, frozen=True):
    """Be a model that may be asked. created: not known, so 0."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "failsoft"


class ModelList(msgspec.Struct, frozen=True):
    data: tuple[Model, ...]
    object: Literal["list"] = "list"


async def list_models(exchange: Exchange) -> None:
    """Answer with all names of models."""
    await exchange.answer(ModelList(tuple(map(Model, exchange.gateway.models.names))))


async def get_model(exchange: Exchange) -> None:
    """Answer with one of them."""
    name: str = exchange.scope["path_params"]["model"]
    names = exchange.gateway.models.names
    if name not in names:
        raise ModelNotFound.among(f"There is no model {name[:64]!r}", names)
    await exchange.answer(Model(name))


MODELS: Final = (
    Endpoint(
        method="GET",
        path="/v1/models",
        summary="List the models.",
        handler=list_models,
        reply=ModelList,
        is_openai=True,
    ),
    Endpoint(
        method="GET",
        path="/v1/models/{model:path}",
        summary="Tell of one model.",
        handler=get_model,
        reply=Model,
        is_openai=True,
    ),
)
