"""Say where a remote model is, and how much may be asked of it at a time."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

import msgspec

_HIDDEN = "***"
_MOST_OF_NO_SECRET = 4


class RemoteSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Describe a model behind an OpenAI-compatible server. Times are in seconds.

    base_url: up to the version, such as ``http://localhost:8000/v1``.
    model: the server's name for it.
    api_key: sent as a bearer token. It shows in no error, log line or picture of the tree, and
        nor do the headers' values.
    headers: sent with each request.
    max_concurrent: requests under way at a time; more wait, the higher priority first.
    queue_limit: how many may wait; more are refused.
    connect_limit: how long a connection may take to be made.
    silence_limit: how long the server may send nothing with a request in hand.
    check_every: time between two looks at whether the server is there.
    max_tokens_field: some servers have ``max_completion_tokens`` instead.

    Raises ValueError where a field makes no sense.
    """

    base_url: str
    model: str
    api_key: str | None = None
    headers: dict[str, str] = {}
    max_concurrent: int = 16
    queue_limit: int = 64
    connect_limit: float = 5.0
    silence_limit: float = 60.0
    check_every: float = 10.0
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"

    def __post_init__(self) -> None:
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname or url.port == 0:
            raise ValueError("base_url must be like http://host:port/v1")
        if "@" in url.netloc or url.query or url.fragment:
            raise ValueError("base_url must hold no password and no query; use api_key or headers")
        if not self.model:
            raise ValueError("model must name a model of the server")
        for name, value in self._secret_headers():
            if not (name.isascii() and value.isascii() and (name + value).isprintable()):
                raise ValueError(f"the header {name!a} must be of printable ASCII characters")
        for field in ("max_concurrent", "queue_limit"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be at least 1; it is {getattr(self, field)}")
        for field in ("connect_limit", "silence_limit", "check_every"):
            if not getattr(self, field) > 0:
                raise ValueError(f"{field} must be over 0 s; it is {getattr(self, field)}")

    def __repr__(self) -> str:
        return f"RemoteSpec(base_url={self.base_url!r}, model={self.model!r})"

    def all_headers(self) -> dict[str, str]:
        """Give the headers to send, the key's included."""
        return dict(self._secret_headers())

    def without_secrets(self, text: str) -> str:
        """Give ``text``, which came from the server, with our secrets in it hidden."""
        # A header's value of a few characters hides nothing, but may be in any word.
        values = [value for value in self.headers.values() if len(value) > _MOST_OF_NO_SECRET]
        for secret in sorted([*values, self.api_key or ""], key=len, reverse=True):
            text = text.replace(secret, _HIDDEN) if secret else text
        return text

    def _secret_headers(self) -> list[tuple[str, str]]:
        key = [] if self.api_key is None else [("Authorization", f"Bearer {self.api_key}")]
        return [*key, *self.headers.items()]
