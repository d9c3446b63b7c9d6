"""The demo's report: a table for people, ``demo.json`` for programs."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from failsoft.service.demo_chat import Chat
from failsoft.service.demo_run import DemoResult
from failsoft.telemetry import ErrorReport


def figures(result: DemoResult) -> dict[str, Any]:
    """Give the run's figures. Times are in seconds, rates in tokens a second."""
    waits = [r.next_answer_seconds for r in result.faults if r.next_answer_seconds is not None]
    return {
        "requests": result.requests,
        "answered": result.answered,
        "refused_with_typed_error": result.refused,
        "cancelled_by_caller": result.cancelled,
        "lost": len(result.lost),
        "answered_twice": len(result.answered_twice),
        "restarts": result.restarts,
        "hangs_found": result.hangs_found,
        "fallbacks": result.fallbacks,
        "resumed_streams": len(result.resumed),
        "resumed_with_the_same_text": len(result.resumed) - len(result.resumed_otherwise),
        "kill_to_next_answer_median_s": round(statistics.median(waits), 3) if waits else None,
        "kill_to_next_answer_max_s": round(max(waits), 3) if waits else None,
        "orphans": len(result.orphans),
        "tokens_per_second": round(result.tokens / result.seconds, 2) if result.seconds else None,
        "seconds": round(result.seconds, 2),
    }


def write_json(result: DemoResult, path: Path) -> None:
    """Write the figures, each fault's story and each request's outcome."""
    whole = {
        **figures(result),
        "laws_held": not result.broken_laws,
        "broken_laws": result.broken_laws,
        "faults": result.faults,
        "outcomes": result.outcomes,
        "resumed": result.resumed,
        "resumed_otherwise": result.resumed_otherwise,
        "errors": result.errors,
        "alerts": result.alerts,
        "chat": result.chat,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n")


def print_report(result: DemoResult, console: Console) -> None:
    """Print the figures, and what became of each fault."""
    table = Table(title="What came of it", show_header=False)
    for name, value in figures(result).items():
        table.add_row(name.replace("_", " "), "-" if value is None else str(value))
    console.print(table)
    faults = Table.grid(padding=(0, 2))
    for record in result.faults:
        faults.add_row(f"[bold]{record.fault}[/]", f"at {record.when} ({record.at:.1f} s)")
        faults.add_row("", f"seen by {record.seen_by or '[bold red]nothing[/]'}")
        for words in record.done:
            faults.add_row("", f"then {words}")
        if record.next_answer_seconds is not None:
            faults.add_row("", f"next answer {record.next_answer_seconds:.2f} s after it")
    console.print("What was broken, what saw it, what was done", style="italic")
    console.print(faults)
    _print_errors(result.errors, console)
    _print_alerts(result.alerts, console)
    if result.chat is not None:
        _print_chat(result.chat, console)
    for words in result.broken_laws:
        console.print(f"[bold red]Broken:[/] {words}")


def _print_errors(errors: ErrorReport, console: Console) -> None:
    """Print what went wrong, by kind and where; one loss is told by each whom it concerns."""
    console.print(f"What the errors actor heard: {errors.total_errors} errors", style="italic")
    patterns = Table.grid(padding=(0, 2))
    for pattern, count in errors.top_patterns.items():
        kind, _, operation = pattern.partition(":")
        patterns.add_row(f"{count:3}", f"[bold]{kind}[/]", operation)
    console.print(patterns)


def _print_alerts(alerts: list[dict[str, Any]], console: Console) -> None:
    """Print the alerts that came to the receiver."""
    console.print(f"What the local receiver was sent: {len(alerts)} alerts", style="italic")
    rows = Table.grid(padding=(0, 2))
    for alert in alerts:
        colour = "green" if alert["status"] == "resolved" else "yellow"
        rows.add_row(f"[{colour}]{alert['status']}[/]", alert["severity"], alert["summary"])
    console.print(rows)


def _print_chat(chat: Chat, console: Console) -> None:
    """Print the chat over HTTP. What a model says may look like markup."""
    console.print(f"A chat by OpenAI's client, at {chat.base_url}", style="italic")
    console.print(f"  > {chat.question}", markup=False)
    console.print(f"  {chat.answer}", markup=False)
    console.print(f"  [dim]{chat.model_used}, {chat.seconds:.1f} s[/]")
