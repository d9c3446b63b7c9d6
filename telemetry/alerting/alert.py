"""Alerts: what is wrong, or was, in the words that people are told."""

from __future__ import annotations

from typing import Final, Literal, get_args

import msgspec

Severity = Literal["critical", "error", "warning", "info"]
Status = Literal["firing", "resolved"]

SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Tell that something is wrong (``firing``), or that it no longer is (``resolved``).

    rule, key: which rule, and whom it is about: together they name the alert.
    since: when it began; at: when this was found; both in seconds, on the system's clock.
    count: how often it happened since it was last told that it fires, this time included.
    """

    rule: str
    key: str
    severity: Severity
    status: Status
    summary: str
    since: float
    at: float
    count: int

    @property
    def name(self) -> str:
        """Give what is the same for a firing alert and its resolved one."""
        return f"{self.rule}:{self.key}"


def plain_text(text: str, most: int) -> str:
    """Give ``text`` as one line of at most ``most`` characters, without control characters.

    It holds what a model, a path or an error is called, which somebody may have made up.
    """
    if len(text) <= most and text.isprintable():
        return text
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 2 * most]).split())
    return line if len(line) <= most else line[: most - 1] + "…"
