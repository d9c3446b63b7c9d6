"""Measure what telemetry costs: ``python -m bench telemetry``.

An event that nobody hears, a log line, a bare ask, the way through a router with each part of
telemetry, a request over HTTP, a request to a worker process; the model answers at once. And a
real model's generation, with all of telemetry and with none. Telemetry runs in the same event
loop: its work is in these figures, to the last event.
"""

from bench.telemetry.command import main

__all__ = ["main"]
