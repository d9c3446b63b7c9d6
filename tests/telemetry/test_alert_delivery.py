"""Alerts over real sockets: what each service gets, and what becomes of answers that say no."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Sequence

import pytest
from structlog.testing import capture_logs

from failsoft.actors import System
from failsoft.telemetry import (
    Alert,
    AlertLost,
    AlertReceiver,
    AlertSent,
    Destination,
    PagerDuty,
    RetryPolicy,
    Slack,
    Webhook,
)
from failsoft.telemetry.alerting.webhook import signature
from failsoft.testing import EventRecorder

from .alert_server import PATIENT, AlertServer, alert_server, answer
from .sample_alerts import DISK, RESOLVED, SECRET, alert, tell

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop", "plain_logs", "no_proxy")]

QUICK = RetryPolicy(tries=3, timeout=PATIENT, within=PATIENT, base=0.001, factor=1.0)


@pytest.fixture
def anyio_backend() -> str:
    """Run in real time: real sockets are waited for."""
    return "asyncio"


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Talk to the server itself."""
    monkeypatch.setenv("NO_PROXY", "*")


@contextlib.asynccontextmanager
async def receiving(
    destination: Destination, *, retry: RetryPolicy = QUICK
) -> AsyncIterator[tuple[System, EventRecorder]]:
    """Run a receiver; give the system and its events."""
    async with System() as system:
        events = EventRecorder(system)
        await system.spawn(lambda: AlertReceiver(destination, retry=retry), "receiver")
        yield system, events


async def sent(destination: Destination, server: AlertServer, alerts: Sequence[Alert]) -> None:
    """Send alerts, and wait until they have got through."""
    async with receiving(destination) as (system, events):
        tell(system, *alerts)
        await events.wait_for(AlertSent)


async def lost(destination: Destination, retry: RetryPolicy = QUICK) -> AlertLost:
    """Send an alert, and wait until it is lost."""
    async with receiving(destination, retry=retry) as (system, events):
        tell(system, alert())
        return await events.wait_for(AlertLost)


async def test_slack_gets_one_message_with_a_line_for_each_alert() -> None:
    """TL-02 The most severe first; nothing in it can be a link, or call everybody."""
    async with alert_server() as server:
        await sent(Slack(url=server.url), server, [alert(), DISK, RESOLVED])
        (post,) = server.posts
    said = json.loads(post.body)
    assert list(said) == ["text"]
    assert said["text"].split("\n") == [
        "*2 firing, 1 resolved (gpu-1)*",
        "• critical: disk [health_critical:health], 3 times",
        "• error: the circuit in front of &lt;primary&gt; &amp; co is open "
        "[circuit_open:root/text/primary]",
        "• resolved: the circuit in front of &lt;primary&gt; &amp; co is open "
        "[circuit_open:root/text/primary], after 10 s",
    ]
    assert post.headers["content-type"] == "application/json"


async def test_pagerduty_gets_an_event_for_each_alert() -> None:
    """TL-02 The most severe first; it answers 202."""
    async with alert_server(answer(202)) as server:
        to = PagerDuty(routing_key="r0uting", url=server.url)
        await sent(to, server, [alert(), DISK])
        first, second = (json.loads(post.body)["dedup_key"] for post in server.posts)
    assert (first, second) == (
        "gpu-1/health_critical:health",
        "gpu-1/circuit_open:root/text/primary",
    )


async def test_a_webhook_gets_json_that_is_signed() -> None:
    """TL-02 As the Standard Webhooks specification says."""
    async with alert_server() as server:
        began = int(time.time())
        await sent(Webhook(url=server.url, secret=SECRET), server, [alert()])
        (post,) = server.posts
    headers = post.headers
    assert began <= int(headers["webhook-timestamp"]) <= time.time()
    assert headers["webhook-signature"] == signature(
        SECRET, headers["webhook-id"], int(headers["webhook-timestamp"]), post.body
    )
    said = json.loads(post.body)
    assert (said["type"], said["timestamp"]) == ("alerts.changed", "2027-01-15T08:00:00.000+00:00")
    assert said["data"]["source"] == "gpu-1"
    (told,) = said["data"]["alerts"]
    assert told.pop("since") < told.pop("at")
    assert told == {
        "rule": "circuit_open",
        "key": "root/text/primary",
        "severity": "error",
        "status": "firing",
        "summary": "the circuit in front of <primary> & co is open",
        "count": 1,
    }


