"""What supervision costs a model, against the same model used by hand.

``texts`` says what is asked. ``bare`` is the peer: ``model.generate`` in a process of its own,
which ``bare_process`` talks to. ``supervised`` is ours, in a worker process with the same number
of threads. They take turns, so that what the machine does hits both (``generation``). ``killed``
measures the way back after a SIGKILL, ``noop`` the way to a model that does nothing.
"""

from __future__ import annotations


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    # Not above: the peer's process is of this package, and is to import nothing of ours.
    from bench.engines.command import main as run

    run(arguments)
