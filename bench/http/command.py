"""The command: start all, have them take turns, and write down what came of it."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence

import uvloop

from bench import http
from bench.http.drawn import draw
from bench.http.entries import OBSERVED, OURS, PEERS, Entry
from bench.http.figures import figures_of, table_of
from bench.http.rounds import Size, measure
from bench.report import OUTPUT, Measuring
from bench.servers.known import SERVERS

_ABOUT = "a model that does nothing, over HTTP: what each server costs"
_SIZE = Size()
_QUICK = Size(starts=1, rounds=2, seconds=0.4)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, print, and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench http", description=http.__doc__)
    parser.add_argument("--quick", action="store_true", help="in about a minute, a rough look")
    parser.add_argument("--starts", type=int, help=f"of each server; else {_SIZE.starts}")
    parser.add_argument("--rounds", type=int, help=f"in each start; else {_SIZE.rounds}")
    parser.add_argument("--seconds", type=float, help=f"of a sample; else {_SIZE.seconds:g}")
    parser.add_argument("--requests", type=int, help="of a sample at most")
    parser.add_argument("--connections", type=int, nargs="+", help="at once; else 1 16 64")
    parser.add_argument("--workers", type=int, default=1, help="of each server; else 1")
    named = [entry.server for entry in PEERS]
    parser.add_argument("--only", nargs="*", choices=named, help="of the peers' servers")
    options = parser.parse_args(arguments)
    measuring = Measuring("http", _ABOUT, arguments or [])
    entries = _entries(options.quick, options.only, measuring)
    measuring.names("failsoft", "uvicorn", "uvloop", "httptools")
    measuring.names(*(SERVERS[entry.server].package for entry in entries))
    measuring.settings |= {
        "all": f"{options.workers} worker(s); while one is asked, the others stand still; the load "
        "comes from one process on the same machine, over connections that are kept open",
        **{entry.name: entry.all_settings for entry in entries},
    }
    size = _size(options)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        samples = runner.run(measure(entries, size, options.workers, measuring.skipped))
    measuring.figures += figures_of(samples)
    measuring.tables.append(table_of(samples))
    measuring.charts += [path.name for path in draw(samples, OUTPUT)]
    measuring.write()


def _size(options: argparse.Namespace) -> Size:
    size = _QUICK if options.quick else _SIZE
    said = {name: getattr(options, name) for name in Size.__struct_fields__}
    said = {name: value for name, value in said.items() if value is not None}
    if "connections" in said:
        said["connections"] = tuple(said["connections"])
    return Size(**{name: getattr(size, name) for name in Size.__struct_fields__} | said)


def _entries(is_quick: bool, only: Sequence[str] | None, measuring: Measuring) -> list[Entry]:
    """Give those that are measured; note which peers can't be."""
    entries = []
    for entry in (OURS, *OBSERVED, *PEERS):
        is_named = only is None or entry.server in (*only, OURS.server)
        if not is_named or (is_quick and not entry.is_quick):
            continue
        if SERVERS[entry.server].is_there():
            entries.append(entry)
        else:
            measuring.skipped[entry.name] = "it isn't installed here"
    return entries
