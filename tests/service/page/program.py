"""A service whose live page is tested: ``program.py DESCRIPTOR FOLDER``.

It listens on the socket DESCRIPTOR. The primary loads up to 43 % until FOLDER/gate is open. Under
``/ai`` of another app where there is FOLDER/mounted.
"""

from __future__ import annotations

import functools
import os
import socket
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from failsoft.gpu import WorkerSpec
from failsoft.gpu.process.prctl import tie_to_parent
from failsoft.gpu.script import Progress, Raise, Say, Script, WaitFor, When
from failsoft.gpu.scripted import scripted
from failsoft.service.http import ApiKeys, Caller, failsoft_app, hashed, serve
from failsoft.supervisors import ChildSpec, child, model, router, supervisor
from failsoft.telemetry import (
    AlertsActor,
    ErrorLog,
    ErrorsActor,
    Health,
    HealthActor,
    Metrics,
    MetricsActor,
    configure_logging,
)

KEY = "a-key-of-the-tests-own"
TOKEN = "an-operator-of-the-tests"
MARKUP = "<img src=x onerror=alert(1)>"


def worker(*load: Progress | WaitFor) -> WorkerSpec:
    return scripted(
        Script(
            load=load,
            rules=[
                When("endless", [Say("word ", times=1_000_000, delay=0.01)]),
                When("markup", [Say(MARKUP)]),
                When("overload", [Raise("model_overloaded", "Not now.")]),
            ],
            otherwise=[Say("The tree mends itself. ", times=5)],
        )
    )


def tree(folder: Path) -> ChildSpec:
    return supervisor(
        "root",
        supervisor(
            "telemetry",
            child("metrics", functools.partial(MetricsActor, Metrics())),
            child("errors", functools.partial(ErrorsActor, ErrorLog())),
            child("health", functools.partial(HealthActor, Health([]))),
            child("alerts", AlertsActor),
        ),
        router(
            "text",
            model("primary", worker(Progress(43, 100), WaitFor(str(folder / "gate")))),
            model("understudy", worker()),
            retries=0,
        ),
    )


def main() -> None:
    tie_to_parent(os.getppid())
    descriptor, folder = int(sys.argv[1]), Path(sys.argv[2])
    configure_logging(sys.stderr, level="info")
    has_keys = (folder / "keys").exists()
    app = failsoft_app(
        tree(folder),
        keys=ApiKeys({hashed(KEY): Caller("somebody")}) if has_keys else None,
        operator_hash=hashed(TOKEN) if (folder / "operator").exists() else None,
    )
    if (folder / "mounted").exists():
        host = FastAPI(lifespan=app.lifespan)
        host.mount("/ai", app)
        uvicorn.run(host, fd=descriptor, log_config=None)
    else:
        serve(app, sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main()
