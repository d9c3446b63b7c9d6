"""Routes: models that stand in for one another, under the names that callers know."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from failsoft.service.config.models import Positive
from failsoft.supervisors import Backoff, Intensity, RoutePolicy


class RouteConfig(RoutePolicy, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Describe a router: its models, and its policy.

    models: names of ``[models]``, the preferred one first.
    aliases: other names that callers may use, such as ``gpt-4o-mini``.
    backoff: the waits before a model is started anew.
    intensity, cool_down: a model that is restarted more often than ``intensity`` is left alone for
        ``cool_down`` seconds, longer each time in a row; ``false`` escalates instead.
    """

    models: Annotated[tuple[str, ...], Meta(min_length=1)]
    aliases: tuple[str, ...] = ()
    backoff: Backoff | UnsetType = UNSET
    intensity: Intensity | UnsetType = UNSET
    cool_down: Positive | UnsetType | None = UNSET

    def policy(self) -> RoutePolicy:
        """Give what the router is told of its requests."""
        return RoutePolicy(**{name: getattr(self, name) for name in RoutePolicy.__struct_fields__})
