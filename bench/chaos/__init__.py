"""The same servers under the same faults: what becomes of the requests.

Each server of ``bench.servers`` is put under the same load, request by request, and in the same
seconds the same happens to it: SIGKILL, a hang, a prompt that is too much for the memory, one
that kills whoever computes it, five times the load it can bear, and at last SIGKILL of its first
process. ``phase`` says what happens when, ``trial`` does it, ``ledger`` counts how each request
ended.
"""

from bench.chaos.command import main

__all__ = ["main"]
