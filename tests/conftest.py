"""Fixtures for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from failsoft.service.smollm2 import ensure_smollm2


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """Give the folder of a real language model; the first run on a machine fetches it."""
    return ensure_smollm2()
