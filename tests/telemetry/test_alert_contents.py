"""What each service is sent of alerts, to the byte; and that no secret shows."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import rich.pretty

from failsoft.actors import StartFailed, System
from failsoft.telemetry import AlertReceiver, Destination, Email, PagerDuty, Slack, Webhook
from failsoft.telemetry.alerting.webhook import signature

from .sample_alerts import DISK, RESOLVED, SECRET, alert, changed


def test_one_alert_is_one_line() -> None:
    """TL-02 And a storm has no more than twenty, with the number of the rest."""
    many = changed(*(alert(str(number)) for number in range(300)))
    slack = Slack(url="https://example.org/x")
    (post,) = slack.posts(changed(DISK))
    assert json.loads(post.body)["text"] == "*critical: disk (gpu-1)*"
    (post,) = slack.posts(many)
    assert json.loads(post.body)["text"].count("\n") == 21
    assert json.loads(post.body)["text"].endswith("• and 280 more")


def test_pagerduty_gets_a_trigger_and_a_resolve_of_one_incident() -> None:
    """TL-02 In the form of the Events API v2."""
    posts = PagerDuty(routing_key="r0uting").posts(changed(alert(), RESOLVED))
    trigger, resolve = (json.loads(post.body) for post in posts)
    incident = {"routing_key": "r0uting", "dedup_key": "gpu-1/circuit_open:root/text/primary"}
    assert trigger == {
        **incident,
        "event_action": "trigger",
        "payload": {
            "summary": "the circuit in front of <primary> & co is open",
            "source": "gpu-1",
            "severity": "error",
            "timestamp": "2027-01-15T08:00:00.000+00:00",
            "component": "root/text/primary",
            "class": "circuit_open",
            "custom_details": {"count": 1, "since": "2027-01-15T07:59:50.000+00:00"},
        },
    }
    assert resolve == {**incident, "event_action": "resolve"}


def test_pagerdutys_limits_are_kept() -> None:
    """TL-02 A long key is hashed, and the same for its end."""
    to = PagerDuty(routing_key="r0uting")
    long = "k" * 300
    posts = to.posts(changed(alert(long, summary="s" * 2000), alert(long, status="resolved")))
    trigger, resolve = (json.loads(post.body) for post in posts)
    assert len(trigger["payload"]["summary"]) == 1024
    assert trigger["dedup_key"] == resolve["dedup_key"]
    assert len(trigger["dedup_key"]) <= 255


def test_a_signature_is_that_of_others() -> None:
    """A vector that the specification's own libraries are tested with."""
    made = signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_webhook_gets_a_storm_in_bodies_of_a_hundred() -> None:
    """TL-02 None is left out, and each body has an id of its own."""
    posts = Webhook(url="https://example.org/x").posts(
        changed(*(alert(str(number)) for number in range(250)))
    )
    sizes = [len(json.loads(post.body)["data"]["alerts"]) for post in posts]
    assert sizes == [100, 100, 50]
    assert len({post.id for post in posts}) == 3


@pytest.mark.parametrize(
    "to",
    [
        Slack(url="https://hooks.example.org/services/T0/B0/hidden"),
        PagerDuty(routing_key="hidden-key"),
        Webhook(url="https://example.org/hidden?token=hidden", secret=SECRET),
    ],
)
def test_secrets_show_nowhere(to: Destination) -> None:
    """TL-09 Neither in a repr, nor in rich's."""
    shown = [repr(to), str(to), f"{to}", rich.pretty.pretty_repr(to)]
    assert not [text for text in shown if "hidden" in text or SECRET in text]
    assert "example.org" in shown[0] or "pagerduty.com" in shown[0]


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        (Slack, {"url": "hooks.slack.com/hidden"}, "url must be like"),
        (Slack, {"url": "ftp://x/hidden"}, "url must be like"),
        (Webhook, {"url": "https://x/\nhidden"}, "url must be like"),
        (Webhook, {"url": "https://[hidden"}, "url must be like"),
        (Webhook, {"url": "https://x", "secret": "hidden"}, "secret must be whsec_"),
        (Webhook, {"url": "https://x", "secret": "whsec_hidden"}, "secret must be whsec_"),
        (PagerDuty, {"routing_key": ""}, "routing_key must be"),
    ],
)
def test_a_destination_that_makes_no_sense_is_an_error(
    kind: type[Destination], fields: dict[str, str], said: str
) -> None:
    """It says what is wanted, and not what was there: that may be a secret."""
    with pytest.raises(ValueError, match=said) as caught:
        kind(**fields)
    assert "hidden" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.anyio
async def test_a_host_that_can_be_none_is_an_error_at_the_start(system: System) -> None:
    """SV-12 And not at the first alert."""
    with pytest.raises(StartFailed, match="check its host") as caught:
        await system.spawn(lambda: AlertReceiver(Slack(url="http://999.1.1.1/hidden")), "slack")
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("to", "package"),
    [
        (Slack(url="https://example.org/x"), "httpx2"),
        (Email(host="x", sender="a@b", recipients=("a@b",)), "aiosmtplib"),
    ],
)
def test_a_package_that_is_missing_is_named(
    to: Destination, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what to run."""
    monkeypatch.setitem(sys.modules, package, None)
    for module in ("http_delivery", "mail_delivery"):
        monkeypatch.delitem(sys.modules, f"failsoft.telemetry.alerting.{module}", raising=False)
    with pytest.raises(
        ModuleNotFoundError, match=rf"'{package}'.*pip install 'failsoft\[alerts\]'"
    ):
        to.open()


def test_who_sends_no_alerts_needs_no_package_for_it() -> None:
    """The extra is for those that are told."""
    look = (
        "import failsoft.telemetry, sys;"
        "print([name for name in ('httpx2', 'aiosmtplib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
