"""What importing failsoft loads: never torch, in whatever process serves."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "diffusers")
PACKAGES = (
    "failsoft",
    "failsoft.actors",
    "failsoft.gpu",
    "failsoft.messages",
    "failsoft.service",
    "failsoft.supervisors",
    "failsoft.telemetry",
    "failsoft.testing",
)
# Takes every public name too: some are imported only when they are asked for.
TAKE_ALL = """
import importlib, sys
package = importlib.import_module(sys.argv[1])
for name in package.__all__:
    getattr(package, name)
print(*sorted({module.partition(".")[0] for module in sys.modules}))
"""


@pytest.mark.parametrize("package", PACKAGES)
def test_no_public_name_brings_torch(package: str) -> None:
    """Importing a package and taking all its names leaves the heavy libraries alone."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", TAKE_ALL, package],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.split()
    assert "failsoft" in loaded
    assert not set(HEAVY) & set(loaded)
