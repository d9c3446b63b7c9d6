"""Fixtures for tests of the operator's commands: a real service, and the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.service.http.program import KEY, OPERATOR_TOKEN
from tests.service.http.served import ServedProcess, serving
from typer.testing import CliRunner, Result

from failsoft.service.cli import app

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedProcess]:
    """Give a service that operators may steer, and anybody may ask."""
    served = serving(tmp_path_factory.mktemp("service"), "operator")
    with served.client() as client:
        for model in ("text", "single"):  # answered once they have loaded
            client.post("/generate", json={"prompt": "hello", "model": model})
    yield served
    served.close()


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedProcess]:
    """Give a service that wants keys, and has nothing for operators."""
    served = serving(tmp_path_factory.mktemp("locked"), "keys")
    yield served
    served.close()


@pytest.fixture
def command() -> Command:
    """Give a call of ``failsoft`` on 80 columns. token, key: of the environment."""

    def call(*arguments: str, token: str | None = None, key: str | None = None) -> Result:
        environment = {"COLUMNS": "80", "FAILSOFT_TOKEN": token, "FAILSOFT_KEY": key}
        return CliRunner().invoke(app, arguments, env=environment)

    return call


__all__ = ["KEY", "OPERATOR_TOKEN", "Command", "ServedProcess"]
