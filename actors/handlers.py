"""Handlers: one typed method a message, found by the message's type when the class is made."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar, overload

import msgspec

from failsoft.actors.reply import Reply
from failsoft.messages import Control, Message, Request, Streamed

AnswerT = TypeVar("AnswerT")
ChunkT = TypeVar("ChunkT")
MethodT = TypeVar("MethodT", bound=Callable[..., Any])


class Handler(msgspec.Struct, frozen=True):
    """Know how a message is handled.

    is_plain: a method that never awaits.
    interleave: each message gets a task of its own, and others are handled meanwhile
        (Orleans calls this interleaving). The actor's state may change at each ``await``.
    cancellable: the handler is cancelled when nobody waits for its answer any more.
    is_control: its messages go in the control lane.
    """

    method: Callable[..., Any]
    is_stream: bool
    interleave: bool
    cancellable: bool
    is_plain: bool
    is_control: bool = False


@overload
def handles(
    kind: type[Request[AnswerT]], *, interleave: bool = False, cancellable: bool = False
) -> Callable[
    [Callable[[Any, Any], AnswerT | Reply[AnswerT] | Awaitable[AnswerT | Reply[AnswerT]]]],
    Callable[[Any, Any], Any],
]: ...


@overload
def handles(
    kind: type[Message], *, interleave: bool = False, cancellable: bool = False
) -> Callable[[Callable[[Any, Any], Awaitable[None] | None]], Callable[[Any, Any], Any]]: ...


def handles(
    kind: type[Message], *, interleave: bool = False, cancellable: bool = False
) -> Callable[..., Any]:
    """Mark the method that handles ``kind``, by ``tell`` or by ``ask``.

    A plain method is called in the actor's loop at the least cost; a coroutine method may
    await, and no other message is handled until it is done, unless it interleaves. What it
    returns is the answer; for an answer that comes later it returns ``self.context.defer()``.
    """
    return _mark("_handles", kind, interleave, cancellable)


def streams(
    kind: type[Streamed[ChunkT]], *, interleave: bool = False, cancellable: bool = True
) -> Callable[
    [Callable[[Any, Any], AsyncIterator[ChunkT] | Reply[None]]], Callable[[Any, Any], Any]
]:
    """Mark the method that answers ``kind`` with a stream: an async generator of chunks.

    It waits at each ``yield`` for a slow reader, and is closed when the reader leaves.
    """
    return _mark("_streams", kind, interleave, cancellable)


def _mark(
    name: str, kind: type[Message], interleave: bool, cancellable: bool
) -> Callable[[MethodT], MethodT]:
    said = f"@{name[1:]}({getattr(kind, '__name__', kind)!s})"
    if not isinstance(kind, type) and callable(kind):
        raise TypeError(f"{said} names no message; write @{name[1:]}(TheMessage)")
    if not (isinstance(kind, type) and issubclass(kind, Message)):
        raise TypeError(f"{said}: a message is a class that derives from Message")

    def mark(method: MethodT) -> MethodT:
        is_stream = inspect.isasyncgenfunction(method)
        is_plain = not (is_stream or inspect.iscoroutinefunction(method))
        if interleave and is_plain:
            raise TypeError(
                f"{method.__qualname__} can't interleave: it never awaits; make it async"
            )
        is_control = issubclass(kind, Control)
        handler = Handler(method, is_stream, interleave, cancellable, is_plain, is_control)
        setattr(method, name, (kind, handler))
        return method

    return mark


def deferring_handler(method: Callable[[Any, Any], Reply[Any]]) -> Handler:
    """Give the handler of a plain method that defers its answers, one or a stream."""
    return Handler(method, is_stream=False, interleave=False, cancellable=False, is_plain=True)


def handlers_of(cls: type, name: str) -> dict[type, Handler]:
    """Collect the handlers of a class and of those it derives from; the nearest one counts.

    Raise TypeError where a class itself has two of the same message.
    """
    found: dict[type, Handler] = {}
    for owner in reversed(cls.__mro__):
        own: dict[type, str] = {}
        for called, method in vars(owner).items():
            if marked := getattr(method, name, None):
                kind, handler = marked
                if kind in own:
                    raise TypeError(
                        f"{owner.__qualname__} has two handlers of {kind.__name__}: "
                        f"{own[kind]}, {called}"
                    )
                own[kind] = called
                found[kind] = handler
    return found
