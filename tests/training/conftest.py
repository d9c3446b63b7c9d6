"""Make ``training`` importable: it is run from the root, and never installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

TRAINING = Path(__file__).parents[2] / "training"

# Not by the root on sys.path, from where a bare `import actors` would make second copies.
if "training" not in sys.modules:
    spec = importlib.util.spec_from_file_location(
        "training", TRAINING / "__init__.py", submodule_search_locations=[str(TRAINING)]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules["training"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
