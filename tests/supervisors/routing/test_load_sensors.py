"""The sensors of CPU and memory: of the machine, and of a container with limits of its own."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from structlog.testing import capture_logs

from failsoft.actors import System
from failsoft.supervisors.routing.load import GetLoad, LoadActor
from failsoft.supervisors.routing.load_sensors import (
    CpuShare,
    GuardedSensor,
    MemoryShare,
    machine_sensors,
    own_cgroups,
)

MIB = 2**20


class Container:
    """Be the files of a cgroup, as the kernel shows them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def cpu(self, limit: str, used_seconds: float) -> None:
        self._write("cpu.max", f"{limit}\n")
        self._write("cpu.stat", f"usage_usec {used_seconds * 1e6:.0f}\nuser_usec 7\n")

    def memory(self, limit: int | str, used: int, inactive: int = 0) -> None:
        self._write("memory.max", f"{limit}\n")
        self._write("memory.current", f"{used}\n")
        self._write("memory.stat", f"anon 5\nfile 9\ninactive_file {inactive}\n")

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="ascii")


@pytest.fixture
def container(tmp_path: Path) -> Container:
    """Give a container without limits."""
    return Container(tmp_path / "own")


@pytest.fixture
def no_psutil(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have psutil not be installed."""
    monkeypatch.setitem(sys.modules, "psutil", None)


def ticking(*seconds: float) -> Callable[[], float]:
    return iter(seconds).__next__


# -- CPU


def test_the_share_is_of_the_cpus_that_a_container_may_use(
    container: Container, no_psutil: None
) -> None:
    """DG-01 1.5 CPU seconds in one second, of two CPUs; the first call has nothing to compare."""
    sensor = CpuShare([container.folder], cpus=8, now=ticking(10.0, 11.0, 13.0))
    container.cpu("200000 100000", 5.0)
    assert sensor() is None
    container.cpu("200000 100000", 6.5)
    assert sensor() == pytest.approx(0.75)
    container.cpu("200000 100000", 6.9)
    assert sensor() == pytest.approx(0.1)


def test_the_tightest_of_the_limits_around_a_process_counts(tmp_path: Path) -> None:
    """DG-01 Its own, or that of a group it shares with others."""
    outer, inner = Container(tmp_path / "pod"), Container(tmp_path / "pod" / "own")
    sensor = CpuShare([inner.folder, outer.folder], cpus=8, now=ticking(0.0, 0.0, 1.0, 1.0))
    inner.cpu("200000 100000", 0.0)
    outer.cpu("400000 100000", 0.0)
    sensor()
    inner.cpu("200000 100000", 0.2)
    outer.cpu("400000 100000", 3.6)
    assert sensor() == pytest.approx(0.9)


@pytest.mark.parametrize("limit", ["max 100000", "800000 100000", "900000 100000", ""])
def test_without_a_limit_below_the_machines_the_machine_counts(
    container: Container, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """DG-01 Busy is what is neither idle nor waiting for a disk; a guest's time counts once."""
    of = type(psutil.cpu_times())
    none = of(*(0.0 for _ in of._fields))
    moments = iter(
        none._replace(user=user, system=3.0, idle=idle, iowait=wait, guest=guest)
        for user, idle, wait, guest in ((100.0, 1000.0, 2.0, 50.0), (103.0, 1000.5, 2.5, 53.0))
    )
    monkeypatch.setattr(psutil, "cpu_times", lambda: next(moments))
    sensor = CpuShare([container.folder], cpus=8, now=lambda: 0.0)
    container.cpu(limit, 5.0)
    assert sensor() is None
    assert sensor() == pytest.approx(0.75)


def test_a_limit_that_changes_starts_the_comparison_again(container: Container) -> None:
    """DG-01 What was before it is of another measure."""
    sensor = CpuShare([container.folder], cpus=8, now=ticking(0.0, 1.0, 2.0))
    container.cpu("200000 100000", 0.0)
    sensor()
    container.cpu("100000 100000", 0.5)
    assert sensor() is None
    container.cpu("100000 100000", 1.0)
    assert sensor() == pytest.approx(0.5)


def test_two_calls_at_once_have_nothing_to_compare(container: Container) -> None:
    """DG-01 None, and no division by nothing."""
    sensor = CpuShare([container.folder], cpus=8, now=lambda: 3.0)
    container.cpu("200000 100000", 0.0)
    assert [sensor(), sensor()] == [None, None]


# -- memory


def test_the_share_is_of_the_memory_that_a_container_may_use(
    container: Container, no_psutil: None
) -> None:
    """DG-01 Files that the kernel only keeps while there is room don't count."""
    sensor = MemoryShare([container.folder], total_bytes=1000 * MIB)
    container.memory(100 * MIB, 80 * MIB, inactive=20 * MIB)
    assert sensor() == pytest.approx(0.6)
    container.memory(100 * MIB, 10 * MIB, inactive=20 * MIB)
    assert sensor() == 0.0


def test_the_fullest_of_the_limits_around_a_process_counts(tmp_path: Path) -> None:
    """DG-01 A group that others fill is full for this one too."""
    outer, inner = Container(tmp_path / "pod"), Container(tmp_path / "pod" / "own")
    inner.memory(100 * MIB, 50 * MIB)
    outer.memory(400 * MIB, 360 * MIB)
    sensor = MemoryShare([inner.folder, outer.folder, tmp_path], total_bytes=1000 * MIB)
    assert sensor() == pytest.approx(0.9)


@pytest.mark.parametrize("limit", ["max", 1000 * MIB, 2**63 - 1, 0, ""])
def test_without_a_memory_limit_below_the_machines_the_machine_counts(
    container: Container, monkeypatch: pytest.MonkeyPatch, limit: int | str
) -> None:
    """DG-01 As psutil tells: what is not available."""
    real = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: real._replace(percent=42.0))
    container.memory(limit, 99 * MIB)
    assert MemoryShare([container.folder], total_bytes=1000 * MIB)() == pytest.approx(0.42)


