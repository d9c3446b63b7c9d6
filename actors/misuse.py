"""Errors for what can only be a mistake in the code: raised at the line that is wrong."""

from __future__ import annotations

from failsoft.actors.errors import ActorError


class NotAMessage(ActorError, TypeError):
    """Tell a sender that what it sends is no message."""

    def __init__(self, path: str, sent: object) -> None:
        if isinstance(sent, type):
            said = f"the class {sent.__name__} itself; send one of it: {sent.__name__}(…)"
        else:
            said = (
                f"a {type(sent).__name__}; send an instance of a class that derives from Message: "
                "`class Add(Message, frozen=True): n: int`"
            )
        super().__init__(f"{path} was sent {said}")
        self.path = path


class NotAwaited(ActorError, TypeError):
    """Tell that a plain handler gave a coroutine, which nobody would ever run."""

    def __init__(self, path: str, method: str) -> None:
        super().__init__(
            f"{method} of {path} is a plain method, and returned a coroutine; make it "
            "`async def`, and await what it calls"
        )
        self.path = path


class ActorInUse(ActorError, RuntimeError):
    """Tell that a factory gave an actor that is alive already, maybe in another system."""

    def __init__(self, path: str, other: str) -> None:
        super().__init__(
            f"the factory of {path} gave the very actor that lives at {other}; each call must make "
            "a new one"
        )
        self.path = path


class SystemNotRunning(ActorError, RuntimeError):
    """Tell that a system was used before its block was entered, or as it is left."""

    @classmethod
    def yet(cls) -> SystemNotRunning:
        return cls(
            "the system isn't running yet; enter its block first: `async with System() as system: "
            "await system.spawn(…)`"
        )

    @classmethod
    def any_more(cls) -> SystemNotRunning:
        return cls("the system is closing, or has ended; nothing can be spawned in it any more")

    @classmethod
    def twice(cls) -> SystemNotRunning:
        return cls("a system has one block, which this one has entered; make another")


class StoppedItself(ActorError, RuntimeError):
    """Tell that an actor waits for its own end, or for that of one above it."""

    def __init__(self, path: str, asker: str) -> None:
        super().__init__(
            f"{asker} can't wait for the end of {path}, which waits for {asker} to end; use "
            "`self.context.exit()`, or have a task outside of the tree stop it"
        )
        self.path = path


class WrongThread(ActorError, RuntimeError):
    """Tell that an actor was sent to from a thread other than its loop's.

    Found where the actor was idle, which costs nobody else anything.
    """

    def __init__(self) -> None:
        super().__init__(
            "an actor was sent a message from another thread than its event loop's; use "
            "`loop.call_soon_threadsafe(ref.tell, message)`, or "
            "`asyncio.run_coroutine_threadsafe(ref.ask(request), loop)`"
        )
