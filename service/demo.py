"""``failsoft demo``: fetch the model, run the demo, show and write what came of it."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from rich.console import Console

from failsoft.service.demo_nodes import DemoNodes, NodesUnavailable
from failsoft.service.demo_report import print_report, write_json
from failsoft.service.demo_run import Demo, DemoResult
from failsoft.service.demo_view import View
from failsoft.service.model_unavailable import ModelUnavailable
from failsoft.service.smollm2 import ensure_smollm2
from failsoft.service.smollm2_progress import drawn_progress
from failsoft.telemetry import configure_logging

INTERRUPTED = 130


def run_demo(output: Path, *, cluster: bool = False) -> int:
    """Run the demo; give the exit status: 0 only where every promise held.

    output: the folder for ``demo.json``, ``demo.log`` and ``demo.flight.jsonl``.
    cluster: whether the primary's replicas are on nodes of a cluster.
    """
    nodes = DemoNodes() if cluster else None
    if nodes is not None and not nodes.are_possible:
        print("Ray isn't installed: pip install 'failsoft[ray]'", file=sys.stderr)
        return 1
    try:
        with drawn_progress() as draw:
            folder = ensure_smollm2(progress=draw)
    except ModelUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; nothing half-made was kept.", file=sys.stderr)
        return INTERRUPTED
    output.mkdir(parents=True, exist_ok=True)
    console = Console()
    flight = output / "demo.flight.jsonl"
    with (output / "demo.log").open("w", encoding="utf-8") as log:
        configure_logging(log)
        try:
            result = asyncio.run(_run(folder, flight, View(console), nodes))
        except (KeyboardInterrupt, asyncio.CancelledError):
            console.print("Interrupted; the tree was stopped, and no process is left.")
            return INTERRUPTED
        except NodesUnavailable as error:
            print(error, file=sys.stderr)
            return 1
    write_json(result, output / "demo.json")
    print_report(result, console)
    console.print(f"Written: {output / 'demo.json'}, {output / 'demo.log'}, {flight}")
    console.print(f"Its story: failsoft replay {flight}")
    return 1 if result.broken_laws else 0


async def _run(folder: Path, flight: Path, view: View, nodes: DemoNodes | None) -> DemoResult:
    demo = Demo(folder, flight, view.tell, nodes)
    running = asyncio.current_task()
    assert running is not None
    # For Ctrl-C too: asyncio's own handler raises in the midst of things the second time.
    for sent in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sent, running.cancel)
    async with view.live(lambda: demo.system):
        return await demo.run()
