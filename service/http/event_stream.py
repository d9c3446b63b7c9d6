"""Server-sent events: an answer that comes in pieces, and what becomes of an error in its midst."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from failsoft.messages import InferenceError
from failsoft.service.http.client_watch import ClientGone
from failsoft.service.http.error_body import as_answer
from failsoft.service.http.exchange import Exchange
from failsoft.service.http.observed import ERROR_TYPE


@contextlib.asynccontextmanager
async def sending_events(
    exchange: Exchange, encode_error: Callable[[InferenceError], bytes], error_name: str = ""
) -> AsyncIterator[None]:
    """Give a block that sends events; end the stream after it.

    An error before the first event is raised, for it can still have its status; one that comes
    later is an event, called ``error_name``, and the last. Raise ClientGone.
    """
    try:
        with exchange.watched():
            yield
    except ClientGone:
        raise
    except Exception as error:
        gone = _gone(error)
        if gone is not None or not exchange.has_begun:
            raise gone or error from None
        answer = as_answer(error)
        exchange.scope[ERROR_TYPE] = answer.kind
        await exchange.send_event(encode_error(answer), error_name)
    await exchange.end_events()


def _gone(error: Exception) -> ClientGone | None:
    """Give the ClientGone that one of several streams ended with."""
    if not isinstance(error, ExceptionGroup):
        return None
    return next((each for each in error.exceptions if isinstance(each, ClientGone)), None)
