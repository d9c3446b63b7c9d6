"""What a supervisor can say went wrong."""

from __future__ import annotations

from failsoft.actors.errors import ActorError, describe
from failsoft.actors.exit import ExitReason


class DuplicateChild(ActorError):
    """Tell that a supervisor was given the same child id twice; rename one of them."""

    def __init__(self, id: str) -> None:
        super().__init__(f"there are two children with the id {id!r}; rename one of them")
        self.id = id


class SupervisionFailed(ActorError):
    """Be the base of what ends a supervisor because of a child; ``__cause__``: the child's error.

    path: the supervisor. child: the id of the child. last: the way down from the supervisor to
    where it began, and ``origin``: what that was.
    """

    def __init__(self, path: str, child: str, cause: BaseException | str, said: str) -> None:
        self.path = path
        self.child = child
        self.last = child
        self.origin = cause
        if isinstance(cause, SupervisionFailed):
            self.last = f"{child}/{cause.last}"
            self.origin = cause.origin
        # Each says where it began and leaves the way there to the chain of causes.
        super().__init__(f"{said} {self.last!r}: {describe(self.origin)}")
        if isinstance(cause, BaseException):
            self.__cause__ = cause


class IntensityExceeded(SupervisionFailed):
    """Tell that a child failed too often, so its supervisor gave up; ``__cause__``: the last."""

    def __init__(self, path: str, child: str, reason: ExitReason) -> None:
        said = f"shutdown/intensity: {path} restarted its children too often; the last to fail was"
        super().__init__(path, child, reason.error or str(reason), said)


class StartRolledBack(SupervisionFailed):
    """Tell that a child failed to start, so those before it were stopped again."""

    def __init__(self, path: str, child: str, cause: BaseException | str) -> None:
        super().__init__(path, child, cause, f"{path} could not start its child")


class ChildAlreadyStarted(ActorError):
    """Tell that there is a child by this id, and that it runs or is being started."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is started already; use it, or choose another id")
        self.path = path


class ChildAlreadyPresent(ActorError):
    """Tell that there is a child by this id which is stopped: RestartChild or DeleteChild it."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is there, but stopped; send RestartChild, or DeleteChild first")
        self.path = path


class ChildNotFound(ActorError):
    """Tell that the supervisor has no child by this id."""

    def __init__(self, path: str, id: str) -> None:
        super().__init__(f"{path} has no child with the id {id!r}; WhichChildren tells what it has")
        self.path = path
        self.id = id


class ChildRunning(ActorError):
    """Tell that the child must be stopped for this, and isn't: TerminateChild it first."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} isn't stopped; send TerminateChild first, and wait for its answer"
        )
        self.path = path


class ChildRestarting(ActorError):
    """Tell that the child is being restarted anyway: wait, or TerminateChild it first."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is being restarted; wait for that, or send TerminateChild first")
        self.path = path


class TooManyChildren(ActorError):
    """Tell that a dynamic supervisor has as many children as it may: try again later."""

    def __init__(self, path: str, most: int) -> None:
        super().__init__(
            f"{path} has {most} children, and may have no more; terminate some, or give it a "
            "larger `max_children`"
        )
        self.path = path
        self.most = most


class NotForDynamic(ActorError):
    """Tell that a request isn't for dynamic supervisors; StartChildWith starts another child."""

    def __init__(self, path: str, request: str) -> None:
        super().__init__(
            f"{path} is a dynamic supervisor: its children are all of one template, and forgotten "
            f"when they are stopped. {request} is not for it; send StartChildWith for another"
        )
        self.path = path
