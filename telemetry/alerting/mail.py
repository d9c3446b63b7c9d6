"""E-mail: one message for all alerts that are told together."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final, Literal

from failsoft.telemetry.alerting.alert import plain_text
from failsoft.telemetry.alerting.delivery import Delivery, Destination, extra_needed
from failsoft.telemetry.alerting.wording import headline, lines
from failsoft.telemetry.events import AlertsChanged

_MOST_LINES: Final = 200
_LONGEST_SUBJECT: Final = 150


class Email(Destination, frozen=True, kw_only=True):
    """Send to an SMTP server.

    security: ``starttls`` and ``tls`` check the server's certificate; ``none`` is for a server on
        this machine, and takes no password.
    ca_file: certificates to check it by, where not those of the system.
    """

    host: str
    sender: str
    recipients: tuple[str, ...]
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None

    def __post_init__(self) -> None:
        if not self.host or not 0 < self.port < 65536:
            raise ValueError("host and port must name an SMTP server: mail.example.org, 587")
        if not self.recipients:
            raise ValueError("recipients must hold at least one address")
        for address in (self.sender, *self.recipients):
            name, _, domain = address.partition("@")
            is_plain = address.isascii() and address.isprintable() and " " not in address
            if not (name and domain and is_plain):
                raise ValueError(f"an address must be like name@example.org: {address!a}")
        if self.security not in ("starttls", "tls", "none"):
            raise ValueError(f"security must be starttls, tls or none: {self.security!r}")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        if self.security == "none" and self.password is not None:
            raise ValueError("a password would go in clear; set security to starttls or tls")

    @property
    def place(self) -> str:
        return self.host

    def open(self) -> Delivery:
        with extra_needed():
            from failsoft.telemetry.alerting.mail_delivery import MailDelivery

        return MailDelivery(self)

    def message(self, event: AlertsChanged) -> EmailMessage:
        """Write the message; its id is the same at each try."""
        message = EmailMessage()
        message["Subject"] = plain_text(f"[failsoft] {headline(event)}", _LONGEST_SUBJECT)
        message["From"] = self.sender
        message["To"] = ", ".join(self.recipients)
        message["Date"] = format_datetime(datetime.fromtimestamp(event.time, UTC))
        message["Message-ID"] = f"<{event.id}@{self.sender.rpartition('@')[2]}>"
        # So that nobody's notice of absence comes back.
        message["Auto-Submitted"] = "auto-generated"
        message.set_content("\n".join(lines(event, _MOST_LINES)) + "\n")
        return message
