"""System: the place where actors live. It starts empty and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import anyio
import structlog

from failsoft.actors.blocking import LoopWatch, is_in_real_time
from failsoft.actors.bus import EventBus
from failsoft.actors.cell import ActorFactory, Cell
from failsoft.actors.clock import Clock, LoopClock
from failsoft.actors.dead_letters import DeadLetters
from failsoft.actors.errors import ActorError, NameTaken, NoSuchActor, StartFailed, TreeFailed
from failsoft.actors.exit import SHUTDOWN, ExitReason
from failsoft.actors.misuse import StoppedItself, SystemNotRunning
from failsoft.actors.registry import Registry
from failsoft.actors.request_context import ACTOR_TASK
from failsoft.actors.signals import ChildExited, ChildStarted, Terminated
from failsoft.actors.statistics import SystemStatistics, system_statistics
from failsoft.actors.tree import TreeNode, snapshot
from failsoft.messages import InferenceError
from failsoft.messages.events import LoopBlocked

if TYPE_CHECKING:
    from failsoft.actors.ref import Ref

log = structlog.get_logger("failsoft.system")

DEFAULT_ASK_TIMEOUT = 30.0
DEFAULT_BLOCK_LIMIT = 0.1


class Extension(Protocol):
    """Be a resource that actors of a system share, such as the host of worker processes."""

    async def aclose(self) -> None: ...


ExtensionT = TypeVar("ExtensionT", bound=Extension)


class System:
    """Run actors: ``async with System() as system: ref = await system.spawn(Counter, "counter")``.

    What is spawned here is at the top of the tree, and linked to the block: where such an actor
    fails, the block is cancelled and TreeFailed is raised from it. At the end of the block, or
    when it is cancelled, the actors are stopped in order, the last one first; a second
    cancellation, or a KeyboardInterrupt, kills them. Every task has ended by the time the block
    is left.

    clock, random: where time and chance come from; tests inject them.
    ask_timeout: seconds that an ``ask`` waits where it is given neither timeout nor deadline.
    block_limit: about how many seconds a handler may hold the loop, without an await, before
        that is told as LoopBlocked; None for no watch.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        ask_timeout: float = DEFAULT_ASK_TIMEOUT,
        block_limit: float | None = DEFAULT_BLOCK_LIMIT,
    ) -> None:
        if not ask_timeout > 0:
            raise ValueError(f"ask_timeout must be over 0 s; it is {ask_timeout}")
        if block_limit is not None and not block_limit > 0:
            raise ValueError(f"block_limit must be over 0 s, or None; it is {block_limit}")
        self.random = random or Random()
        self.ask_timeout = ask_timeout
        self._given_clock = clock
        self._cells: dict[str, Cell] = {}
        self._top: dict[str, Cell] = {}
        self._starts: dict[Cell, asyncio.Future[None]] = {}
        self._tasks: dict[asyncio.Task[Any], Cell] = {}
        self._stopping: set[Cell] = set()
        self._extensions: dict[Callable[[], Extension], Extension] = {}
        self._resources = AsyncExitStack()
        self.registry = Registry(self)
        self._failure: tuple[str, ExitReason] | None = None
        self._is_entered = False
        self._is_closing = False
        self._block_limit = block_limit
        self._watch: LoopWatch | None = None

    # -- the block

    async def __aenter__(self) -> Self:
        if self._is_entered:
            raise SystemNotRunning.twice()
        self._is_entered = True
        self.loop = asyncio.get_running_loop()
        self.clock = self._given_clock or LoopClock()
        self.events = EventBus(self.clock)
        self.dead_letters = DeadLetters(self.events)
        # Of every task that is made here; who happens to spawn must not be seen by the actors.
        self._context = contextvars.copy_context()
        # Not before: it can be made in a loop alone, and a system anywhere.
        self._scope = anyio.CancelScope()
        self._scope.__enter__()
        # With virtual time there is nothing to tell: it stands still while a handler runs.
        if self._block_limit is not None and is_in_real_time(self.loop):
            self._watch = LoopWatch(self.loop, self._block_limit, self._path_of, self._blocked)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        self._is_closing = True
        try:
            with anyio.CancelScope(shield=True):
                await self._end(is_hurried=isinstance(error, KeyboardInterrupt))
        finally:
            if self._watch is not None:
                self._watch.stop()
            swallowed = self._scope.__exit__(kind, error, traceback)
        if self._failure is not None and (error is None or swallowed):
            path, reason = self._failure
            raise TreeFailed(path, reason.error)
        return swallowed

    async def _end(self, is_hurried: bool) -> None:
        async with self._resources:
            cancelled: asyncio.CancelledError | None = None
            while self._tasks:
                try:
                    for cell in reversed(tuple(self._top.values())):
                        await self._stop_cell(cell, 0 if is_hurried else None)
                    if self._tasks:
                        await asyncio.wait(self._tasks)
                except asyncio.CancelledError as error:  # told again: no more patience
                    cancelled = error
                    is_hurried = True
                    for cell in reversed(tuple(self._top.values())):
                        cell.kill()
            if cancelled is not None:
                raise cancelled

    # -- the top of the tree

    async def spawn(self, factory: ActorFactory, name: str) -> Ref:
        """Start an actor at the top; give its ref once it is up.

        factory: an Actor class that takes no arguments, or a callable that makes the actor.
        Raise StartFailed with the cause, NameTaken, or RuntimeError where the system is closing.
        """
        cell = self.add_cell(factory, name, None)
        up = self._starts[cell] = self.loop.create_future()
        cell.start()
        try:
            await up
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                await self._stop_cell(cell, 0)
            raise
        return cell.ref

    async def stop(self, ref: Ref, within: float | None = None) -> None:
        """Stop a top-level actor and wait until it has ended; it is killed after ``within`` s."""
        cell = self._top.get(ref.path)
        asker = self.asker()
        if asker is not None and f"{asker.path}/".startswith(f"{ref.path}/"):
            raise StoppedItself(ref.path, asker.path)
        if cell is not None and cell.ref == ref:
            await self._stop_cell(cell, within)
        elif ref.is_alive:
            raise ValueError(f"{ref.path} is not at the top of the tree; stop it at its supervisor")

    def find(self, path: str) -> Ref | None:
        """Give the ref of the actor at ``path``, say ``root/text``; None where there is none."""
        cell = self._cells.get(path)
        return None if cell is None else cell.ref

    def ref(self, path: str) -> Ref:
        """Give the ref of the actor at ``path``. Raise NoSuchActor where there is none."""
        found = self.find(path)
        if found is None:
            raise NoSuchActor(path, self._cells)
        return found

    def whereis(self, name: str) -> Ref | None:
        """Give the actor that is registered under ``name``; None where there is none."""
        return self.registry.whereis(name)

    def tree(self, *, leaves: bool = True) -> tuple[TreeNode, ...]:
        """Give a frozen picture of all actors now; without ``leaves``, of those with children."""
        return tuple(snapshot(cell, leaves=leaves) for cell in self._top.values())

    def statistics(self) -> SystemStatistics:
        """Count what is in the system now, and what became of it so far."""
        return system_statistics(self, self._cells.values(), len(self._tasks))

    def extension(self, make: Callable[[], ExtensionT]) -> ExtensionT:
        """Give the system's one ``make()``; made when first asked for, closed after all actors."""
        found = self._extensions.get(make)
        if found is None:
            if self._is_closing and not self._tasks:
                raise RuntimeError("the system is closing")
            found = self._extensions[make] = make()
            self._resources.push_async_callback(found.aclose)
        return found  # type: ignore[return-value]  # kept under what made it

    @property
    def is_running(self) -> bool:
        """Tell whether its block has been entered, and isn't being left."""
        return self._is_entered and not self._is_closing

    # -- for the runtime

    @property
    def paths(self) -> Iterable[str]:
        """Give the paths of all actors that have not ended for good."""
        return self._cells

    def add_cell(self, factory: ActorFactory, name: str, parent: Cell | None) -> Cell:
        """Make the place for an actor. Raise NameTaken, ValueError for a name with a slash."""
        if not name or "/" in name:
            raise ValueError(f"an actor's name must not be empty nor hold a slash: {name!r}")
        if not self._is_entered:
            raise SystemNotRunning.yet()
        if self._is_closing and (parent is None or not self._tasks):
            raise SystemNotRunning.any_more()
        path = name if parent is None else f"{parent.path}/{name}"
        if path in self._cells:
            raise NameTaken(path)
        cell = self._cells[path] = Cell(self, path, parent, factory)
        if parent is None:
            self._top[path] = cell
        else:
            if parent.children is None:
                parent.children = {}
            parent.children[name] = cell
        return cell

    def create_task(
        self,
        coroutine: Coroutine[Any, Any, None],
        cell: Cell,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[None]:
        """Make a task of an actor's, which the system waits for at its end."""
        task = self.loop.create_task(
            coroutine, name=ACTOR_TASK + cell.path, context=context or self._context.copy()
        )
        self._tasks[task] = cell
        task.add_done_callback(self._tasks.pop)
        return task

    def _path_of(self, task: asyncio.Task[Any]) -> str | None:
        cell = self._tasks.get(task)
        return None if cell is None else cell.path

    def _blocked(self, path: str, seconds: float, place: str) -> None:
        self.events.publish(LoopBlocked, path, seconds=seconds, place=place)

    def asker(self) -> Cell | None:
        """Give the actor whose own task this is; None in an interleaving handler, and outside."""
        task = asyncio.current_task(self.loop)
        cell = self._tasks.get(task)  # type: ignore[arg-type]  # None is not among them
        return cell if cell is not None and cell.task is task else None

    def top_level(self, message: ChildStarted | ChildExited) -> None:
        """Hear from an actor at the top."""
        cell: Cell = message.child
        starting = self._starts.pop(cell, None)
        if isinstance(message, ChildStarted):
            if starting is not None and not starting.done():
                starting.set_result(None)
            return
        reason = message.reason
        was_asked = cell in self._stopping or self._is_closing
        cell.close(reason)
        if starting is not None:
            if not starting.done():
                starting.set_exception(StartFailed(cell.path, reason.error or str(reason)))
                starting.exception()  # who waited for it may have been cancelled just now
        elif reason.is_abnormal and self._failure is None and not was_asked:
            self._failure = (cell.path, reason)
            self._scope.cancel()

    def forget(self, cell: Cell) -> None:
        """Free the path of a closed cell."""
        self._cells.pop(cell.path, None)
        self._top.pop(cell.path, None)
        self._stopping.discard(cell)
        self.registry.forget(cell)

    def log_failure(self, path: str, reason: ExitReason) -> None:
        """Write the one log line of an actor's failure; a traceback where nobody foresaw it."""
        foreseen = isinstance(reason.error, (InferenceError, ActorError))
        error = None if foreseen else reason.error
        log.warning("actor.failed", path=path, reason=str(reason), exc_info=error)

    async def _stop_cell(self, cell: Cell, within: float | None = None) -> None:
        ended: asyncio.Future[None] = self.loop.create_future()

        def tell(_message: Terminated) -> None:
            if not ended.done():
                ended.set_result(None)

        cell.add_watcher(ended, tell)
        self._stopping.add(cell)
        cell.stop(SHUTDOWN, cell.shutdown_timeout if within is None else within)
        await ended

    def __repr__(self) -> str:
        return f"<System {len(self._cells)} actors, {len(self._tasks)} tasks>"
