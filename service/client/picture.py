"""A picture of a running service, as its endpoints give it."""

from __future__ import annotations

import msgspec

from failsoft.actors import TreeNode
from failsoft.service.client.client import ServiceClient
from failsoft.service.client.errors import Refused
from failsoft.service.http.status import StatusAnswer
from failsoft.telemetry import ErrorReport

_NOT_FOUND = 404


class Picture(msgspec.Struct, frozen=True):
    """Hold what a service says of itself. errors: None where its tree has no errors actor."""

    status: StatusAnswer
    tree: tuple[TreeNode, ...]
    errors: ErrorReport | None = None

    @property
    def at(self) -> float:
        """Give when it was taken, on the system's clock."""
        return self.status.at


def take_picture(client: ServiceClient, *, with_errors: bool = False) -> Picture:
    """Ask the service. Raise CommandFailed."""
    status = client.get("/status", StatusAnswer)
    tree = client.get("/tree", tuple[TreeNode, ...])
    return Picture(status, tree, _errors(client) if with_errors else None)


def _errors(client: ServiceClient) -> ErrorReport | None:
    try:
        return client.get("/error_metrics", ErrorReport)
    except Refused as refusal:
        if refusal.status != _NOT_FOUND:
            raise
        return None
