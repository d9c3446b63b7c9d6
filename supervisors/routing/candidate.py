"""Candidates: the models of a router, and what each is good for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from failsoft.actors import Actor, ModelActor, RemoteModel, RemoteSpec, WorkerSpec
from failsoft.messages import Request
from failsoft.supervisors.routing.admission import Admission
from failsoft.supervisors.routing.breaker import Breaker
from failsoft.supervisors.spec import ChildSpec


class Candidate(ChildSpec, frozen=True, kw_only=True):
    """Describe a child of a router.

    least_time: seconds below which a request isn't worth sending to it: it is skipped.
    answers: the types of request that it takes; all of the router's, where none is named.
    streams: whether it can answer in chunks.
    max_context: tokens that a prompt may have, where that differs between candidates: a prompt
        that is surely longer skips it, and one that it finds too long goes on to one that takes
        more.
    canary: a request that is sent, instead of somebody's, to find out whether it is well again
        after its circuit was open; say one of a single token.
    breaker, admission: its own, where they differ from its router's.
    at_once: requests that it is known to gain by having at a time: where that is more than its
        limit's ``initial``, the limit begins there.
    is_pool: it has several workers: one that is lost is no reason to leave it for another model.
    name: what replies call it, where that isn't its id: of two that follow each other under one
        name, each needs an id of its own.
    """

    least_time: float = 0.0
    answers: tuple[type[Request[Any]], ...] = ()
    streams: bool = True
    max_context: int | None = None
    canary: Request[Any] | None = None
    breaker: Breaker | None = None
    admission: Admission | None = None
    at_once: int | None = None
    is_pool: bool = False
    name: str = ""

    @property
    def called(self) -> str:
        """Give what replies call it."""
        return self.name or self.id

    @property
    def is_choosy(self) -> bool:
        """Tell whether there are requests that don't suit it."""
        return bool(self.answers) or not self.streams or self.max_context is not None

    def suits(self, request: object, is_stream: bool) -> bool:
        """Tell whether it can take such a request at all."""
        if is_stream and not self.streams:
            return False
        if self.answers and not isinstance(request, self.answers):
            return False
        return self.max_context is None or _least_tokens(request) <= self.max_context

    def surely_takes(self, prompt_tokens: int) -> bool:
        """Tell whether it is known to take a prompt of so many tokens."""
        return self.max_context is not None and 0 < prompt_tokens <= self.max_context


def _least_tokens(request: object) -> int:
    """Give a number of tokens that the prompt surely has: each word is one, or more."""
    prompt = getattr(request, "prompt", "")
    if isinstance(prompt, str):
        return len(prompt.split())
    return sum(len(message.content.split()) for message in prompt)


def candidate(id: str, start: Callable[[], Actor], **fields: Any) -> Candidate:
    """Describe a child of a router: an actor that handles its requests.

    See ``Candidate`` and ``ChildSpec`` for the ``fields``.
    """
    return Candidate(id=id, start=start, **fields)


_FIELDS = frozenset(Candidate.__struct_fields__)


def model(
    id: str,
    worker: WorkerSpec,
    **options: Any,
) -> Candidate:
    """Describe a model in a worker process, as a router's candidate.

    ``options`` are the fields of ``Candidate`` and ``ChildSpec``; the others go to ``ModelActor``.
    """
    fields = {name: options.pop(name) for name in _FIELDS & options.keys()}
    fields.setdefault("at_once", worker.at_once)
    start = functools.partial(ModelActor, worker, **options)
    return candidate(id, start, **fields)


def remote(id: str, spec: RemoteSpec, **fields: Any) -> Candidate:
    """Describe a model behind an OpenAI-compatible server, as a router's candidate.

    See ``Candidate`` and ``ChildSpec`` for the ``fields``.
    """
    fields.setdefault("at_once", spec.max_concurrent)
    return candidate(id, functools.partial(RemoteModel, spec), **fields)
