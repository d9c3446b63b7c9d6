"""A watch: one rule at work, with the alerts that it has raised."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from failsoft.messages.events import Event
from failsoft.telemetry.alerting.alert import Alert, Status
from failsoft.telemetry.alerting.matcher import Matcher, Summary
from failsoft.telemetry.alerting.rules import AlertRule
from failsoft.telemetry.label_bound import OTHER


class _Case(msgspec.Struct):
    """Know what goes on about one key. It is on, or it is remembered for its cooldown's sake."""

    key: str
    summary: str = ""
    since: float = 0.0
    seen: float = 0.0
    count: int = 0
    told_at: float = -math.inf
    is_on: bool = False
    told: Alert | None = None  # that it fires, while it does


class RuleWatch:
    """Find out when a rule's alerts fire, and when they are resolved. Does nothing by itself.

    A case is on from the first event until one that resolves it, or until there was none for the
    rule's ``resolved_after``. While it is on, it is told once: when it has held for long enough
    and the cooldown of the last time is over. Only what was told is resolved.

    most: keys at a time; those beyond are one case, called ``other``.
    due: no later than this there is something to tell or to forget.

    Raises ValueError where the rule names an event or a field that there isn't.
    """

    __slots__ = ("_cases", "_ends", "_most", "_summary", "_when", "due", "rule")

    def __init__(self, rule: AlertRule, most: int) -> None:
        self.rule = rule
        try:
            self._when = Matcher(rule.when)
            self._ends = tuple(Matcher(pattern) for pattern in rule.resolved_by)
            self._summary = Summary(rule.summary, self._when.kind)
        except ValueError as error:
            raise ValueError(f"rule {rule.name}: {error}") from error
        self._most = most
        self._cases: dict[str, _Case] = {}
        self.due = math.inf

    @property
    def kinds(self) -> tuple[type[Event], ...]:
        """Give the kinds of events that it must hear."""
        return tuple(dict.fromkeys((self._when.kind, *(end.kind for end in self._ends))))

    @property
    def firing(self) -> Iterator[Alert]:
        """Give the alerts that were told and not resolved."""
        return (case.told for case in self._cases.values() if case.told is not None)

    def hear(self, event: Event, now: float) -> Alert | None:
        """Take note of an event; give what is to be told of it at once."""
        kind, when = type(event), self._when
        if kind is when.kind and when.matches(event):
            return self._happened(when.key(event), self._summary.of(event), now)
        for end in self._ends if self._cases else ():
            if kind is end.kind and end.matches(event):
                case = self._cases.get(end.key(event))
                return None if case is None else self._end(case, now)
        return None

    def tick(self, now: float) -> list[Alert]:
        """Give what is to be told by now though nothing happened; forget what is over."""
        alerts: list[Alert | None] = []
        for case in tuple(self._cases.values()):
            if (
                case.is_on
                and case.told is None
                and self._tell_at(case) <= min(now, self._end_at(case))
            ):
                alerts.append(self._tell(case, now))
            if case.is_on and self._end_at(case) <= now:
                alerts.append(self._end(case, now))
            if not case.is_on:
                self._rest(case, now)
        self.due = min(map(self._next, self._cases.values()), default=math.inf)
        return [alert for alert in alerts if alert is not None]

    def _happened(self, key: str, summary: str, now: float) -> Alert | None:
        if key not in self._cases and len(self._cases) >= self._most:
            key, summary = OTHER, f"{self.rule.name}: more than {self._most} at a time"
        case = self._cases.setdefault(key, _Case(key))
        if not case.is_on:
            case.is_on, case.since = True, now
        case.seen, case.count = now, case.count + 1
        case.summary = summary or self.rule.name.replace("_", " ")
        is_due = now >= self._tell_at(case)
        alert = self._tell(case, now) if is_due else None
        self.due = min(self.due, self._next(case))
        return alert

    def _tell(self, case: _Case, now: float) -> Alert:
        case.told = alert = self._alert(case, "firing", now)
        case.told_at, case.count = now, 0
        return alert

    def _end(self, case: _Case, now: float) -> Alert | None:
        was_told = case.told is not None
        case.is_on, case.told = False, None
        self._rest(case, now)
        return self._alert(case, "resolved", now) if was_told else None

    def _rest(self, case: _Case, now: float) -> None:
        """Remember a case that was told for its cooldown, and as long as it comes and goes."""
        until = self._next(case)
        if until <= now:
            self._cases.pop(case.key, None)
        else:
            self.due = min(self.due, until)

    def _tell_at(self, case: _Case) -> float:
        """Give when it may be told, at the earliest: the first time, or again."""
        held = -math.inf if case.told is not None else case.since + self.rule.holds_for
        return max(held, case.told_at + self.rule.cooldown)

    def _end_at(self, case: _Case) -> float:
        return case.seen + self.rule.resolved_after

    def _next(self, case: _Case) -> float:
        if not case.is_on:
            was_told = case.told_at > -math.inf
            return max(case.told_at, case.seen) + self.rule.cooldown if was_told else -math.inf
        ends = self._end_at(case)
        return ends if case.told is not None else min(ends, self._tell_at(case))

    def _alert(self, case: _Case, status: Status, now: float) -> Alert:
        return Alert(
            rule=self.rule.name,
            key=case.key,
            severity=self.rule.severity,
            status=status,
            summary=case.summary,
            since=case.since,
            at=now,
            count=case.count,
        )

    def __repr__(self) -> str:
        firing = sum(1 for _ in self.firing)
        return f"<RuleWatch {self.rule.name}: {firing} firing, {len(self._cases)} known>"
