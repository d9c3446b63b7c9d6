"""Alerts by e-mail, to a real SMTP server on this machine, and to what only seems to be one."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import functools
import ssl
from collections.abc import AsyncIterator, Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import rich.pretty
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from failsoft.actors import System
from failsoft.telemetry import AlertLost, AlertReceiver, AlertSent, Email, RetryPolicy
from failsoft.testing import EventRecorder

from .alert_server import PATIENT
from .sample_alerts import DISK, RESOLVED, alert, changed, tell

pytestmark = pytest.mark.anyio

QUICK = RetryPolicy(tries=3, timeout=PATIENT, within=PATIENT, base=0.001, factor=1.0)
# Of this machine alone, and good for nothing else.
CERTIFICATE = str(Path(__file__).parent / "localhost.pem")


@pytest.fixture
def anyio_backend() -> str:
    """Run in real time: real sockets are waited for."""
    return "asyncio"


class Mailbox:
    """Keep what comes; refuse the addresses in ``refused`` with a code."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.refused: dict[str, str] = {}
        self.logins: list[tuple[bytes, bytes]] = []
        self.answers: list[str] = []

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return f"{self.refused[address]} no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answers:
            return self.answers.pop(0)
        content = envelope.original_content or b""
        self.messages.append(email.message_from_bytes(content, policy=email.policy.default))
        self.recipients += envelope.rcpt_tos
        return "250 OK"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth: Any
    ) -> AuthResult:
        assert isinstance(auth, LoginPassword)
        self.logins.append((auth.login, auth.password))
        return AuthResult(success=auth.password == b"pa55", handled=False)


@contextlib.asynccontextmanager
async def listening(factory: Callable[[], asyncio.Protocol], **options: Any) -> AsyncIterator[int]:
    """Have ``factory`` serve connections; give the port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(factory, "127.0.0.1", 0, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@contextlib.asynccontextmanager
async def mail_server(mailbox: Mailbox, *, security: str = "none") -> AsyncIterator[int]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(CERTIFICATE)
    factory = functools.partial(
        SMTP,
        mailbox,
        hostname="localhost",
        authenticator=mailbox.authenticate,
        tls_context=tls if security == "starttls" else None,
        auth_require_tls=security == "starttls",
    )
    async with listening(factory, ssl=tls if security == "tls" else None) as port:
        yield port


def to(port: int, **options: Any) -> Email:
    usual = {"sender": "failsoft@example.org", "recipients": ("ops@example.org",)}
    return Email(**{"host": "127.0.0.1", "port": port, "security": "none", **usual, **options})


@contextlib.asynccontextmanager
async def receiving(
    destination: Email, retry: RetryPolicy = QUICK
) -> AsyncIterator[tuple[System, EventRecorder]]:
    async with System() as system:
        events = EventRecorder(system)
        await system.spawn(lambda: AlertReceiver(destination, retry=retry), "receiver")
        yield system, events


async def sent(destination: Email) -> AlertSent:
    async with receiving(destination) as (system, events):
        tell(system, alert())
        return await events.wait_for(AlertSent)


async def lost(destination: Email, retry: RetryPolicy = QUICK) -> AlertLost:
    async with receiving(destination, retry) as (system, events):
        tell(system, alert())
        return await events.wait_for(AlertLost)


@pytest.mark.usefixtures("clean_loop")
async def test_alerts_come_as_one_message() -> None:
    """TL-02 With a subject that says it all, and a line for each."""
    mailbox = Mailbox()
    async with mail_server(mailbox) as port, receiving(to(port)) as (system, events):
        tell(system, alert(), DISK, RESOLVED)
        await events.wait_for(AlertSent)
    (message,) = mailbox.messages
    assert message["Subject"] == "[failsoft] 2 firing, 1 resolved (gpu-1)"
    assert (message["From"], message["To"]) == ("failsoft@example.org", "ops@example.org")
    assert message["Message-ID"] == "<0af7651916cd43dd@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime.timestamp() == 1_800_000_000
    assert message.get_content().splitlines() == [
        "critical: disk [health_critical:health], 3 times",
        "error: the circuit in front of <primary> & co is open [circuit_open:root/text/primary]",
        "resolved: the circuit in front of <primary> & co is open "
        "[circuit_open:root/text/primary], after 10 s",
    ]


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_password_goes_through_tls(security: str) -> None:
    """TL-09 To a server whose certificate is good."""
    mailbox = Mailbox()
    async with mail_server(mailbox, security=security) as port:
        login = {"username": "me", "password": "pa55", "ca_file": CERTIFICATE}
        await sent(to(port, security=security, **login))
    assert mailbox.logins == [(b"me", b"pa55")]
    assert len(mailbox.messages) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_server_that_nobody_vouches_for_gets_nothing(security: str) -> None:
    """TL-09 No password, and no alert."""
    mailbox = Mailbox()
    async with mail_server(mailbox, security=security) as port:
        ended = await lost(to(port, security=security, username="me", password="pa55"))
    assert "certificate" in ended.reason.lower()
    assert (mailbox.logins, mailbox.messages) == ([], [])


async def test_a_server_without_tls_gets_nothing() -> None:
    """TL-09 It is not gone on in clear."""
    mailbox = Mailbox()
    async with mail_server(mailbox) as port:
        ended = await lost(to(port, security="starttls", username="me", password="pa55"))
    assert "STARTTLS" in ended.reason
    assert (mailbox.logins, mailbox.messages) == ([], [])


async def test_a_wrong_password_is_not_tried_again() -> None:
    """TL-03 It is as wrong the next time, and may lock the account."""
    mailbox = Mailbox()
    async with mail_server(mailbox, security="starttls") as port:
        login = {"username": "me", "password": "wr0ng", "ca_file": CERTIFICATE}
        ended = await lost(to(port, security="starttls", **login))
    assert (ended.tries, ended.reason) == (1, "it answered with code 535")


async def test_a_server_that_is_busy_is_tried_again() -> None:
    """TL-03 As its code says: those from 400 on are for now."""
    mailbox = Mailbox()
    mailbox.answers = ["451 busy"]
    async with mail_server(mailbox) as port:
        assert (await sent(to(port))).tries == 2
    assert len(mailbox.messages) == 1


@pytest.mark.parametrize(("code", "tries"), [("550", 1), ("450", 3)])
async def test_where_all_recipients_are_refused_it_is_lost(code: str, tries: int) -> None:
    """TL-03 At once, where that is final."""
    mailbox = Mailbox()
    mailbox.refused = {"ops@example.org": code}
    async with mail_server(mailbox) as port:
        ended = await lost(to(port))
    assert (ended.tries, ended.reason) == (tries, f"it answered with code {code}")


async def test_where_one_recipient_is_refused_the_others_get_it() -> None:
    """TL-03 Once: another try would tell them twice."""
    mailbox = Mailbox()
    mailbox.refused = {"ops@example.org": "550"}
    async with mail_server(mailbox) as port:
        both = ("ops@example.org", "boss@example.org")
        assert (await sent(to(port, recipients=both))).tries == 1
    assert mailbox.recipients == ["boss@example.org"]


class Silent(asyncio.Protocol):
    """Accept a connection, and say nothing."""


class Babbling(asyncio.Protocol):
    """Say what no SMTP server says, and go."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"\x00\xff hello\r\n")
        transport.close()


