"""The shortcut to an endpoint: looked up by its path, where Starlette tries route by route."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

_NO_PARAMETERS: Final[dict[str, str]] = {}


class Shortcut:
    """Go straight to a route by its method and its path.

    What isn't found goes Starlette's own way, which alone knows of paths with parameters, of what
    others have added, and of how to refuse.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[Route]) -> None:
        self._app = app
        self._routes = {
            (method, route.path): route
            for route in routes
            if not route.param_convertors
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = None
        if scope["type"] == "http":
            path = scope["path"].removeprefix(scope.get("root_path", ""))
            route = self._routes.get((scope["method"], path))
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route
        scope["endpoint"] = route.endpoint
        scope["path_params"] = _NO_PARAMETERS
        await route.app(scope, receive, send)