async def test_500_and_then_200_gets_through() -> None:
    """TL-03 The second try has the same id, so that who got both knows."""
    async with alert_server(answer(500), answer(200)) as server:
        async with receiving(Webhook(url=server.url, secret=SECRET)) as (system, events):
            tell(system, alert())
            assert (await events.wait_for(AlertSent)).tries == 2
        first, second = server.posts
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


async def test_500_for_ever_is_lost() -> None:
    """TL-03 After a bound of tries."""
    async with alert_server(answer(500)) as server:
        ended = await lost(Slack(url=server.url))
        assert len(server.posts) == 3
    assert (ended.tries, ended.reason) == (3, "it answered with status 500")


async def test_a_server_that_refuses_the_connection_is_tried_again_and_lost() -> None:
    """TL-03 Nobody listens there."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        ended = await lost(Slack(url=f"http://127.0.0.1:{unused.getsockname()[1]}/x"))
    assert (ended.tries, ended.reason) == (3, "it can't be reached (ConnectError)")


async def test_a_server_that_never_answers_is_left() -> None:
    """TL-03 Its connection is closed at the timeout."""
    async with alert_server(None) as server:
        ended = await lost(Slack(url=server.url), RetryPolicy(tries=1, timeout=0.2))
    assert (ended.tries, ended.reason) == (1, "it didn't answer within 0.2 s")


@pytest.mark.parametrize("status", [302, 400, 401, 404, 410])
async def test_a_no_that_is_final_is_not_tried_again(status: int) -> None:
    """TL-03 A wrong URL is wrong the next time, too; and nobody is sent elsewhere."""
    async with alert_server(answer(status, Location="http://127.0.0.1:9/")) as server:
        ended = await lost(Slack(url=server.url))
        assert len(server.posts) == 1
    assert ended.reason == f"it answered with status {status}"


@pytest.mark.parametrize(
    ("wait", "end"),
    [
        ("0", (AlertSent, 2)),
        ("Mon, 01 Jan 2001 00:00:00 GMT", (AlertSent, 2)),
        ("soon", (AlertSent, 2)),
        ("3600", (AlertLost, 1)),
        ("Fri, 01 Jan 2100 00:00:00 GMT", (AlertLost, 1)),
    ],
)
async def test_a_server_that_wants_a_pause_has_it(
    wait: str, end: tuple[type[AlertSent | AlertLost], int]
) -> None:
    """TL-03 Retry-After, in seconds or as a date; where that is too late, it is lost at once."""
    kind, tries = end
    async with (
        alert_server(answer(429, Retry_After=wait), answer(200)) as server,
        receiving(Slack(url=server.url)) as (system, events),
    ):
        tell(system, alert())
        assert (await events.wait_for(kind)).tries == tries


async def test_one_that_hangs_delays_no_other() -> None:
    """TL-03 The other one has got all while the first is still waited for."""
    async with alert_server(None) as stuck, alert_server() as well, System() as system:
        events = EventRecorder(system)
        for name, server in (("stuck", stuck), ("well", well)):
            to = Slack(url=server.url)
            await system.spawn(lambda to=to: AlertReceiver(to, retry=QUICK), name)  # type: ignore[misc]
        for number in range(5):
            tell(system, alert(str(number)))
        await well.count(5)
        await stuck.count(1)
        assert events.of(AlertSent, path="stuck") == []
        assert events.of(AlertLost) == []
        system.ref("stuck").address.kill()  # type: ignore[attr-defined]


@pytest.mark.parametrize("status", [404, None])
async def test_secrets_are_in_no_event_no_log_and_no_picture(
    status: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    """TL-09 The URL of a webhook is one; the library that sends would log it."""
    caplog.set_level(logging.INFO)
    async with alert_server(None if status is None else answer(status)) as server:
        with capture_logs() as lines:
            async with System() as system:
                events = EventRecorder(system)
                retry = RetryPolicy(tries=2, timeout=0.1, base=0.001)
                to = Slack(url=server.url)
                await system.spawn(lambda: AlertReceiver(to, retry=retry), "receiver")
                tell(system, alert())
                await events.wait_for(AlertLost)
                seen = repr((lines, list(events), system.tree(), caplog.text))
    assert "secret-token" not in seen
