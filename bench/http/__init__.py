"""What the way costs over HTTP: a model that does nothing, behind each server's ``/generate``.

``entries`` tells who is measured, ``connections`` makes the load, the same for all, in this
process. They take turns, so that what the machine does hits all; while one is asked, the others
stand still.
"""

from bench.http.command import main

__all__ = ["main"]
