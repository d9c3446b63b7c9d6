"""The names of what ``python -m bench`` runs."""

from __future__ import annotations

BENCHMARKS = (
    "runtime",
    "supervise",
    "http",
    "generate",
    "chaos",
    "policy",
    "simulate",
    "cost",
    "cluster",
)
# Of parts of ours; they are run only where they are named.
FURTHER = ("route", "telemetry", "engines", "scale")
# No benchmarks: these need no peers, and are run only where they are named.
BESIDE = ("compare", "guard", "page", "soak", "storm")
