"""Make the environment, and go on in it."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

FOLDER = Path("build/peers")
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
CONSTRAINTS = Path("constraints.txt")
_READY = FOLDER / "ready"
_LOCK = FOLDER.with_suffix(".lock")


def enter(*, arguments: list[str]) -> None:
    """Go on as ``python -m bench`` in the peers' environment; do nothing where this is it."""
    if Path(sys.prefix).resolve() == FOLDER.resolve():
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    with _LOCK.open("w") as lock:
        # Of two that begin at once, one makes it, and the other finds it made.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_ready():
            _make()
    python = FOLDER.resolve() / "bin" / "python"
    os.execv(python, [str(python), "-m", "bench", *arguments])


def is_there(module: str) -> bool:
    """Tell whether a peer can be measured; where it can't, say that it is left out."""
    if importlib.util.find_spec(module) is not None:
        return True
    print(f"{module} isn't installed here: it is left out, and counts as nothing")
    return False


def version_of(package: str) -> str | None:
    """Give the version of what is installed; None where it isn't."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _wanted() -> str:
    """Tell one state of what is to be installed from another."""
    beside = sysconfig.get_path("purelib")
    said = REQUIREMENTS.read_bytes() + CONSTRAINTS.read_bytes() + f"{sys.version} {beside}".encode()
    return hashlib.sha256(said).hexdigest()


def _is_ready() -> bool:
    return _READY.exists() and _READY.read_text() == _wanted()


def _make() -> None:
    print(f"setting the peers up in {FOLDER}", flush=True)
    venv.create(FOLDER, clear=True, with_pip=True, symlinks=True)
    beside = sysconfig.get_path("purelib")
    own = next(FOLDER.glob("lib/python*/site-packages"))
    # Not the bare path: .pth files in there, failsoft's own among them, must count, too.
    (own / "beside.pth").write_text(f"import site; site.addsitedir({beside!r})\n")
    wanted = [line for line in REQUIREMENTS.read_text().splitlines() if line[:1] not in ("", "#")]
    if not _install(*wanted):
        for each in wanted:
            if not _install(each):
                print(f"{each} can't be installed here: it is left out, and counts as nothing")
    _READY.write_text(_wanted())


def _install(*requirements: str) -> bool:
    """Install wheels; give whether that went well."""
    python = str(FOLDER / "bin" / "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install"]
    # A peer that would have to be compiled would take longer than all benchmarks.
    options = ["--quiet", "--only-binary", ":all:", "--constraint", str(CONSTRAINTS)]
    return subprocess.run([*pip, *options, *requirements], check=False).returncode == 0
