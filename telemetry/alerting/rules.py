"""Rules: which events make an alert, and which end it. Plain data, so a file can hold them."""

from __future__ import annotations

import math

import msgspec

from failsoft.telemetry.alerting.alert import SEVERITIES, Severity

A_DAY = 86_400.0


class EventPattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Describe events: those called ``event`` whose fields are as said.

    key: the fields that tell whom it is about, joined by a slash; each such one has an alert of
        its own.
    one_of: field → values, one of which it has.
    at_least, below: field → a number; for figures such as a load or seconds.
    """

    event: str
    key: tuple[str, ...] = ("path",)
    one_of: dict[str, tuple[str | int | float | bool, ...]] = {}
    at_least: dict[str, float] = {}
    below: dict[str, float] = {}

    def __post_init__(self) -> None:
        if not self.key:
            raise ValueError(f"the key of {self.event} must name a field; take path")


class AlertRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Say what is wrong enough to be told, how urgent that is, and when it is over.

    when: events of what is wrong. resolved_by: events after which it no longer is, for the same
        key. For a figure, name the same event in both, with ``at_least`` and ``below``.
    holds_for: seconds that it must last before it is told; what ends before that is never told.
    resolved_after: seconds without another such event after which it is taken to be over.
    cooldown: seconds after it was told in which it isn't told again. What happens again later, or
        again within them and then lasts, is.
    severity: ``critical``, ``error``, ``warning`` or ``info``, which are PagerDuty's words.
    summary: one line for people; ``{field}`` stands for a field of the event, and may have a
        format, ``{rate:.0f}``. It leaves the machine: name no field that may hold a prompt.

    Raises ValueError where a value makes no sense. Whether there are such events and fields is
    checked by the ``AlertBook``.
    """

    name: str
    when: EventPattern
    resolved_by: tuple[EventPattern, ...] = ()
    holds_for: float = 0.0
    resolved_after: float = A_DAY
    cooldown: float = 300.0
    severity: Severity = "error"
    summary: str = ""

    def __post_init__(self) -> None:
        if not (self.name.isascii() and self.name.replace("-", "_").isidentifier()):
            raise ValueError(f"a rule's name must be one word, such as worker_hung: {self.name!r}")
        if self.severity not in SEVERITIES:
            raise ValueError(
                f"severity of {self.name} must be one of {SEVERITIES}: {self.severity!r}"
            )
        if not 0 <= self.holds_for < math.inf:
            raise ValueError(f"holds_for of {self.name} must be at least 0 s: {self.holds_for}")
        for field in ("resolved_after", "cooldown"):
            value = getattr(self, field)
            if not 1 <= value < math.inf:
                raise ValueError(f"{field} of {self.name} must be at least 1 s, finite: {value}")
