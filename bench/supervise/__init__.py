"""Who brings a model back: ours, a loop by hand, Ray, supervisord, under the same blows.

Each peer runs in a process of its own (``host``), which asks it as a user would and is told by
``rounds`` what is to be done to its worker (``scenes``). All have the same model (``model``).
"""

from __future__ import annotations


def main(arguments: list[str]) -> None:
    """Run it."""
    # Not above: workers import this package, too, and need nothing of it but the model.
    from bench.supervise.command import main as run

    run(arguments)