# -- where the files are


@pytest.mark.parametrize(
    ("told", "levels"),
    [
        ("0::/\n", [""]),
        ("0::/pod/own\n", ["pod/own", "pod", ""]),
        ("9:name=systemd:/x\n4:memory:/x\n0::/pod\n", ["pod", ""]),
        ("0::/../../elsewhere\n", [""]),
        ("4:memory:/x\n", None),
        ("", None),
    ],
)
def test_the_groups_of_this_process_are_found(
    tmp_path: Path, told: str, levels: list[str] | None
) -> None:
    """DG-01 From its own to the root; none where the kernel has none of this kind."""
    (tmp_path / "cgroup").write_text(told, encoding="ascii")
    root = tmp_path / "fs"
    assert own_cgroups(tmp_path / "cgroup", root) == tuple(root / level for level in levels or ())


def test_no_file_is_no_group(tmp_path: Path) -> None:
    """DG-01 On another system, say."""
    assert own_cgroups(tmp_path / "none", tmp_path) == ()


# -- without psutil, and the real ones


def test_without_psutil_nothing_is_known_and_that_is_said_once(no_psutil: None) -> None:
    """DG-01 With what to install."""
    sensors = [GuardedSensor("cpu", CpuShare([])), GuardedSensor("memory", MemoryShare([]))]
    with capture_logs() as logs:
        assert [sensor.share() for sensor in sensors * 3] == [None] * 6
    assert [line["sensor"] for line in logs] == ["cpu", "memory"]
    assert all("install failsoft[serve]" in line["reason"] for line in logs)
    assert repr(sensors[0]) == "<GuardedSensor cpu, absent>"


def test_psutil_is_loaded_only_when_the_machine_is_asked() -> None:
    """DG-01 It is no dependency of supervision."""
    program = "import sys, failsoft.supervisors.routing.load; assert 'psutil' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.real_time
def test_the_real_sensors_tell_shares() -> None:
    """DG-01 Within 0 and 1, as they are read; and one that works is not idle."""
    cpu, memory = (GuardedSensor(name, read).share for name, read in machine_sensors().items())
    assert cpu() is None
    shares = [memory() or 0.0]
    while not shares[-1] or len(shares) < 2:  # the kernel counts in hundredths of a second
        hashlib.pbkdf2_hmac("sha256", b"work", b"", 100_000)
        shares.append(cpu() or 0.0)
    assert shares[0] > 0
    assert all(0 <= share <= 1 for share in shares)


@pytest.mark.anyio
async def test_the_load_actor_reads_the_real_ones(system: System) -> None:
    """DG-01 Where none are given."""
    load = await system.spawn(LoadActor, "load")
    told = await load.ask(GetLoad())
    assert set(told.shares) == {"cpu", "memory", "gpu"}
    assert 0 < (told.shares["memory"] or 0.0) <= 1
