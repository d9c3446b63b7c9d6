"""The hub that models are fetched from: whether it has one, and can be reached."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from typing import Final

_LIMIT: Final = 10.0
_NO_SUCH: Final = (401, 403, 404)


def is_offline() -> bool:
    """Tell whether nothing may be fetched."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def endpoint() -> str | None:
    """Give where the hub is; None without the package that fetches from it."""
    try:
        from huggingface_hub import constants
    except ImportError:
        return None
    return str(constants.ENDPOINT)


def trouble_with(hub_id: str, hub: str | None) -> str:
    """Ask the hub for a model; give why it can't be fetched, or nothing where it can."""
    if hub is None:
        return "huggingface_hub is not installed"
    try:
        with urllib.request.urlopen(f"{hub}/api/models/{hub_id}", timeout=_LIMIT):
            return ""
    except urllib.error.HTTPError as error:
        if error.code in _NO_SUCH:
            return f"{hub} has no such model, or it is a private one (status {error.code})"
        return f"{hub} answers with status {error.code}"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"{hub} can't be reached: {getattr(error, 'reason', error)}"
