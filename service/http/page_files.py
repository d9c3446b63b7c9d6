"""The live page's files, with headers that have a browser take nothing from elsewhere."""

from __future__ import annotations

from importlib import resources
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_KINDS: Final = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
# What the tree, a model or a caller said is text, and stays so: there is no way to a script.
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "connect-src 'self'",
        "img-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    # Asked for anew each time: they are small, and those of another version don't fit together.
    "cache-control": "no-cache",
}


def page_routes() -> tuple[Route, ...]:
    """Give the routes of the page and its files. All paths in it are relative to the page's."""
    folder = resources.files("failsoft.service.page") / "static"
    files = {file.name: file.read_bytes() for file in folder.iterdir()}

    async def page(_request: Request) -> Response:
        return _answer("index.html", files["index.html"])

    async def file(request: Request) -> Response:
        name: str = request.path_params["name"]
        if name not in files:
            raise HTTPException(404)
        return _answer(name, files[name])

    return (Route("/", page), Route("/page/{name}", file))


def _answer(name: str, content: bytes) -> Response:
    kind = _KINDS[name.rpartition(".")[2]]
    return Response(content, headers={**_HEADERS, "content-type": kind})
