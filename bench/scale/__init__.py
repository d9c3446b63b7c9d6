"""Measure what grows with what: ``python -m bench scale``.

Trees of 10, 100 and 1,000 scripted workers in threads of the service's process, with the same wire
and heartbeats as any other worker, under pools, routers and telemetry; a few tens of workers in
processes; and trees of up to 100,000 actors that stand in for models and have no worker. Each tree
has a process of its own. Besides, a pool's pick and the way through a router, by replicas, and a
chunk's way.
"""

from __future__ import annotations


def main(arguments: list[str]) -> None:
    """Run the benchmark."""
    # Not above: ``alone`` is run as a program, and would be loaded twice.
    from bench.scale.command import main as run

    run(arguments)