@pytest.mark.usefixtures("clean_loop")
async def test_a_server_that_says_nothing_is_left() -> None:
    """TL-03 Its connection is closed at the timeout."""
    async with listening(Silent) as port:
        ended = await lost(to(port), RetryPolicy(tries=1, timeout=0.2))
    assert ended.reason == "it didn't answer within 0.2 s"


async def test_what_is_no_mail_server_is_tried_again_and_lost() -> None:
    """TL-03 Whatever it says, the actor lives."""
    async with listening(Babbling) as port:
        ended = await lost(to(port))
    assert ended.tries == 3


def test_what_an_alert_says_can_be_no_header() -> None:
    """TL-02 A line's end in a name is a space by the time that it is told; here it can't pass."""
    long = changed(alert(summary="s" * 2000))
    message = to(25).message(long)
    assert len(message["Subject"]) <= 150
    with pytest.raises(ValueError, match="linefeed"):
        EmailMessage()["Subject"] = "a\r\nBcc: b"


def test_the_password_shows_nowhere() -> None:
    """TL-09 Neither in a repr, nor in rich's."""
    it = to(25, security="tls", username="me", password="hidden")
    assert "hidden" not in repr(it) + rich.pretty.pretty_repr(it)
    assert repr(it) == "Email(127.0.0.1)"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"host": ""}, "host and port"),
        ({"port": 0}, "host and port"),
        ({"recipients": ()}, "at least one"),
        ({"recipients": ("nobody",)}, "must be like"),
        ({"sender": "a@b\nBcc: c"}, "must be like"),
        ({"security": "ssl"}, "starttls, tls or none"),
        ({"password": "x"}, "go together"),
        ({"username": "me", "password": "x"}, "in clear"),
    ],
)
def test_an_address_that_makes_no_sense_is_an_error(fields: dict[str, Any], said: str) -> None:
    """It says what is wanted."""
    with pytest.raises(ValueError, match=said):
        to(**{"port": 25, **fields})
