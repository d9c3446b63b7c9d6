"""Candidates, made of what a file says of models."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, assert_never

from msgspec import UNSET

from failsoft.actors import Actor, RemoteSpec, WorkerSpec
from failsoft.gpu import embedding_worker, image_worker, text_worker
from failsoft.gpu.scripted import scripted
from failsoft.service.config.models import (
    EmbeddingModel,
    ImageModel,
    ModelConfig,
    RemoteModelConfig,
    ScriptedModel,
    TextModel,
)
from failsoft.service.config.secret import Secrets
from failsoft.supervisors import Candidate, model, pool, remote, replica

InWorker: TypeAlias = TextModel | ImageModel | EmbeddingModel | ScriptedModel


def candidate_of(
    name: str, config: ModelConfig, secrets: Secrets, id: str | None = None
) -> Candidate:
    """Describe a model as a router's candidate. id: where that isn't its name.

    Raise ValueError for what contradicts itself.
    """
    fields = {"id": id or name, "name": name, **config.candidate_fields()}
    if isinstance(config, RemoteModelConfig):
        return remote(spec=remote_spec_of(config, secrets), **fields)
    fields |= {"worker": worker_of(config), **config.actor_fields()}
    of_pool = config.pool_fields()
    return pool(**of_pool, **fields) if of_pool else model(**fields)


def replica_of(config: InWorker) -> Callable[[], Actor]:
    """Give what makes a replica of a model. Raise ValueError."""
    return replica(worker_of(config), **config.actor_fields())


def worker_of(config: InWorker) -> WorkerSpec:
    """Describe the worker of a model. Raise ValueError."""
    fields = config.worker_fields()
    match config:
        case TextModel():
            return text_worker(config.source, **fields)
        case ImageModel():
            return image_worker(config.source, **fields)
        case EmbeddingModel():
            return embedding_worker(config.source, **fields)
        case ScriptedModel():
            return scripted(config.script, **fields)
        case _:
            assert_never(config)


def remote_spec_of(config: RemoteModelConfig, secrets: Secrets) -> RemoteSpec:
    """Describe a model that is served elsewhere. Raise ValueError; NoSecret, which is one."""
    fields = config.server_fields()
    if config.api_key is not UNSET:
        fields["api_key"] = secrets.secret(config.api_key)
    if config.headers is not UNSET:
        headers = config.headers.items()
        fields["headers"] = {name: secrets.open_or_secret(value) for name, value in headers}
    return RemoteSpec(**fields)
