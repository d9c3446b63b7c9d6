"""Real texts over HTTP: one at a time, 16 at once, and as they come by a Poisson clock.

Each server serves the same model in float32 with one thread, greedily, and streams. ``sides`` says
which there are and how each is started, ``client`` asks them, ``rounds`` has them take turns: while
one is measured, all others stand still. The limit is ``model.generate`` by hand, without HTTP.
"""

from bench.generate.command import main

__all__ = ["main"]
