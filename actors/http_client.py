"""HTTP clients of this process. They share one TLS context, which isn't made on the event loop."""

from __future__ import annotations

import asyncio
import functools
import logging
import ssl
from typing import Any

import httpx2

# It would log each request with its URL, which may hold a secret.
_log = logging.getLogger("httpx2")
if _log.level == logging.NOTSET:
    _log.setLevel(logging.WARNING)


async def open_client(**options: Any) -> httpx2.AsyncClient:
    """Give a client with these options of ``httpx2.AsyncClient``."""
    # Reading all those certificates takes 0.04 to 0.2 s.
    return httpx2.AsyncClient(verify=await asyncio.to_thread(_tls_context), **options)


@functools.cache
def _tls_context() -> ssl.SSLContext:
    return httpx2.create_ssl_context()
