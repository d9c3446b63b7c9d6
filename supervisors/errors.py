"""What a supervisor can say went wrong."""

from __future__ import annotations

from failsoft.actors.errors import ActorError, describe
from failsoft.actors.exit import ExitReason


class DuplicateChild(ActorError):
    """Tell that a supervisor was given the same child id twice; rename one of them."""

    def __init__(self, id: str) -> None:
        super().__init__(f"there are two children with the id {id!r}; rename one of them")
        self.id = id


class IntensityExceeded(ActorError):
    """Tell that a child failed too often, so its supervisor gave up; ``__cause__``: the last."""

    def __init__(self, path: str, child: str, reason: ExitReason) -> None:
        super().__init__(
            f"shutdown/intensity: {path} restarted its children too often; "
            f"the last to fail was {child!r}: {reason}"
        )
        self.path = path
        self.child = child
        self.__cause__ = reason.error


class StartRolledBack(ActorError):
    """Tell that a child failed to start, so those before it were stopped again."""

    def __init__(self, path: str, child: str, cause: BaseException | str) -> None:
        super().__init__(f"{path} could not start its child {child!r}: {describe(cause)}")
        self.path = path
        self.child = child
        if isinstance(cause, BaseException):
            self.__cause__ = cause
