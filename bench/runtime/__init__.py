"""How fast the actor runtime is, against what people would use instead.

``samples`` is ours. ``bare`` is asyncio with nothing on it, the least that any actor on it can
cost; ``pykka_peer``, ``xoscar_peer`` and ``ray_peer`` are other actor libraries. ``alone`` has
what has no peer: a tree, restarts, a crowd, memory.
"""

from __future__ import annotations


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    # Not above: ``memory`` is run as a program, and would be loaded twice.
    from bench.runtime.command import main as run

    run(arguments)
