"""Models: a worker and its candidate each, as ``[models.NAME]`` describes them.

What isn't said is left to the Python API: no default is written down twice.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from failsoft.actors import Wear
from failsoft.gpu.placement import RayPlacement
from failsoft.gpu.script import Script
from failsoft.messages import Embed, GenerateImage, GenerateText, Request
from failsoft.service.config.secret import OpenOrSecret, Secret
from failsoft.service.config.source import Source
from failsoft.supervisors import (
    Admission,
    Affinity,
    Autoscale,
    Backoff,
    Breaker,
    Candidate,
    Restart,
)
from failsoft.supervisors.pool.pool import first_replicas

Count: TypeAlias = Annotated[int, Meta(ge=1)]
Seconds: TypeAlias = Annotated[float, Meta(ge=0)]
Positive: TypeAlias = Annotated[float, Meta(gt=0)]
Share: TypeAlias = Annotated[float, Meta(gt=0, le=1)]
Device: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^(auto|cpu|mps|cuda(:[0-9]+)?)$",
        extra={"must": "be auto, cpu, mps, cuda or cuda:N"},
    ),
]

Dtype: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]

_CANDIDATE: Final = frozenset(Candidate.__struct_fields__)
_ACTOR: Final = frozenset({"queue_limit", "max_in_worker", "standby", "wear"})
_POOL: Final = frozenset({"replicas", "autoscale", "affinity"})


class _Model(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"
):
    """Describe a candidate of a route."""

    restart: Restart | UnsetType = UNSET
    shutdown: Seconds | UnsetType = UNSET
    backoff: Backoff | UnsetType = UNSET
    least_time: Seconds | UnsetType = UNSET
    max_context: Count | UnsetType = UNSET
    breaker: Breaker | UnsetType = UNSET
    admission: Admission | UnsetType = UNSET

    @property
    def answers(self) -> type[Request[Any]]:
        """Give the type of request that it is for."""
        return GenerateText

    def candidate_fields(self) -> dict[str, Any]:
        """Give what is said of it as a child and a candidate."""
        return {name: value for name, value in self._said() if name in _CANDIDATE}

    def _said(self) -> list[tuple[str, Any]]:
        said = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return [(name, value) for name, value in said if value is not UNSET]


class WorkerModel(_Model, frozen=True, kw_only=True):
    """Describe a model in a worker of its own."""

    run_in: Literal["process", "thread"] | UnsetType = UNSET
    placement: Literal["ray"] | RayPlacement | UnsetType = UNSET
    threads: Count | UnsetType = UNSET
    heartbeat_every: Positive | UnsetType = UNSET
    heartbeat_limit: Positive | UnsetType = UNSET
    hang_limit: Positive | UnsetType = UNSET
    first_step_limit: Positive | UnsetType = UNSET
    queue_limit: Count | UnsetType = UNSET
    max_in_worker: Count | UnsetType = UNSET
    standby: bool | UnsetType = UNSET
    wear: Wear | UnsetType = UNSET
    replicas: Count | UnsetType = UNSET
    autoscale: Autoscale | UnsetType = UNSET
    affinity: Affinity | UnsetType = UNSET

    def actor_fields(self) -> dict[str, Any]:
        """Give what is said of it as an actor."""
        return {name: value for name, value in self._said() if name in _ACTOR}

    def pool_fields(self) -> dict[str, Any]:
        """Give what is said of its replicas; empty where it has but one worker."""
        return {name: value for name, value in self._said() if name in _POOL}

    def differs_in_size_alone(self, other: ModelConfig) -> bool:
        """Tell whether another one is the same model with another number of replicas."""
        return isinstance(other, WorkerModel) and (
            msgspec.structs.replace(self, replicas=UNSET)
            == msgspec.structs.replace(other, replicas=UNSET)
        )

    def rolls_to(self, other: ModelConfig) -> bool:
        """Tell whether its replicas can be replaced by those of another one, one at a time.

        So it is where what differs is what runs in them, and how many there are.
        """
        if not isinstance(other, WorkerModel) or type(other) is not type(self):
            return False
        if not (self.pool_fields() and other.pool_fields()):
            return False
        fields = _CANDIDATE | _POOL - {"replicas"}
        said = [[each for each in one._said() if each[0] in fields] for one in (self, other)]
        return said[0] == said[1]

    @property
    def replicas_at_first(self) -> int:
        """Give how many workers serve when it has been started."""
        of_pool = self.pool_fields()
        return first_replicas(of_pool.get("replicas"), of_pool.get("autoscale")) if of_pool else 1

    @property
    def workers_at_first(self) -> int:
        """Give how many workers there are by then, those that stand by with them."""
        return self.replicas_at_first * (2 if self.standby is True else 1)

    def worker_fields(self) -> dict[str, Any]:
        """Give what is said of its worker and its engine."""
        others = _CANDIDATE | _ACTOR | _POOL | {"source", "script"}
        said = {name: value for name, value in self._said() if name not in others}
        if self.placement == "ray":
            said["placement"] = RayPlacement()
        return said


class LoadedModel(WorkerModel, frozen=True, kw_only=True):
    """Describe a model that is loaded from files.

    source: a hub id; a folder or GGUF file, as a path that begins with ``./``, ``../``, ``~`` or
        ``/``; or one that lies in the package, such as ``failsoft:tiny-text``.
    """

    source: Source
    device: Device | UnsetType = UNSET
    dtype: Dtype | UnsetType = UNSET
    max_memory_share: Share | UnsetType = UNSET


class TextModel(LoadedModel, frozen=True, kw_only=True, tag="text"):
    """Describe a language model."""

    gguf_file: str | UnsetType = UNSET
    max_tokens_limit: Count | UnsetType = UNSET
    context_length: Count | UnsetType = UNSET
    max_batch: Count | UnsetType = UNSET
    max_batch_tokens: Count | UnsetType = UNSET
    batch_delay: Seconds | UnsetType = UNSET
    continuous: bool | UnsetType = UNSET
    prompt_chunk: Count | UnsetType = UNSET
    prefix_tokens: Annotated[int, Meta(ge=0)] | UnsetType = UNSET


class ImageModel(LoadedModel, frozen=True, kw_only=True, tag="image"):
    """Describe a diffusion model."""

    variant: str | UnsetType = UNSET
    own_size: bool | UnsetType = UNSET

    @property
    def answers(self) -> type[Request[Any]]:
        return GenerateImage


class EmbeddingModel(LoadedModel, frozen=True, kw_only=True, tag="embedding"):
    """Describe an embedding model."""

    context_length: Count | UnsetType = UNSET
    batch_tokens: Count | UnsetType = UNSET

    @property
    def answers(self) -> type[Request[Any]]:
        return Embed


class ScriptedModel(WorkerModel, frozen=True, kw_only=True, tag="scripted"):
    """Describe a worker without a model, which does what a script says: for tests of a tree.

    script: what it does; without one it echoes prompts.
    """

    script: Script = Script()


class RemoteModelConfig(_Model, frozen=True, kw_only=True, tag="remote"):
    """Describe a model behind an OpenAI-compatible server.

    serves: what it is asked for, ``text`` or ``embedding``.
    """

    base_url: str
    model: str
    serves: Literal["text", "embedding"] = "text"
    api_key: Secret | UnsetType = UNSET
    headers: dict[str, OpenOrSecret] | UnsetType = UNSET
    max_concurrent: Count | UnsetType = UNSET
    queue_limit: Count | UnsetType = UNSET
    connect_limit: Positive | UnsetType = UNSET
    silence_limit: Positive | UnsetType = UNSET
    check_every: Positive | UnsetType = UNSET
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] | UnsetType = UNSET

    @property
    def answers(self) -> type[Request[Any]]:
        return GenerateText if self.serves == "text" else Embed

    def server_fields(self) -> dict[str, Any]:
        """Give what is said of the server, its secrets but by their names."""
        others = _CANDIDATE | {"serves"}
        return {name: value for name, value in self._said() if name not in others}


ModelConfig: TypeAlias = TextModel | ImageModel | EmbeddingModel | RemoteModelConfig | ScriptedModel
