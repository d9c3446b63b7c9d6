"""The runtime's own errors. What inference can run into is in ``failsoft.messages``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class ActorError(Exception):
    """Be the base of the runtime's errors."""


class MailboxFull(ActorError):
    """Tell a sender that a lane of the actor's mailbox is full: send less, wait, or raise it."""

    def __init__(self, path: str, bound: int, lane: str = "work") -> None:
        remedy = ""
        if lane == "work":
            remedy = ", or give the actor a larger `mailbox_bound` or another `overflow` policy"
        super().__init__(
            f"the {lane} lane of {path} is full ({bound} messages); slow the sender down{remedy}"
        )
        self.path = path
        self.bound = bound


class ActorStopped(ActorError):
    """Tell an asker that the actor ended before it answered."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path} stopped before it answered: {reason}")
        self.path = path
        self.reason = reason


class AskCycle(ActorError):
    """Tell an asker that the actors of ``paths`` wait for each other, so that no answer can come.

    Instead of a timeout, and like it an answer: who lets it pass has not failed.
    """

    is_refusal = True

    def __init__(self, paths: list[str]) -> None:
        super().__init__(
            f"{' → '.join(paths)}: each waits for the answer of the next; have one of them tell "
            "instead of ask, defer its answer, or let its handler interleave"
        )
        self.paths = tuple(paths)


class MessageDropped(ActorError):
    """Tell an asker that its message was dropped from a full mailbox, as the policy says."""

    def __init__(self, path: str, policy: str) -> None:
        super().__init__(f"the mailbox of {path} was full and its policy is {policy}")
        self.path = path


class StashFull(ActorError):
    """Tell a handler, and who asked it, that the stash has no room for the message in hand.

    An answer, like a full mailbox: a handler that lets it pass has not failed.
    """

    is_refusal = True

    def __init__(self, path: str, bound: int, message: object) -> None:
        super().__init__(
            f"the stash of {path} is full ({bound} messages); unstash in time, or give the actor "
            "a larger `stash_bound`"
        )
        self.path = path
        self.bound = bound
        self.message = message


class UnknownMessage(ActorError):
    """Tell a sender that the actor has no handler for this type of message."""

    def __init__(self, path: str, message: object, known: Any, how: str = "handles") -> None:
        names = ", ".join(sorted(kind.__name__ for kind in known)) or "none"
        super().__init__(f"{path} has no @{how}({type(message).__name__}) handler; it has: {names}")
        self.path = path


class NameTaken(ActorError):
    """Tell that a path or a registered name is in use; choose another, or stop who has it."""

    def __init__(self, name: str, holder: str | None = None) -> None:
        taken = f"there is an actor at {name} already"
        if holder is not None:
            taken = f"the name {name!r} is registered for {holder} already"
        super().__init__(f"{taken}; choose another name")
        self.path = holder or name


class OtherSystem(ActorError):
    """Tell that an actor lives in another system than the one where it was to be used."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} lives in another system; use that one for it")
        self.path = path


class NoSuchActor(ActorError):
    """Tell that there is no actor at a path; the message names those that are near it."""

    def __init__(self, path: str, known: Iterable[str]) -> None:
        near = difflib.get_close_matches(path, list(known), n=3) or sorted(known)[:3]
        super().__init__(f"there is no actor at {path!r}; there is: {', '.join(near) or 'none'}")
        self.path = path


class StartFailed(ActorError):
    """Tell that an actor could not be started; the cause is in ``__cause__``."""

    def __init__(self, path: str, cause: BaseException | str) -> None:
        super().__init__(f"{path} could not be started: {describe(cause)}")
        self.path = path
        if isinstance(cause, BaseException):
            self.__cause__ = cause


class EndedInStart(ActorError):
    """Tell that an actor wanted to end in its own ``on_start``, where nothing has begun yet."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} can't end itself in on_start; raise an error to fail the start, or end it in "
            "a handler, by a message that on_start sends to self.context.ref"
        )
        self.path = path


class ChildFailed(ActorError):
    """Tell that an actor ended because a child of its own failed; the cause is in ``__cause__``."""

    def __init__(self, path: str, cause: BaseException | None) -> None:
        super().__init__(f"{path} failed: {describe(cause)}")
        self.path = path
        self.__cause__ = cause


class TreeFailed(ActorError):
    """Tell that the root of a system failed and the system ended; causes are in ``__cause__``."""

    def __init__(self, path: str, cause: BaseException | None) -> None:
        super().__init__(f"the tree at {path} failed: {describe(cause)}")
        self.path = path
        self.__cause__ = cause


def describe(error: BaseException | str | None) -> str:
    """Say what an error is, in one line."""
    if error is None or isinstance(error, str):
        return error or "no reason given"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
