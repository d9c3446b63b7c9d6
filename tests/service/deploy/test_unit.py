"""The systemd unit: valid, and in step with how the service ends."""

from __future__ import annotations

import inspect
import re
import shlex
import sys
from pathlib import Path

from failsoft.service.http import serve

from .material import FOLDER, check, tool

UNIT = FOLDER / "failsoft.service"
SETTINGS = dict(re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.MULTILINE))


def test_systemd_takes_it(tmp_path: Path) -> None:
    """SRV-05 With the command of this environment, since systemd looks whether it is there."""
    command = shlex.split(SETTINGS["ExecStart"])[0]
    here = tmp_path / UNIT.name
    here.write_text(
        UNIT.read_text().replace(command, str(Path(sys.executable).parent / "failsoft"))
    )
    said = check([tool("systemd-analyze"), "verify", here])
    # What it only ignores is no error to it. It tells of other units as well.
    assert UNIT.name not in said


def test_it_waits_for_longer_than_the_grace() -> None:
    """SRV-05 Or systemd would kill the service in the midst of its last answers."""
    grace = inspect.signature(serve).parameters["grace"].default
    assert float(SETTINGS["TimeoutStopSec"]) >= grace + 20


def test_the_end_of_one_worker_is_not_the_end_of_the_service() -> None:
    """Of the usual settings, one has all processes get SIGTERM, one ends all for one of them."""
    assert (SETTINGS["KillMode"], SETTINGS["OOMPolicy"]) == ("mixed", "continue")


def test_what_it_is_told_goes_to_the_service() -> None:
    """SIGHUP has the file read again; systemd waits until the service says that it is ready."""
    assert SETTINGS["ExecReload"].endswith("kill -HUP $MAINPID")
    assert SETTINGS["Type"] == "notify"
