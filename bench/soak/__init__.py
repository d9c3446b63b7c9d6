"""Soak: a service under mixed traffic and faults from a seed, for as long as it is told to.

``python -m bench soak --minutes 20``. Service and clients are processes of their own. What is
asked must have its one end, and what the service holds must not grow.
"""

from bench.soak.command import main

__all__ = ["main"]
