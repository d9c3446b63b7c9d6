"""``failsoft serve``: real processes; the default tree, and each of the examples."""

from __future__ import annotations

import json
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import openai
import pytest

import failsoft.service
from failsoft.service.http import hashed
from failsoft.testing.processes import descendants, left_after

from .serving_tree import PATIENCE, ServedTree

EXAMPLES = Path(failsoft.service.__file__).parent / "examples"
TOKEN, KEY = "a-token-of-the-operators", "a-key-of-a-caller"


def test_the_default_tree_is_served_at_once(tmp_path: Path) -> None:
    """Without a file and a network; it says where it is and how it is asked, and that works."""
    with ServedTree(tmp_path) as served:
        assert 3 <= len(served.greeting) <= 7
        assert served.greeting[1:3] == [
            "  chat: tiny-text (failsoft:tiny-text)",
            "  embeddings: tiny-embedding (failsoft:tiny-text)",
        ]
        curl = next(line for line in served.greeting if "curl" in line)
        _, _, _, url, _, header, _, body = shlex.split(curl)
        with served.client() as client:
            name, _, value = header.partition(": ")
            asked = client.post(url, content=body, headers={name: value})
            health = client.get("/health").json()
        assert (asked.status_code, asked.json()["model_used"]) == (200, "tiny-text")
        # How full the disk is, or how busy the machine, makes no service critical.
        assert (health["live"]["ok"], health["critical_failures"]) == (True, [])
        client_of = openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", timeout=PATIENCE)
        assert "embeddings" in [each.id for each in client_of.models.list()]
        vectors = client_of.embeddings.create(model="embeddings", input=["cats", "dogs"]).data
        assert [len(each.embedding) for each in vectors] == [128, 128]
        workers = list(descendants(served.process.pid))
        assert workers
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(PATIENCE) == 0
    assert left_after(workers, PATIENCE) == []


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    """In one line; the exit status is 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-P", "-m", "failsoft.service", "serve", "--port", port]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Nothing is served: Address already in use; name another --host or --port."
    ]


def test_a_host_that_is_not_known_is_told(tmp_path: Path) -> None:
    """In the words of whoever looked for it."""
    command = [sys.executable, "-P", "-m", "failsoft.service", "serve", "--host", "no host"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert said.startswith("Nothing is served: ")
    assert "Unknown error" not in said


def test_a_tree_that_gives_up_ends_the_service(tmp_path: Path) -> None:
    """With words, and the exit status 1; the recorder beside it has written its story."""
    (tmp_path / "tree.toml").write_text(
        '[logging]\nformat = "json"\n'
        "[supervisor]\nintensity = { max_restarts = 0 }\n"
        '[models.a]\nkind = "scripted"\nscript.load = [{ type = "Exit", status = 3 }]\n'
        "[routes.chat]\nmodels = ['a']\ncool_down = false\nintensity = { max_restarts = 0 }\n"
    )
    with ServedTree(tmp_path, "tree.toml") as served:
        assert served.process.wait(PATIENCE) == 1
    assert list(tmp_path.glob("*flight*.jsonl"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with the examples' secrets in it."""
    keys = [{"sha256": hashed(KEY), "tenant": "search"}]
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    (tmp_path / "pagerduty.key").write_text("a-routing-key\n")
    return tmp_path


def serving(folder: Path, name: str, text: str) -> ServedTree:
    (folder / name).write_text(text)
    return ServedTree(
        folder,
        name,
        "--host",
        "127.0.0.1",
        environ={
            "OPENAI_API_KEY": "none",
            "FAILSOFT_OPERATOR_HASH": hashed(TOKEN),
            "SLACK_WEBHOOK": "https://hooks.example.org/a",
        },
    )


def test_the_small_example_serves(folder: Path) -> None:
    """By its alias as well."""
    text = (EXAMPLES / "small.toml").read_text()
    with serving(folder, "small.toml", text) as served:
        answer = served.ask("Are lemons sour?", "gpt-4o-mini")
        assert (answer["model_used"], answer["finish_reason"]) == ("tiny-text", "stop")


def test_the_fallback_example_falls_back(folder: Path) -> None:
    """Its first model isn't fetched here, and its server isn't there: the last one answers."""
    text = (EXAMPLES / "fallback.toml").read_text()
    text = text.replace("https://api.openai.com/v1", "http://127.0.0.1:9/v1")
    with serving(folder, "fallback.toml", text) as served:
        answer = served.ask("Are lemons sour?")
        assert (answer["model_used"], answer["was_fallback"]) == ("last", True)


def test_the_production_example_is_guarded(folder: Path) -> None:
    """Callers have keys, operators a token; what it warns of is a line of JSON."""
    text = (EXAMPLES / "production.toml").read_text().replace('level = "warning"', 'level = "info"')
    with serving(folder, "production.toml", text) as served, served.client() as client:
        asked = {"prompt": "Are lemons sour?"}
        assert client.post("/generate", json=asked).status_code == 401
        bearer = {"Authorization": f"Bearer {KEY}"}
        assert client.post("/generate", json=asked, headers=bearer).status_code == 200
        operator = {"Authorization": f"Bearer {TOKEN}"}
        assert client.get("/operator/quarantine", headers=operator).status_code == 200
        tree = client.get("/tree", headers=bearer).text
        for child in ("slack", "pagerduty", "alerts", "load", "recorder/flight"):
            assert f"{child}" in tree
        assert "hooks.example.org/a" not in tree + "".join(map(str, served.log))
        assert "a-routing-key" not in tree + "".join(map(str, served.log))


def test_each_example_is_started_here() -> None:
    """So that none is left out."""
    assert sorted(each.name for each in EXAMPLES.iterdir()) == [
        "fallback.toml",
        "production.toml",
        "small.toml",
    ]
