"""``failsoft top``: one picture for a pipe, one after another on a terminal."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.service.http.served import serving

from failsoft.actors import TreeNode
from failsoft.service.client.access import Access, access_to
from failsoft.service.client.client import ServiceClient
from failsoft.service.client.errors import Unreachable
from failsoft.service.client.picture import Picture
from failsoft.service.client.top import Top, watch
from failsoft.service.http.status import StatusAnswer
from failsoft.telemetry import ErrorLog
from failsoft.telemetry.error_log import ErrorRecord

from .conftest import Command, ServedProcess


def node(path: str, *children: TreeNode, **facts: Any) -> TreeNode:
    usual: dict[str, Any] = dict.fromkeys(
        ("control_depth", "work_depth", "handled", "failed", "expired", "restarts"), 0
    )
    usual |= {"kind": "", "state": "running", "since": 0.0, "is_ready": True, "shows": {}}
    return TreeNode(path=path, children=children, **{**usual, **facts})


def candidate(**facts: Any) -> dict[str, Any]:
    usual = {"circuit": "closed", "forced": None, "retry_after": 0.0, "in_flight": 0, "waiting": 0}
    return {**usual, "is_ready": True, "is_drained": False, **facts}


def status(**facts: Any) -> StatusAnswer:
    usual = {"models": {}, "breakers": {}, "restarts": 0, "last_hour": None, "at": 100.0}
    usual |= {"status": "up", "in_hand": 0, "degradation_level": "full"}
    return StatusAnswer(**{**usual, **facts})


def drawn(picture: Picture, trouble: str = "") -> list[str]:
    console = Console(width=80, color_system=None)
    top = Top(ServiceClient(Access("http", "localhost", 8000)))
    with console.capture() as capture:
        console.print(top.draw(picture, trouble))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_once_on_80_columns(command: Command, service: ServedProcess) -> None:
    """A line for each model that requests go to; where there is no terminal, it is so always."""
    result = command("top", "--interval", "0.1", "--url", service.url)
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"{service.url}  up  load full")
    assert lines[1].startswith("errors: ")
    rows = {line.split()[0]: line.split()[1:] for line in lines[3:9]}
    assert rows["model"] == ["state", "circuit", "in", "hand", "waiting", "tokens/s", "restarts"]
    assert rows["root/text/primary"] == ["ready", "none", "0", "0", "0.0", "0"]
    assert rows["root/crowd/all"] == ["running", "closed", "0", "0", "-", "0"]
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in result.stdout


def test_the_last_errors(command: Command, service: ServedProcess) -> None:
    """With the correlation id, by which the log has the rest."""
    with service.client() as client:
        headers = {"X-Correlation-ID": "to-be-looked-for"}
        client.post("/generate", json={"prompt": "half"}, headers=headers)
    lines = command("top", "--interval", "0.1", "--url", service.url).stdout.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("last errors"))
    assert any(
        line.startswith("generation_failed") and "to-be-looked-for" in line
        for line in lines[begin:]
    )


def test_a_service_without_an_errors_actor() -> None:
    """Has no line of errors, and is shown all the same."""
    lines = drawn(Picture(status(status="draining", in_hand=3, restarts=2), ()))
    assert lines[0] == "http://localhost:8000  draining  load full  in hand 3  restarts 2"
    assert not any("error" in line for line in lines)


def test_all_that_can_be_wrong_fits_on_80_columns() -> None:
    """A path that is too long goes on below; its numbers stay where they are."""
    name = "a-model-of-quite-a-long-name"
    infos = {
        name: candidate(circuit="half_open", in_flight=10_000, waiting=99_999),
        "gone": candidate(circuit="open", retry_after=3.0),
    }
    model = node(f"root/inner/text/{name}", shows={"model_state": "draining"}, restarts=1234)
    places = {name: {"phase": "up"}, "gone": {"phase": "stopped"}}
    shows = {"strategy": "one_for_one", "candidates": infos, "children": places}
    text = node("root/inner/text", model, shows=shows)
    alone = node("root/alone", shows={"model_state": "busy", "running": 2})
    log = ErrorLog()
    log.begin(0.0)
    kind = "context_length_exceeded"
    log.add(ErrorRecord(kind, "GenerateText", model.path, 90.0, "c" * 36), 90.0)
    lines = drawn(Picture(status(), (node("root", text, alone),), log.report(100.0)), "It is gone.")
    assert lines[0] == "It is gone."
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines]
    assert ["draining", "half_open", "10000", "99999", "-", "1234"] in [row[1:] for row in rows]
    assert ["root/alone", "busy", "none", "2", "0", "-", "0"] in rows
    assert ["root/inner/text/gone", "stopped", "open", "0", "0", "-", "0"] in rows
    assert any(row[:1] == [kind] and row[-1] == "10" for row in rows)


def test_on_a_terminal_a_service_that_goes_away_is_waited_for(tmp_path: Path) -> None:
    """It may be what one watches for. Ctrl-C ends it, and leaves the screen as it was."""
    service = serving(tmp_path)
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=80, height=24)
    seen: list[str] = []

    def sleep(seconds: float) -> None:
        seen.append(screen.getvalue())
        screen.seek(0)
        screen.truncate()
        if len(seen) == 2:
            raise KeyboardInterrupt
        service.close()
        assert seconds == 3.0

    watch(ServiceClient(access_to(service.url, {})), terminal, 3.0, sleep)
    assert ["can't be reached" in each for each in seen] == [False, True]
    assert ["root/text/primary" in each for each in seen] == [True, True]
    assert "\x1b[?1049h" in seen[0]
    assert "\x1b[?1049l" in screen.getvalue()


def test_a_service_that_was_never_there_is_not_waited_for() -> None:
    """It is more likely that its address is wrong."""
    with pytest.raises(Unreachable):
        watch(ServiceClient(access_to("http://127.0.0.1:1", {})), Console(), 1.0)
