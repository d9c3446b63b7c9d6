"""A service that is traced, to be tested: ``traced_program.py DESCRIPTOR FOLDER``.

It listens on the socket DESCRIPTOR, logs all that happens, and writes each span to FOLDER/spans.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from failsoft.gpu.process.prctl import tie_to_parent
from failsoft.gpu.script import Log, Raise, Say, Script, When
from failsoft.gpu.scripted import scripted
from failsoft.service.http import failsoft_app, serve
from failsoft.supervisors import ChildSpec, child, model, router, supervisor
from failsoft.telemetry import ErrorsActor, MetricsActor, TracesActor, configure_logging

PLAYS = Script(
    rules=[When("break", [Log("in the worker"), Raise("generation_failed", "It broke.")])],
    otherwise=[Log("in the worker"), Say("one two three")],
)


def tree() -> ChildSpec:
    return supervisor(
        "root",
        supervisor(
            "telemetry",
            child("metrics", MetricsActor),
            child("errors", ErrorsActor),
            child("traces", TracesActor),
        ),
        router("text", model("primary", scripted(PLAYS)), retries=0),
    )


def main() -> None:
    tie_to_parent(os.getppid())
    descriptor, folder = int(sys.argv[1]), Path(sys.argv[2])
    with (folder / "spans").open("w") as spans:
        exporter = ConsoleSpanExporter(
            out=spans, formatter=lambda span: span.to_json(indent=None) + "\n"
        )
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        configure_logging(sys.stderr, level="debug")
        serve(failsoft_app(tree()), sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main()
