"""A file that is read again at SIGHUP: what changes, and that no request is dropped."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from failsoft.testing import Gate

from .serving_tree import ServedTree

HEAD = """
[logging]
format = "json"
"""


def says(name: str, words: str, *more: str) -> str:
    """Give a model that says ``words``."""
    keys = "".join(f"{key}\n" for key in more)
    return (
        f'[models.{name}]\nkind = "scripted"\nrun_in = "thread"\n{keys}'
        f'script = {{ otherwise = [{{ type = "Say", text = "{words}" }}] }}\n'
    )


def held(name: str, words: str, gate: Gate) -> str:
    """Give a model that says ``words``, and loads once the gate is open."""
    wait = f'load = [{{ type = "WaitFor", path = "{gate.path}" }}], otherwise'
    return says(name, words).replace('run_in = "thread"\n', "").replace("otherwise", wait)


def route(name: str, *models: str, more: str = "") -> str:
    listed = ", ".join(f'"{model}"' for model in models)
    return f"[routes.{name}]\nmodels = [{listed}]\n{more}\n"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedTree]:
    """Give a service with one route to one model."""
    (tmp_path / "tree.toml").write_text(HEAD + says("a", "one") + route("chat", "a"))
    with ServedTree(tmp_path, "tree.toml") as served:
        yield served


def test_a_model_with_replicas_is_rolled_out(served: ServedTree) -> None:
    """One at a time, under the same path; and there may be more of them, or fewer."""
    pool = "replicas = 2"
    served.reload(HEAD + says("a", "one", pool) + route("chat", "a"))
    assert served.ask("hello")["text"] == "one"
    for words, size in (("two", 2), ("two", 3), ("three", 1)):
        said = served.reload(HEAD + says("a", words, f"replicas = {size}") + route("chat", "a"))
        assert said == ["routes.chat: a is changed"]
        answer = served.ask("hello")
        assert (answer["text"], answer["model_used"]) == (words, "a")
        pool_node = served.node("root/chat/a.2")
        assert len(pool_node["children"]) == size


def test_a_model_that_is_changed_goes_by_its_name(served: ServedTree) -> None:
    """As often as it is."""
    for words in ("one", "two", "three"):
        said = served.reload(HEAD + says("a", words) + route("chat", "a"))
        assert said == ([] if words == "one" else ["routes.chat: a is changed"])
        answer = served.ask("hello")
        assert (answer["text"], answer["model_used"]) == (words, "a")
        assert not answer["was_fallback"]


def test_models_come_and_go_and_change_places(served: ServedTree) -> None:
    """In the order that the file has."""
    both = HEAD + says("a", "one") + says("b", "two")
    assert served.reload(both + route("chat", "a", "b")) == ["routes.chat: b is added"]
    assert served.ask("hello")["text"] == "one"
    assert served.reload(both + route("chat", "b", "a")) == [
        "routes.chat: its models are in another order"
    ]
    assert served.ask("hello")["text"] == "two"
    assert served.reload(HEAD + says("b", "two") + route("chat", "b")) == [
        "routes.chat: a is removed"
    ]
    with served.client() as client:
        tree = client.get("/tree").text
    assert "root/chat/b" in tree
    assert "root/chat/a" not in tree


def test_routes_come_and_go_and_are_called_otherwise(served: ServedTree) -> None:
    """A route whose policy changes gets another router; a caller sees nothing of that."""
    text = HEAD + says("a", "one") + says("b", "two")
    assert served.reload(text + route("chat", "a") + route("talk", "b")) == [
        "routes.talk: is added"
    ]
    assert served.ask("hello", "talk")["text"] == "two"
    said = served.reload(
        text + route("chat", "a", more="retries = 1") + route("talk", "b", more='aliases = ["t"]')
    )
    assert said == [
        "routes.chat: its router is replaced, with all its models",
        "routes.talk: its aliases are changed",
    ]
    assert [served.ask("hello", name)["text"] for name in ("chat", "t")] == ["one", "two"]
    served.reload(HEAD + says("b", "two") + route("talk", "b"))
    assert served.ask("hello", "chat")["error_type"] == "model_not_found"
    assert served.ask("hello", "t")["error_type"] == "model_not_found"
    assert served.ask("hello")["text"] == "two"


def test_a_bad_file_changes_nothing(served: ServedTree) -> None:
    """SRV-09 All of its mistakes are told, and it goes on as before."""
    bad = HEAD + says("a", "two") + route("chat", "a", "b", more="retires = 1")
    assert served.reload(bad, until="reload.refused") == []
    served.until("reload.refused")
    told = [line["mistake"] for line in served.log if line["event"] == "reload.refused"]
    assert [each.rpartition(": routes.chat.")[2] for each in told] == [
        'models[1]: there is no model "b"; there are a',
        "retires: is no key here; did you mean retries?",
    ]
    assert served.ask("hello")["text"] == "one"


def test_what_takes_a_restart_is_told(served: ServedTree) -> None:
    """And left as it is; what else there is to do is done."""
    said = served.reload(
        HEAD
        + "[service]\ngrace = 3\n[telemetry]\nflight = false\n"
        + says("a", "2")
        + route("chat", "a")
    )
    assert said == [
        "routes.chat: a is changed",
        "service: takes a restart of the service",
        "telemetry: takes a restart of the service",
    ]
    assert served.ask("hello")["text"] == "2"


def test_a_model_that_fails_to_load_leaves_the_old_one(served: ServedTree) -> None:
    """And what else was to go stays too."""
    broken = says("a", "two").replace(
        "otherwise", 'load = [{ type = "Raise", kind = "x" }], otherwise'
    )
    served.reload(HEAD + broken + route("chat", "a"))
    assert any(line["event"] == "reload.not_ready" for line in served.log)
    assert served.ask("hello")["text"] == "one"
    assert served.reload(HEAD + says("a", "two") + route("chat", "a")) == [
        "routes.chat: a is changed"
    ]
    assert served.ask("hello")["text"] == "two"


def test_a_route_that_fails_to_load_leaves_the_old_one(served: ServedTree) -> None:
    """Whatever the new one is called: a service isn't left without models by a reload."""
    broken = says("b", "two").replace(
        "otherwise", 'load = [{ type = "Raise", kind = "x" }], otherwise'
    )
    assert served.reload(HEAD + broken + route("talk", "b")) == [
        "routes.talk: is added",
        "routes.chat: is removed",
    ]
    assert served.ask("hello")["text"] == "one"
    served.reload(HEAD + says("b", "two") + route("talk", "b"))
    assert served.ask("hello", "talk")["text"] == "two"
    assert served.ask("hello", "chat")["error_type"] == "model_not_found"


