"""An operator's orders to a running service, and what came of them in words."""

from __future__ import annotations

import difflib
from typing import Final

from failsoft.actors import TreeNode
from failsoft.service.client.client import ServiceClient
from failsoft.service.client.errors import CommandFailed, Refused
from failsoft.service.http.operator import Done
from failsoft.service.http.status import StatusAnswer
from failsoft.service.page.rows import rows_of

# Over what the service itself waits for what it is told to do.
_LIMIT: Final = 130.0
_DRAIN_LIMIT: Final = 630.0
_ROLLOUT_LIMIT: Final = 3_630.0
_MOST_NEAR: Final = 3
_NO_SUCH_PATH: Final = (404, 422)


def restart_actor(client: ServiceClient, path: str) -> str:
    """Restart the actor at ``path``. Raise CommandFailed."""
    path = path.strip("/")
    _order_at(client, "/operator/restart", path, _LIMIT)
    return f"{path} was restarted."


def drain_model(client: ServiceClient, path: str) -> str:
    """Have a router's candidate answer what it has, and stop. Raise CommandFailed."""
    path = path.strip("/")
    _order_at(client, "/operator/drain", path, _DRAIN_LIMIT)
    return f"{path} is drained, and stopped. `failsoft restart {path}` brings it back."


def roll_out(client: ServiceClient, path: str) -> str:
    """Have a pool's replicas replaced, one at a time. Raise CommandFailed."""
    path = path.strip("/")
    done = _order_at(client, "/operator/rollout", path, _ROLLOUT_LIMIT)
    return f"All {done.count} replicas of {path} were replaced."


def drain_service(client: ServiceClient) -> str:
    """Have the service take no more work. Raise CommandFailed."""
    client.order("/operator/drain", {}, Done, _LIMIT)
    in_hand = client.get("/status", StatusAnswer).in_hand
    return (
        f"The service takes no more work, and has {in_hand} requests in hand. "
        "It goes on running until SIGTERM."
    )


def _order_at(client: ServiceClient, endpoint: str, path: str, limit: float) -> Done:
    try:
        return client.order(endpoint, {"path": path}, Done, limit)
    except Refused as refusal:
        if refusal.status in _NO_SUCH_PATH and (said := _no_such_path(client, path)):
            raise CommandFailed(said) from refusal
        raise


def _no_such_path(client: ServiceClient, path: str) -> str:
    """Say which paths are near to one that isn't in the tree; empty where it is."""
    rows = rows_of(client.get("/tree", tuple[TreeNode, ...]), {}, 0.0)
    paths = [row.path for row in rows]
    if path in paths:
        return ""
    name = path.rpartition("/")[2]
    ends = [each for each in paths if each.rpartition("/")[2] == name]
    near = [*ends, *difflib.get_close_matches(path, paths, _MOST_NEAR)]
    near = list(dict.fromkeys(near))[:_MOST_NEAR]
    there = f"Near to it: {', '.join(near)}." if near else "`failsoft tree` shows what there is."
    return f"There is no actor at {path}. {there}"
