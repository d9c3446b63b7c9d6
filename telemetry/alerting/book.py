"""The book of alerts: events in, and out what people must be told, a storm in one message."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from failsoft.messages.events import Event
from failsoft.telemetry.alerting.alert import Alert
from failsoft.telemetry.alerting.default_rules import DEFAULT_RULES
from failsoft.telemetry.alerting.rules import AlertRule
from failsoft.telemetry.alerting.watch import RuleWatch
from failsoft.telemetry.label_bound import MOST_VALUES

_KEPT: Final = 100


class AlertReport(msgspec.Struct, frozen=True):
    """Tell which alerts there are, as of ``at`` on the system's clock.

    firing: those of now, oldest first. recent: the last ones told, newest first.
    """

    at: float
    firing: tuple[Alert, ...]
    recent: tuple[Alert, ...]


class AlertBook:
    """Hold events against rules, and say what is to be told when. It tells nobody by itself.

    Made once, outside of the actor that has it, so that it outlives that. Its size is bounded by
    its rules and ``most_keys``.

    rules: what makes an alert. group_window: seconds in which more alerts are waited for, once
    there is one, so that they are told together. most_keys: cases of one rule that are told apart.

    Raises ValueError where a rule names an event or a field that there isn't, or two rules have
    one name.
    """

    __slots__ = ("_due", "_group", "_recent", "_watches", "_watching", "_window")

    def __init__(
        self,
        rules: Sequence[AlertRule] = DEFAULT_RULES,
        *,
        group_window: float = 2.0,
        most_keys: int = MOST_VALUES,
    ) -> None:
        if not 0 <= group_window < math.inf:
            raise ValueError(f"group_window must be at least 0 s, and finite; it is {group_window}")
        if most_keys < 1:
            raise ValueError(f"most_keys must be at least 1; it is {most_keys}")
        names = [rule.name for rule in rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two rules are called {', '.join(twice)}; rename one of them")
        self._watches = tuple(RuleWatch(rule, most_keys) for rule in rules)
        self._watching: dict[type[Event], list[RuleWatch]] = {}
        for watch in self._watches:
            for kind in watch.kinds:
                self._watching.setdefault(kind, []).append(watch)
        self._window = group_window
        self._group: list[Alert] = []
        self._due = math.inf
        self._recent: deque[Alert] = deque(maxlen=_KEPT)

    @property
    def kinds(self) -> tuple[type[Event], ...]:
        """Give the kinds of events that it must hear."""
        return tuple(self._watching)

    @property
    def due(self) -> float:
        """Give when ``tick`` must be called, at the latest."""
        return min(self._due, min((watch.due for watch in self._watches), default=math.inf))

    def hear(self, event: Event, now: float) -> None:
        """Take note of an event."""
        for watch in self._watching.get(type(event), ()):
            alert = watch.hear(event, now)
            if alert is not None:
                self._add(alert, now)

    def tick(self, now: float) -> tuple[Alert, ...]:
        """Give what is to be told now, together; nothing, as a rule."""
        for watch in self._watches:
            if watch.due <= now:
                for alert in watch.tick(now):
                    self._add(alert, now)
        return self.take() if self._due <= now else ()

    def take(self) -> tuple[Alert, ...]:
        """Give what waits to be told, though there may soon be more: at the end, say."""
        group, self._group, self._due = self._group, [], math.inf
        self._recent.extend(group)
        return tuple(group)

    def report(self, now: float) -> AlertReport:
        """Tell which alerts there are."""
        firing = [alert for watch in self._watches for alert in watch.firing]
        firing.sort(key=lambda alert: alert.since)
        return AlertReport(now, tuple(firing), tuple(reversed(self._recent)))

    def _add(self, alert: Alert, now: float) -> None:
        if not self._group:
            self._due = now + self._window
        self._group.append(alert)

    def __repr__(self) -> str:
        return f"<AlertBook {list(self._watches)}, {len(self._group)} to be told>"
