"""Delivery by SMTP, and what the server's answers mean."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage
from typing import Final

import aiosmtplib
import structlog

from failsoft.telemetry.alerting.alert import plain_text
from failsoft.telemetry.alerting.delivery import NotDelivered
from failsoft.telemetry.alerting.mail import Email
from failsoft.telemetry.events import AlertsChanged

log = structlog.get_logger("failsoft.alerts")

# Of RFC 5321: those below may be another answer later.
_PERMANENT: Final = 500
_LONGEST: Final = 200


class MailDelivery:
    """Send messages to an SMTP server, each on a connection of its own: there are few."""

    def __init__(self, destination: Email) -> None:
        self._destination = destination

    def parts(self, event: AlertsChanged) -> Sequence[EmailMessage]:
        return [self._destination.message(event)]

    async def send(self, part: EmailMessage) -> None:
        to = self._destination
        try:
            refused, _ = await aiosmtplib.send(
                part,
                hostname=to.host,
                port=to.port,
                username=to.username,
                password=to.password,
                use_tls=to.security == "tls",
                start_tls=to.security == "starttls",
                cert_bundle=to.ca_file,
                timeout=None,  # whoever sends bounds the time of it as a whole
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [refusal.code for refusal in error.recipients]
            raise _refused(min(codes, default=_PERMANENT)) from None
        except aiosmtplib.SMTPResponseException as error:
            raise _refused(error.code) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            # The library's words, not the server's.
            reason = plain_text(f"it can't be used ({type(error).__name__}: {error})", _LONGEST)
            raise NotDelivered(reason) from None
        if refused:
            log.warning("alerts.recipients_refused", server=to.host, recipients=len(refused))

    async def aclose(self) -> None:
        """Nothing is open between two messages."""


def _refused(code: int) -> NotDelivered:
    return NotDelivered(f"it answered with code {code}", is_final=code >= _PERMANENT)
