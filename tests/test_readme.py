"""What the README prints works as printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_the_embedding_example_runs_as_printed(smollm2: Path, tmp_path: Path) -> None:
    """In an empty folder; it prints an answer and leaves."""
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(example.strip().splitlines()) <= 20
    done = subprocess.run(
        [sys.executable, "-P", "-c", example],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    # Either may be ready first.
    assert re.search(r"(primary|understudy) Usage\(prompt_tokens=\d+", done.stdout)
