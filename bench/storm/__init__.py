"""Chaos: kills at random moments, under load, from a seed that is printed.

``python -m bench storm``, or with ``--kills 25`` in half a minute. The tree is a real one, with
real worker processes; only their engines have a script in place of a model.
"""

from bench.storm.command import main

__all__ = ["main"]
