"""The models that are served: which actor answers for which name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from failsoft.actors import Ref, System, TreeNode
from failsoft.messages import Request
from failsoft.service.http.refusals import ModelNotFound
from failsoft.telemetry.probes import candidates_of


class Served(NamedTuple):
    """Be a model by the name that callers use."""

    name: str
    ref: Ref


class ServedModels:
    """Find who answers. paths: name → the path of a router, or of a model, in the tree.

    What each can be asked for is told by what its actor handles.
    """

    def __init__(self, paths: Mapping[str, str]) -> None:
        self._paths = dict(paths)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._paths)

    def find(self, system: System, kind: type[Request[Any]], name: str | None = None) -> Served:
        """Give the model by that name, or without one the first that takes such requests.

        Raise ModelNotFound; NoSuchActor where its actor isn't there.
        """
        if name is not None:
            served = Served(name, self.named(system, name))
            accepts = served.ref.address.accepts
            # Empty as long as the actor was never up: asked all the same, it waits in the mailbox.
            if accepts and kind not in accepts:
                said = f"The model {name!r} takes no {_words(kind)}"
                raise ModelNotFound.among(said, self._paths)
            return served
        for served in self._all(system):
            if kind in served.ref.address.accepts:
                return served
        raise ModelNotFound.among(f"No model here takes {_words(kind)}", self._paths)

    def named(self, system: System, name: str) -> Ref:
        """Give who goes by that name. Raise ModelNotFound, NoSuchActor."""
        path = self._paths.get(name)
        if path is None:
            raise ModelNotFound.among(f"There is no model {name[:64]!r}", self._paths)
        return system.ref(path)

    def that_take(self, system: System, kind: type[Request[Any]]) -> tuple[str, ...]:
        """Give the names of all that take such requests."""
        return tuple(
            served.name for served in self._all(system) if kind in served.ref.address.accepts
        )

    def _all(self, system: System) -> Iterator[Served]:
        for name, path in self._paths.items():
            ref = system.find(path)
            if ref is not None:
                yield Served(name, ref)


def routes_of(tree: tuple[TreeNode, ...]) -> dict[str, str]:
    """Give all routers that are under no other, or where there are none all models: name → path.

    Of two by one name, the second goes by its path.
    """
    found: dict[str, str] = {}
    routers = [*_topmost(tree, lambda node: candidates_of(node) is not None)]
    for path in routers or _topmost(tree, lambda node: "model_state" in node.shows):
        name = path.rpartition("/")[2]
        found[path if name in found else name] = path
    return found


def _topmost(nodes: tuple[TreeNode, ...], wanted: Callable[[TreeNode], bool]) -> Iterator[str]:
    for node in nodes:
        if wanted(node):
            yield node.path
        else:
            yield from _topmost(node.children, wanted)


def _words(kind: type[Request[Any]]) -> str:
    return {"GenerateText": "texts", "GenerateImage": "images", "Embed": "texts to embed"}.get(
        kind.__name__, kind.__name__
    )
