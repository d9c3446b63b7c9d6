"""The body of a request: bounded before it is read, and while it is."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Receive

from failsoft.service.http.client_watch import ClientGone
from failsoft.service.http.policy import HttpPolicy
from failsoft.service.http.refusals import BodyTooLarge, BodyTooSlow, NotJson
from failsoft.service.http.time_limit import TimeLimit


def check_is_json(headers: Mapping[bytes, bytes]) -> None:
    """Raise NotJson where the body isn't said to be JSON."""
    said = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if said != b"application/json" and not said.endswith(b"+json"):
        raise NotJson("The body must be JSON; send it with Content-Type: application/json.")


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], policy: HttpPolicy) -> bytes:
    """Read the body. Raise BodyTooLarge, BodyTooSlow, or ClientGone."""
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared[:20]) > policy.max_body_bytes:
        raise BodyTooLarge.over(policy.max_body_bytes)
    try:
        with TimeLimit(policy.body_timeout):
            return await _read(receive, policy.max_body_bytes)
    except TimeoutError:
        said = f"The body didn't come within {policy.body_timeout:g} s."
        raise BodyTooSlow(said) from None


async def _read(receive: Receive, most: int) -> bytes:
    pieces: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece: bytes = message.get("body", b"")
        length += len(piece)
        if length > most:
            raise BodyTooLarge.over(most)
        pieces.append(piece)
        if not message.get("more_body", False):
            return piece if len(pieces) == 1 else b"".join(pieces)
