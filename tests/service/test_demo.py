"""The demo, run as its users run it: nothing lost, and no process left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.service.http.served import PATIENCE, wait_for_end

from failsoft.telemetry import read_flight, story_of

COMMAND = (sys.executable, "-P", "-m", "failsoft.service", "demo", "--output")


class Run:
    """Be a demo that runs in a process of its own."""

    def __init__(self, output: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, str(output), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        self.lines: list[str] = []

    def read_until(self, words: str) -> None:
        """Read its lines up to one that holds ``words``."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if words in line:
                return
        raise AssertionError(f"it ended without {words!r}:\n{''.join(self.lines)}")

    def family(self) -> list[int]:
        """Give descriptors (pidfds) of all processes below it."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [os.pidfd_open(child.pid) for child in children]


@pytest.fixture
def demo(smollm2: Path, tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path)
    yield run
    run.process.kill()
    run.process.communicate()


def test_the_laws_hold_through_all_faults(demo: Run, tmp_path: Path) -> None:
    """WK-01 WK-02 WK-11 WK-15 FB-01 FB-02 FB-04 Each request has one answer, each fault is seen."""
    output, _ = demo.process.communicate(timeout=400)
    assert demo.process.returncode == 0, output
    told = json.loads((tmp_path / "demo.json").read_text())
    assert told["laws_held"]
    assert (told["requests"], told["lost"], told["answered_twice"], told["orphans"]) == (
        24,
        0,
        0,
        0,
    )
    ended = told["answered"] + told["refused_with_typed_error"] + told["cancelled_by_caller"]
    assert ended == 24
    faults = {fault["fault"]: fault for fault in told["faults"]}
    assert set(faults) == {"kill", "hang", "oom", "caller_fault", "cancel"}
    assert "SIGKILL" in faults["kill"]["seen_by"]
    assert "no sign of life" in faults["hang"]["seen_by"]
    assert "out_of_memory" in faults["oom"]["seen_by"]
    assert "context_length_exceeded" in faults["caller_fault"]["seen_by"]
    assert (told["restarts"], told["hangs_found"]) == (2, 1)
    story = story_of(read_flight(tmp_path / "demo.flight.jsonl"))
    assert [(row.path, row.count) for row in story.restarts] == [("root/text/primary", 2)]
    assert [outage.ended is not None for outage in story.outages if outage.kind == "worker"] == [
        True,
        True,
    ]
    assert sum(story.outcomes.values()) == 24 + len(told["resumed"])
    log = [json.loads(line) for line in (tmp_path / "demo.log").read_text().splitlines()]
    finished = [line for line in log if line["event"] == "RequestFinished"]
    assert sorted(line["correlation_id"] for line in finished) == sorted(
        [
            *(f"demo-{number:02}" for number in range(1, 25)),
            *(f"demo-{number:02}-again" for number in told["resumed"]),
            "demo-chat",
        ]
    )
    assert told["chat"]["answer"]
    assert told["chat"]["model_used"] == "primary"


def test_on_a_cluster_a_node_is_lost_and_no_request(smollm2: Path, tmp_path: Path) -> None:
    """WK-01 The same tree and traffic; the stream goes on from the other node, word for word."""
    demo = Run(tmp_path, "--cluster")
    output, _ = demo.process.communicate(timeout=500)
    assert demo.process.returncode == 0, output
    told = json.loads((tmp_path / "demo.json").read_text())
    assert (told["requests"], told["lost"], told["answered_twice"], told["orphans"]) == (
        24,
        0,
        0,
        0,
    )
    (kill,) = [fault for fault in told["faults"] if fault["fault"] == "kill"]
    assert "keeper is gone" in kill["seen_by"]
    assert kill["request"] in told["resumed"]
    assert told["resumed_otherwise"] == []


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_ends_and_leaves_nothing(demo: Run, sent: signal.Signals) -> None:
    """RT-20 SV-18 In the midst of generation, and with the primary down."""
    demo.read_until("it was killed by SIGKILL")
    family = demo.family()
    demo.process.send_signal(sent)
    output, _ = demo.process.communicate(timeout=PATIENCE)
    assert demo.process.returncode == 130
    assert "no process is left" in output
    wait_for_end(family)


@pytest.mark.parametrize("stopped_first", [False, True])
def test_killed_it_leaves_nothing(demo: Run, stopped_first: bool) -> None:
    """WK-04 SIGKILL of the service, also after SIGSTOP of it and of a worker."""
    demo.read_until("fault: hang")  # the primary is stopped now
    family = demo.family()
    assert len(family) >= 4
    if stopped_first:
        demo.process.send_signal(signal.SIGSTOP)
    demo.process.kill()
    demo.process.wait()
    wait_for_end(family)
