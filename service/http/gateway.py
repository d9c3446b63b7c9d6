"""The gateway: what all endpoints share, and whether it takes requests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from failsoft.actors import System, TreeFailed, TreeNode
from failsoft.messages import ModelOverloaded, Request
from failsoft.service.http.callers import NOBODY, ApiKeys, Caller
from failsoft.service.http.client_watch import ClientWatch
from failsoft.service.http.policy import HttpPolicy
from failsoft.service.http.served_models import Served, ServedModels, routes_of
from failsoft.service.page.history import History
from failsoft.supervisors import ChildSpec


class Gateway:
    """Stand between HTTP and a tree.

    in_hand: requests for models. watches: of those that wait for an answer.
    history: what befell the tree. is_ending: the service ends once nothing is in hand.
    is_told_of_end: whoever serves calls ``end`` before they wait for streams to end.
    served: a tree, which is started and stopped here, or a System that somebody else runs.
    beside: trees that are started before it, such as a flight recorder's.
    """

    def __init__(
        self,
        served: ChildSpec | System,
        routes: Mapping[str, str] | None,
        policy: HttpPolicy,
        keys: ApiKeys | None,
        beside: Sequence[ChildSpec] = (),
    ) -> None:
        self.policy = policy
        self.in_hand = 0
        self.watches: set[ClientWatch] = set()
        self.is_draining = False
        self.is_ending = False
        self.is_told_of_end = False
        self.history = History()
        self._keys = keys
        self._tree = served if isinstance(served, ChildSpec) else None
        self._beside = tuple(beside)
        self._system = served if isinstance(served, System) else None
        self._has_failed = False
        self._models = None if routes is None else ServedModels(routes)
        if self._system is not None and routes is None:
            raise ValueError('a System needs routes, such as {"text": "root/text"}')

    # -- the tree

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[System]:
        """Start the tree, and stop it at the end; where the System is another's, do neither.

        Raise StartFailed, and TreeFailed in the midst of the block.
        """
        if self._tree is None:
            assert self._system is not None
            self.history.listen(self._system.events)
            yield self._system
            return
        if self._system is not None:
            raise RuntimeError("the tree runs already; its lifespan is run once, by one app")
        try:
            async with System() as system:
                self.history.listen(system.events)
                for tree in (*self._beside, self._tree):
                    await system.spawn(tree.start, tree.id)
                self._models = self._models or ServedModels(routes_of(system.tree()))
                self._system = system
                yield system
        except TreeFailed:
            self._has_failed = True
            raise
        finally:
            self._system = None

    @property
    def system(self) -> System:
        """Give the system that runs. Raise ModelOverloaded where none does."""
        if self._system is not None and self._system.is_running:
            return self._system
        if self._has_failed:
            raise ModelOverloaded("The supervision tree has failed; the service must be restarted.")
        remedy = (
            "The app that this one is mounted in must run its lifespan, as docs/service.md says."
        )
        if self._tree is None:
            remedy = "Enter the System's block in your app's lifespan."
        raise ModelOverloaded(f"The supervision tree isn't running. {remedy}")

    def tree(self) -> tuple[TreeNode, ...]:
        """Give a picture of the tree. Raise ModelOverloaded where none runs."""
        return self.system.tree()

    # -- requests

    @property
    def models(self) -> ServedModels:
        """Give the models that are served. Raise ModelOverloaded where no tree runs."""
        if self._models is None:
            _ = self.system
            raise ModelOverloaded("The supervision tree is being started; try again later.")
        return self._models

    def serve_as(self, paths: Mapping[str, str]) -> None:
        """Have callers know the models by these names from here on: name → path."""
        self._models = ServedModels(paths)

    def know(self, keys: ApiKeys | None) -> None:
        """Tell callers apart by these keys from here on."""
        self._keys = keys

    def find(self, kind: type[Request[Any]], name: str | None = None) -> Served:
        """Give who answers such a request. Raise ModelOverloaded, ModelNotFound, NoSuchActor."""
        return self.models.find(self.system, kind, name)

    def caller(self, headers: Mapping[bytes, bytes]) -> Caller:
        """Give who asks. Raise Unauthorized."""
        return NOBODY if self._keys is None else self._keys.caller(headers)

    def check_open(self) -> None:
        """Raise ModelOverloaded where no more work is taken."""
        if self.is_draining:
            raise ModelOverloaded("The service takes no more work; send the request once more.")

    def drain(self) -> None:
        """Take no more work; what is in hand goes on."""
        self.is_draining = True

    def end(self) -> None:
        """Take no more work, and let the live pages' streams end once nothing is in hand."""
        self.drain()
        self.is_ending = True

    def give_up(self) -> None:
        """Answer what is in hand with an error."""
        for watch in tuple(self.watches):
            watch.interrupt(
                ModelOverloaded("The service ended before the answer was done; send it once more.")
            )

    def __repr__(self) -> str:
        state = "draining" if self.is_draining else "open"
        return f"<Gateway {state}, {self.in_hand} requests in hand>"
