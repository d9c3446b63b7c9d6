"""A simulator: the true policies and supervisors against a modelled fleet, in virtual time.

``python -m bench simulate``, or ``--quick`` with a small part of the fleet. The dispatcher, the
circuits, queues, budgets and quarantines in it, and the state machine that restarts models, are
those of the package; only what they deal with is modelled: models, clients, faults, and time.
"""

from bench.simulate.command import main

__all__ = ["main"]
