"""Fixtures for tests of the service over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from .served import ServedProcess, serving


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedProcess]:
    """Give a service that the module's tests share; they do it no harm."""
    served = serving(tmp_path_factory.mktemp("service"))
    yield served
    served.close()


@pytest.fixture(scope="module")
def client(service: ServedProcess) -> Iterator[httpx2.Client]:
    """Give a client of it."""
    with service.client() as client:
        yield client
