"""SRV-10: keys of callers, and the operators' token."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from failsoft.service.http import ApiKeys, Caller, hashed
from failsoft.service.http.callers import check_operator
from failsoft.service.http.refusals import Unauthorized

from .program import KEY, OPERATOR_TOKEN
from .served import ServedProcess, serving

OPERATOR = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedProcess]:
    """Give a service with a key and an operator's token."""
    served = serving(tmp_path_factory.mktemp("locked"), "keys", "operator")
    yield served
    served.close()


@pytest.fixture(scope="module")
def asker(locked: ServedProcess) -> Iterator[httpx2.Client]:
    with locked.client() as client:
        yield client


def test_without_a_token_operators_can_do_nothing(client: httpx2.Client) -> None:
    """SRV-10 It is as if there were nothing there."""
    for path in ("/operator/restart", "/operator/drain"):
        assert client.post(path, json={}, headers=OPERATOR).status_code == 404
    assert client.get("/operator/quarantine").status_code == 404


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", f"Basic {OPERATOR_TOKEN}", KEY]
)
def test_a_wrong_token(asker: httpx2.Client, header: str | None) -> None:
    """SRV-10 Is a 401, before the body is looked at; a caller's key is no operator's."""
    headers = {} if header is None else {"Authorization": header}
    answer = asker.post("/operator/restart", content=b"nonsense", headers=headers)
    assert (answer.status_code, answer.json()["error_type"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """SRV-10 By their hashes, each of them, and by hmac.compare_digest alone."""
    compared: list[tuple[str, str]] = []

    def compare(left: str, right: str) -> bool:
        compared.append((left, right))
        return left == right

    monkeypatch.setattr("failsoft.service.http.callers.hmac.compare_digest", compare)
    keys = [hashed(f"a key of some length {number}") for number in range(3)]
    headers = {b"authorization": b"Bearer a key of some length 0"}
    assert ApiKeys({key: Caller(key) for key in keys}).caller(headers).tenant == keys[0]
    assert [left for left, _ in compared] == keys
    with pytest.raises(Unauthorized):
        check_operator({}, keys[0])
    assert compared[-1] == (keys[0], hashlib.sha256(b"").hexdigest())


def test_a_caller_needs_its_key(asker: httpx2.Client) -> None:
    """And is known by it: its tenant and its priority go with the request."""
    body = {"model": "crowd", "prompt": "who am I?"}
    for path in ("/generate", "/v1/completions"):
        assert asker.post(path, json=body).status_code == 401
    assert asker.get("/metrics").status_code == 401
    told = asker.post("/v1/completions", json=body).json()
    assert told["error"]["type"] == "authentication_error"
    answer = asker.post("/generate", json=body, headers={"Authorization": f"Bearer {KEY}"})
    assert answer.json()["text"] == "for 'somebody', 3"


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/startupz", "/health", "/openapi.json"])
def test_probes_need_no_key(asker: httpx2.Client, path: str) -> None:
    """Whatever runs the service has none."""
    assert asker.get(path).status_code in (200, 503)


def test_restarting_a_model(asker: httpx2.Client) -> None:
    """The operator gets an answer once it is up again."""

    def restarted() -> httpx2.Response:
        body = {"path": "root/crowd/all"}
        return asker.post("/operator/restart", json=body, headers=OPERATOR)

    assert restarted().json() == {"done": True, "count": 1}
    key = {"Authorization": f"Bearer {KEY}"}
    answer = asker.post("/generate", json={"prompt": "a", "model": "crowd"}, headers=key)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("root/nobody/x", 422),
        ("root/text/nobody", 404),
        ("nowhere", 422),
        ("root/crowd/all/x", 422),
    ],
)
def test_restarting_what_is_not_there(asker: httpx2.Client, path: str, status: int) -> None:
    """Is told by its path, and harms nobody."""
    answer = asker.post("/operator/restart", json={"path": path}, headers=OPERATOR)
    assert answer.status_code == status


def test_steering_a_circuit(asker: httpx2.Client) -> None:
    """Held open nobody is asked; freed and reset, all is as before."""
    key = {"Authorization": f"Bearer {KEY}"}

    def asked() -> int:
        body = {"prompt": "a", "model": "crowd"}
        return asker.post("/generate", json=body, headers=key).status_code

    def steered(state: str) -> int:
        body = {"path": "root/crowd/all", "state": state}
        return asker.post("/operator/breaker", json=body, headers=OPERATOR).status_code

    assert (steered("open"), asked()) == (200, 503)
    assert asker.get("/status", headers=key).json()["breakers"]["root/crowd/all"] == "open"
    assert (steered("free"), steered("reset"), asked()) == (200, 200, 200)
    assert steered("ajar") == 422


def test_the_quarantine(asker: httpx2.Client) -> None:
    """Is listed by router, and cleared."""
    held = asker.get("/operator/quarantine", headers=OPERATOR).json()
    assert held["root/text"] == []
    answer = asker.post("/operator/quarantine/clear", json={"path": "root/text"}, headers=OPERATOR)
    assert answer.json() == {"done": True, "count": 0}


def test_keys_in_a_file(tmp_path: Path) -> None:
    """By their hashes; a key as it is, is refused, and not shown."""
    path = tmp_path / "keys.json"
    path.write_text(f'[{{"sha256": "{hashed(KEY)}", "tenant": "me", "priority": 2}}]')
    bearer = {b"authorization": b"Bearer " + KEY.encode()}
    assert ApiKeys.from_file(path).caller(bearer) == Caller("me", 2)
    path.write_text(f'[{{"sha256": "{KEY}"}}]')
    with pytest.raises(ValueError, match="64 hexadecimal digits") as raised:
        ApiKeys.from_file(path)
    assert KEY not in str(raised.value)
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"keys\.json doesn't hold a list of keys"):
        ApiKeys.from_file(path)


def test_a_key_that_could_be_guessed() -> None:
    """Is refused where its hash is made."""
    with pytest.raises(ValueError, match="at least 16 characters"):
        hashed("secret")
