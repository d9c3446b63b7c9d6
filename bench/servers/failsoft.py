"""failsoft, with telemetry as ``failsoft serve`` has it.

A router, and a model with a process of its own for each worker; all policies at their defaults.
Where ``BENCH_TELEMETRY`` is ``off`` there is none, and where it is ``logged`` each request is a log
line.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import structlog

from bench.servers.asked import Asked, asked
from failsoft.gpu import WorkerSpec
from failsoft.service.config.secret import Secrets
from failsoft.service.config.sections import TreeConfig
from failsoft.service.config.telemetry_tree import recorder_of, telemetry_of
from failsoft.service.http import FailsoftApp, HttpPolicy, failsoft_app, serve
from failsoft.supervisors import model, router, supervisor
from failsoft.telemetry import configure_logging

TELEMETRY = "BENCH_TELEMETRY"


def worker(options: Asked) -> WorkerSpec:
    """Describe the process that has the model."""
    if options.batch == 1:
        return WorkerSpec(
            engine="bench.servers.failsoft_engine:One", options={"model": options.model}
        )
    return WorkerSpec(
        engine="bench.servers.failsoft_engine:Several",
        options={"model": options.model, "batch": options.batch, "wait_ms": options.wait_ms},
    )


def app(options: Asked, *, is_observed: bool) -> FailsoftApp:
    """Make the service. is_observed: with the telemetry of a tree without a word of it."""
    spec = worker(options)
    text = router("text", *(model(f"model-{number}", spec) for number in range(options.workers)))
    policy = HttpPolicy(default_timeout=options.timeout)
    if not is_observed:
        return failsoft_app(supervisor("root", text), policy=policy)
    config = TreeConfig(models={}, routes={})
    recorder = recorder_of(config)
    return failsoft_app(
        supervisor("root", telemetry_of(config, Secrets({}, Path.cwd())), text),
        policy=policy,
        beside=() if recorder is None else (recorder,),
    )


def main(options: Asked) -> None:
    telemetry = os.environ.get(TELEMETRY)
    if telemetry == "off":
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    else:
        configure_logging(sys.stderr, level="info" if telemetry == "logged" else "warning")
    serve(app(options, is_observed=telemetry != "off"), port=options.port)


if __name__ == "__main__":
    main(asked())
