"""How long an import takes, in a process that has imported nothing else."""

from __future__ import annotations

import subprocess
import sys

MODULES = (
    "failsoft",
    "failsoft.actors",
    "failsoft.supervisors",
    "failsoft.telemetry",
    "failsoft.gpu",
    "failsoft.service.http",
    "torch",
    "transformers",
)
_TIMED = """
import time
began = time.process_time()
import {module}
print(time.process_time() - began)
"""


def import_ms(module: str) -> float:
    """Give the milliseconds of processor time that it takes.

    It is what a caller waits, too, where the files are in the kernel's cache and a core is free.
    """
    timed = [sys.executable, "-c", _TIMED.format(module=module)]
    said = subprocess.run(timed, check=True, capture_output=True, text=True).stdout
    return 1e3 * float(said.splitlines()[-1])