def test_what_is_in_hand_is_finished_by_who_had_it(tmp_path: Path) -> None:
    """A model that goes ends its work first; the new one answers meanwhile."""
    gate_path = tmp_path / "gate"
    play = (
        '{ type = "Say", text = "begun " }, '
        f'{{ type = "WaitFor", path = "{gate_path}" }}, {{ type = "Say", text = "ended" }}'
    )
    held = says("a", "").replace('{ type = "Say", text = "" }', play)
    (tmp_path / "tree.toml").write_text(HEAD + held + route("chat", "a"))
    with (
        Gate(gate_path) as gate,
        ServedTree(tmp_path, "tree.toml") as served,
        served.client() as client,
        client.stream("POST", "/generate", json={"prompt": "go", "stream": True}) as answer,
    ):
        lines = answer.iter_lines()
        assert any("begun" in line for line in lines)
        served.reload(HEAD + says("a", "new") + route("chat", "a"), until="reload.draining")
        assert served.ask("hello")["text"] == "new"
        gate.open()
        assert any("ended" in line for line in lines)
        served.until("reload.done")


def test_a_file_that_is_read_again_takes_over_from_a_load_that_stalls(
    served: ServedTree, tmp_path: Path
) -> None:
    """SRV-09 What it doesn't want any more is given up; the old model answers until the new one."""
    with Gate(tmp_path / "gate") as gate:
        stalled = HEAD + held("a", "never", gate) + route("chat", "a")
        assert served.reload(stalled, until="reload.change") == ["routes.chat: a is changed"]
        served.until("WorkerSpawned", path="root/chat/a.2")
        assert served.ask("hello")["text"] == "one"
        said = served.reload(HEAD + says("a", "three") + route("chat", "a"))
        assert said == ["routes.chat: a is changed"]
        assert served.ask("hello")["text"] == "three"


def test_a_load_that_is_still_wanted_goes_on(served: ServedTree, tmp_path: Path) -> None:
    """A file that differs elsewhere has it neither ended nor begun again."""
    with Gate(tmp_path / "gate") as gate:
        slow = HEAD + held("a", "two", gate) + route("chat", "a")
        served.reload(slow, until="reload.change")
        served.until("WorkerSpawned", path="root/chat/a.2")
        (tmp_path / "tree.toml").write_text(slow + says("b", "b") + route("talk", "b"))
        served.process.send_signal(signal.SIGHUP)
        assert served.ask("hello")["text"] == "one"
        gate.open()
        served.until("reload.done")
    assert served.ask("hello")["text"] == "two"
    assert served.ask("hello", "talk")["text"] == "b"
    spawned = [line["path"] for line in served.log if line["event"] == "WorkerSpawned"]
    assert spawned.count("root/chat/a.2") == 1


def test_each_request_is_answered_once_while_it_is_reloaded(served: ServedTree) -> None:
    """LAW-1 Under load, with models that are changed, and routers that are replaced."""
    is_over, answers = threading.Event(), Counter[str]()

    def keep_asking() -> Counter[str]:
        answers = Counter[str]()
        with served.client() as client:
            while not is_over.is_set():
                answer = client.post("/generate", json={"prompt": "hello", "model": "chat"})
                answers[answer.json().get("text", answer.text)] += 1
        return answers

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(keep_asking) for _ in range(4)]
        for number in range(4):
            more = f"retries = {number // 2 + 1}"
            served.reload(HEAD + says("a", f"n{number}") + route("chat", "a", more=more))
        assert served.ask("hello")["text"] == "n3"
        is_over.set()
        for each in asking:
            answers += each.result()
    # An error would be told as it is: none of these.
    assert set(answers) <= {"one", "n0", "n1", "n2", "n3"}
    assert len(answers) > 1
