"""Slack, and what takes messages as Slack does (Mattermost, Rocket.Chat, Discord's ``/slack``)."""

from __future__ import annotations

from typing import Final

import msgspec

from failsoft.telemetry.alerting.http_destination import HttpDestination, Post
from failsoft.telemetry.alerting.wording import headline, lines
from failsoft.telemetry.events import AlertsChanged

_MOST_LINES: Final = 20


class Slack(HttpDestination, frozen=True, kw_only=True):
    """Send to an incoming webhook, one message for all alerts that are told together.

    url: whoever knows it may post, so it is a secret.
    """

    def posts(self, event: AlertsChanged) -> list[Post]:
        text = f"*{_escaped(headline(event))}*"
        if len(event.alerts) > 1:
            text = "\n".join((text, *(f"• {_escaped(line)}" for line in lines(event, _MOST_LINES))))
        return [Post(event.id, msgspec.json.encode({"text": text}))]


def _escaped(text: str) -> str:
    """Give ``text`` such that nothing in it is a link, or calls everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
