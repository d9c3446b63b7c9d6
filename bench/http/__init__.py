"""What the way costs over HTTP: a model that does nothing, behind ``/generate``.

``peers`` are Starlette apps: one that sends a body back, and one that asks another process to,
which is the least that a model in a process of its own can cost. ``served`` runs each of them, and
ours, in a process of its own, on the same server with the same settings; ``load`` asks them from
this one. They take turns, so that what the machine does hits all.
"""

from bench.http.command import main

__all__ = ["main"]
