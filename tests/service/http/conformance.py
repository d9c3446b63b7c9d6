"""The service held against its own document by schemathesis, for as long as ``SECONDS``.

Part of ``make check``, and no test that is run with the others: what it sends differs each time.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .program import OPERATOR_TOKEN
from .served import HERE, PATIENCE, serving

SECONDS = 45
CONFIG = HERE / "schemathesis.toml"


def test_whatever_comes_the_service_keeps_to_its_document(tmp_path: Path) -> None:
    """No input fails it; each answer has a status, a type and a form that the document tells."""
    service = serving(tmp_path, "operator")
    try:
        ended = subprocess.run(
            [
                *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", CONFIG),
                *("run", f"{service.url}/openapi.json", "--no-color"),
                *("--phases", "examples,coverage,fuzzing", "--max-time", str(SECONDS)),
                # A busy machine is no fault.
                *("--request-timeout", str(PATIENCE), "--suppress-health-check", "too_slow"),
                *("--header", f"Authorization: Bearer {OPERATOR_TOKEN}"),
                # After this one all others would be refused.
                *("--exclude-path", "/operator/drain"),
            ],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=4 * SECONDS,
        )
    finally:
        service.close()
    assert ended.returncode == 0, ended.stdout
    faults = [line for line in service.log.splitlines() if '"level": "error"' in line]
    assert faults == []
