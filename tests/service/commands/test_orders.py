"""``failsoft restart`` and ``failsoft drain``: what an operator tells a real service to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.service.http.served import serving

from .conftest import OPERATOR_TOKEN, Command, ServedProcess


def test_restarting_an_actor(command: Command, service: ServedProcess) -> None:
    """It is told once it is up again."""
    order = ("restart", "/root/crowd/all/", "--url", service.url)
    result = command(*order, token=OPERATOR_TOKEN)
    assert (result.exit_code, result.stdout) == (0, "root/crowd/all was restarted.\n")


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("root/text/primry", "root/text/primary"),
        ("primary", "root/text/primary"),
        ("root/txt/nobody", "root/text"),
        ("root/nowhere/lengths", "root/embeddings/lengths"),
        ("?", "`failsoft tree` shows what there is"),
    ],
)
def test_a_path_that_is_not_there(
    command: Command, service: ServedProcess, path: str, near: str
) -> None:
    """Those that are near to it are named."""
    result = command("restart", path, "--url", service.url, token=OPERATOR_TOKEN)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"There is no actor at {path}." in result.stderr
    assert near in result.stderr


def test_what_cannot_be_restarted(command: Command, service: ServedProcess) -> None:
    """The root has no supervisor; the service says so itself."""
    result = command("restart", "root", "--url", service.url, token=OPERATOR_TOKEN)
    assert (result.exit_code, "is the top of the tree" in result.stderr) == (1, True)


def test_draining_the_service(command: Command, tmp_path: Path) -> None:
    """SRV-05 It takes no more work, and says how much it has; the process goes on."""
    service = serving(tmp_path, "operator")
    try:
        result = command("drain", "--url", service.url, token=OPERATOR_TOKEN)
        assert (result.exit_code, result.stdout) == (
            0,
            "The service takes no more work, and has 0 requests in hand. "
            "It goes on running until SIGTERM.\n",
        )
        with service.client() as client:
            assert client.get("/readyz").status_code == 503
            assert client.post("/generate", json={"prompt": "a"}).status_code == 503
    finally:
        service.close()


def test_draining_one_model_and_bringing_it_back(command: Command, service: ServedProcess) -> None:
    """It is told once it is idle and stopped; its path is still known."""
    path = "root/single/only"
    drained = command("drain", path, "--url", service.url, token=OPERATOR_TOKEN)
    assert (drained.exit_code, drained.stdout) == (
        0,
        f"{path} is drained, and stopped. `failsoft restart {path}` brings it back.\n",
    )
    assert "only      stopped" in command("tree", "--url", service.url).stdout
    back = command("restart", path, "--url", service.url, token=OPERATOR_TOKEN)
    assert (back.exit_code, back.stdout) == (0, f"{path} was restarted.\n")


def test_what_cannot_be_drained(command: Command, service: ServedProcess) -> None:
    """An actor that no router asks."""
    order = ("drain", "root/telemetry/metrics", "--url", service.url)
    result = command(*order, token=OPERATOR_TOKEN)
    assert (result.exit_code, "is no model of a router's" in result.stderr) == (1, True)
