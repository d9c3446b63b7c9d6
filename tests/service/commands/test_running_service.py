"""What is said where a running service can't be reached, or refuses; and the exit statuses."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.service.http.test_mounted import PROGRAMS, running

from .conftest import KEY, OPERATOR_TOKEN, Command, ServedProcess


def words(output: str) -> str:
    return " ".join(output.split())


@contextlib.contextmanager
def answering(said: bytes) -> Iterator[str]:
    """Answer one connection with ``said``; give the URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join(10)


@pytest.mark.parametrize("name", ["tree", "top"])
def test_nothing_listens(command: Command, name: str) -> None:
    """The status is 3, so that a script knows it from a refusal; the words are on stderr."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        result = command(name, "--url", url)
    assert (result.exit_code, result.stdout) == (3, "")
    assert words(result.stderr) == (
        f"{url} can't be reached: nothing listens there; is the service started, "
        "and is this its port?"
    )


def test_what_listens_speaks_no_http(command: Command) -> None:
    """It may be another port of the machine's."""
    with answering(b"SSH-2.0-OpenSSH_9.2p1\r\n") as url:
        result = command("tree", "--url", url)
    assert result.exit_code == 3
    assert "what listens there doesn't speak HTTP" in result.stderr


def test_an_answer_that_ends_in_the_midst(command: Command) -> None:
    """Is a service that ends, and not something else."""
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{"
    with answering(half) as url:
        result = command("tree", "--url", url)
    assert result.exit_code == 3
    assert "ended in the midst" in result.stderr


def test_what_answers_is_something_else(command: Command) -> None:
    """Such as an app that the service is mounted in."""
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>"
    with answering(page) as url:
        result = command("tree", "--url", url)
    assert result.exit_code == 1
    assert f"What answers at {url} (status 200) is no failsoft" in result.stderr


def test_a_redirect_is_not_followed(command: Command) -> None:
    """A token goes nowhere but where it was meant to."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.setblocking(False)
        there = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/tree"
        page = f"HTTP/1.1 307 No\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n".encode()
        with answering(page) as url:
            assert command("tree", "--url", url, token=OPERATOR_TOKEN).exit_code == 1
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def test_under_a_prefix(command: Command, tmp_path: Path) -> None:
    """SRV-08 With it the service is found, without it one is told of it."""
    with running(PROGRAMS["mounted"], tmp_path) as service:
        without = command("tree", "--url", service.url)
        assert without.exit_code == 1
        assert "its prefix belongs to the URL" in without.stderr
        told = command("tree", "--url", f"{service.url}/ai/")
        assert (told.exit_code, told.stdout.split()[0]) == (0, "root")
        refused = command("restart", "root/text", "--url", f"{service.url}/ai", token="any")
        assert (refused.exit_code, words(refused.stderr)) == (
            1,
            "Operators can do nothing in this service: it has no operator_hash.",
        )


def test_a_prefix_that_is_wrong(command: Command, service: ServedProcess) -> None:
    """Is no service without operators, though it looks so."""
    result = command("restart", "root", "--url", f"{service.url}/nowhere", token=OPERATOR_TOKEN)
    assert result.exit_code == 1
    assert "is no failsoft" in result.stderr


def test_a_key_is_wanted(command: Command, locked: ServedProcess) -> None:
    """SRV-10 And is known, or isn't."""
    missing = command("tree", "--url", locked.url)
    assert (missing.exit_code, "put one into FAILSOFT_KEY" in missing.stderr) == (1, True)
    no_token = command("tree", "--url", locked.url, token=OPERATOR_TOKEN)
    assert (no_token.exit_code, "doesn't know the token" in no_token.stderr) == (1, True)
    wrong = command("top", "--url", locked.url, key="another-key-of-somebodys")
    assert (wrong.exit_code, "doesn't know the key" in wrong.stderr) == (1, True)
    assert command("tree", "--url", locked.url, key=KEY).exit_code == 0


def test_no_token_and_a_wrong_one(command: Command, service: ServedProcess) -> None:
    """SRV-10 Without one nothing is sent."""
    missing = command("restart", "root/text/primary", "--url", service.url)
    assert (missing.exit_code, "into FAILSOFT_TOKEN" in missing.stderr) == (1, True)
    wrong = command("drain", "--url", service.url, token="not-the-one-of-operators")
    assert (wrong.exit_code, "doesn't know this token" in wrong.stderr) == (1, True)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("localhost:8000", "is no URL of a service"),
        ("ftp://localhost", "is no URL of a service"),
        ("http://", "is no URL of a service"),
        ("http://local host", "is no URL of a service"),
        ("http://localhost/caf\u00e9", "is no URL of a service"),
        ("http://localhost:eight", "is no URL"),
        ("http://me:secret@localhost", "Leave the password out of the URL"),
        ("http://localhost/?a=b", "leave out what is after it"),
    ],
)
def test_a_url_that_is_none(command: Command, url: str, said: str) -> None:
    """The status is that of wrong usage."""
    result = command("tree", "--url", url)
    assert (result.exit_code, said in words(result.stderr)) == (2, True), result.stderr


def test_the_url_by_the_environment(
    command: Command, service: ServedProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it needn't be typed each time."""
    monkeypatch.setenv("FAILSOFT_URL", service.url)
    assert command("tree").stdout.startswith("root ")


def test_a_token_of_a_file(command: Command, service: ServedProcess, tmp_path: Path) -> None:
    """Goes before the one of the environment; what is no token is wrong usage."""
    file = tmp_path / "token"
    order = ("restart", "root/crowd/all", "--url", service.url, "--token-file", str(file))
    assert command(*order).exit_code == 2
    file.write_text("\n")
    assert "is empty" in command(*order).stderr
    file.write_text("two\nlines")
    assert "can't be a token" in command(*order).stderr
    file.write_text(f"{OPERATOR_TOKEN}\n")
    assert command(*order, token="another-one-that-is-wrong").exit_code == 0


def test_no_secret_is_taken_on_the_command_line(command: Command) -> None:
    """What is there is seen by all users of the machine."""
    for name in ("tree", "top", "restart", "drain"):
        told = command(name, "--help").stdout
        assert "--url" in told
        assert "--token " not in told
        assert "--key" not in told
