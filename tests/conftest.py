"""Fixtures for all tests."""

from __future__ import annotations

import gc
import importlib.util
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from failsoft.service.smollm2 import ensure_smollm2
from failsoft.testing import no_leaks

ROOT = Path(__file__).parents[1]


def _make_importable(name: str) -> None:
    """Have a package of the root be found, which is run from there, and never installed.

    Not by the root on sys.path, from where a bare `import actors` would make second copies.
    """
    folder = ROOT / name
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


for package in ("bench", "training"):
    if package not in sys.modules:
        _make_importable(package)

# How fast a machine is, or how busy, is nothing that a test may fail for.
settings.register_profile(
    "failsoft", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("deep", settings.get_profile("failsoft"), max_examples=10_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "failsoft"))


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """Give the folder of a real language model; the first run on a machine fetches it."""
    return ensure_smollm2()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio alone, also where trio is installed."""
    return "asyncio"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test marked ``cuda`` where there is no device."""
    if item.get_closest_marker("cuda") is not None:
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")


@pytest.fixture(scope="module", autouse=True)
def _what_is_there_is_kept() -> None:
    """Spare the garbage collector what stays: most tests have it look for losses."""
    gc.collect()
    gc.freeze()


@pytest.fixture
async def clean_loop() -> AsyncIterator[None]:
    """Fail a test that leaves anything behind, or an error in the loop that nobody took."""
    async with no_leaks():
        yield


@pytest.fixture
def plain_logs() -> Iterator[None]:
    """Log without colours and pictures of tracebacks, which take longer than most tests do."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(),
        ]
    )
    yield
    structlog.reset_defaults()
