"""What memory there is, read from made-up files of the kernel's."""

from __future__ import annotations

from pathlib import Path

from failsoft.gpu.memory.machine_memory import machine_memory

MIB = 1024 * 1024
NO_LIMIT = 9223372036854771712
MEMINFO = "MemTotal:  1024000 kB\nMemFree:  10 kB\nMemAvailable:  512000 kB\nHugePages_Total: 0\n"


def write(root: Path, files: dict[str, object]) -> Path:
    """Give a folder that has the kernel's files: a machine with 1000 MiB, of them 500 free."""
    for name, content in {"proc/meminfo": MEMINFO, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return root


def in_mib(root: Path) -> tuple[int, int]:
    available, total = machine_memory(root)
    return available // MIB, total // MIB


def test_without_a_limit_the_machine_counts(tmp_path: Path) -> None:
    """Of both versions of cgroups."""
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "4:cpu,memory:/a\n0::/b",
            "sys/fs/cgroup/b/memory.max": "max",
            "sys/fs/cgroup/b/memory.current": 10 * MIB,
            "sys/fs/cgroup/memory/a/memory.limit_in_bytes": NO_LIMIT,
            "sys/fs/cgroup/memory/a/memory.usage_in_bytes": 10 * MIB,
        },
    )
    assert in_mib(root) == (500, 1000)


def test_a_limit_of_version_2(tmp_path: Path) -> None:
    """WK-07 Files that were read a while ago take no room for good."""
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/job/own",
            "sys/fs/cgroup/job/own/memory.max": 200 * MIB,
            "sys/fs/cgroup/job/own/memory.current": 150 * MIB,
            "sys/fs/cgroup/job/own/memory.stat": f"anon 1\ninactive_file {30 * MIB}",
        },
    )
    assert in_mib(root) == (80, 200)


def test_a_limit_above_counts_where_it_is_tighter(tmp_path: Path) -> None:
    """A group has no more than the one that it is in."""
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/job/own",
            "sys/fs/cgroup/job/own/memory.max": 200 * MIB,
            "sys/fs/cgroup/job/own/memory.current": 100 * MIB,
            "sys/fs/cgroup/job/memory.max": 300 * MIB,
            "sys/fs/cgroup/job/memory.current": 290 * MIB,
        },
    )
    assert in_mib(root) == (10, 300)


def test_a_limit_of_version_1_in_a_container(tmp_path: Path) -> None:
    """Its path is the one outside: what is seen as the top is its own."""
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/docker/0123\n0::/",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": 100 * MIB,
            "sys/fs/cgroup/memory/memory.usage_in_bytes": 60 * MIB,
            "sys/fs/cgroup/memory/memory.stat": f"total_inactive_file {5 * MIB}",
        },
    )
    assert in_mib(root) == (45, 100)


def test_a_group_that_lies_outside_of_what_is_seen(tmp_path: Path) -> None:
    """The top counts."""
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/../../other",
            "sys/fs/cgroup/memory.max": 100 * MIB,
            "sys/fs/cgroup/memory.current": 20 * MIB,
        },
    )
    assert in_mib(root) == (80, 100)


def test_more_in_use_than_the_limit_allows(tmp_path: Path) -> None:
    """A limit that was lowered: nothing is left."""
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/",
            "sys/fs/cgroup/memory.max": 100 * MIB,
            "sys/fs/cgroup/memory.current": 120 * MIB,
        },
    )
    assert in_mib(root) == (0, 100)


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    """Nothing is known."""
    assert machine_memory(tmp_path) == (0, 0)


def test_this_machine_has_memory() -> None:
    """The real files are read."""
    available, total = machine_memory()
    assert 0 < available < total
