"""The book of alerts: what is told when, once, together, and what is never told."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.messages.events import (
    Event,
    StandbyPromoted,
    StandbyReady,
    WorkerHung,
    WorkerReady,
)
from failsoft.telemetry import Alert, AlertBook, AlertRule, EventPattern

RULE = AlertRule(
    name="hung",
    when=EventPattern("WorkerHung"),
    resolved_by=(EventPattern("WorkerReady"),),
    cooldown=300,
    summary="{path} hung",
)


@dataclass
class Driven:
    """Have a book at work as its actor does: it is looked at when it says so."""

    book: AlertBook
    now: float = 0.0
    told: list[tuple[float, tuple[Alert, ...]]] = field(default_factory=list)

    def hang(self, path: str = "a") -> None:
        self.hear(WorkerHung(path=path, at=self.now, pid=1, reason="quiet"))

    def recover(self, path: str = "a") -> None:
        self.hear(WorkerReady(path=path, at=self.now, pid=2, seconds=1))

    def hear(self, event: Event) -> None:
        self.book.hear(event, self.now)

    def go_on(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.book.due) <= until:
            self.now = max(self.now, due)
            if group := self.book.tick(self.now):
                self.told.append((self.now, group))
            assert self.book.due > self.now
        self.now = until

    @property
    def alerts(self) -> list[tuple[float, str, str]]:
        """Give all that was told, one by one."""
        return [(at, alert.key, alert.status) for at, group in self.told for alert in group]


def driven(*, group_window: float = 0.0, most_keys: int = 200, **changes: object) -> Driven:
    fields = {name: getattr(RULE, name) for name in RULE.__struct_fields__}
    rule = AlertRule(**{**fields, **changes})
    return Driven(AlertBook([rule], group_window=group_window, most_keys=most_keys))


@pytest.mark.parametrize(
    "end",
    [
        WorkerReady(path="a", at=1, pid=2, seconds=1),
        StandbyPromoted(path="a", at=1, pid=2),
        StandbyReady(path="a", at=1, pid=2, seconds=1),
    ],
    ids=lambda end: type(end).__name__,
)
def test_a_hang_is_over_by_the_default_rules_when_there_is_another_worker(end: Event) -> None:
    """TL-02 It may be a spare that hung: what follows it is a spare, too."""
    it = Driven(AlertBook(group_window=0.0))
    it.hang()
    it.go_on(1)
    it.hear(end)
    it.go_on(1)
    assert [status for _, _, status in it.alerts] == ["firing", "resolved"]


def test_an_alert_is_told_once_and_resolved_once() -> None:
    """TL-02 However often it happens, and however often it ends."""
    it = driven()
    for _ in range(5):
        it.hang()
        it.go_on(10)
    for _ in range(5):
        it.recover()
        it.go_on(10)
    assert it.alerts == [(0, "a", "firing"), (50, "a", "resolved")]
    ((_, (fired,)), (_, (resolved,))) = it.told
    assert (fired.summary, fired.count, fired.since) == ("a hung", 1, 0)
    assert (resolved.count, resolved.since, resolved.at) == (4, 0, 50)


def test_what_ends_without_having_been_told_is_not_resolved() -> None:
    """TL-02 A worker that gets ready for the first time is no news."""
    it = driven()
    it.recover()
    it.go_on(1000)
    assert it.alerts == []


def test_within_its_cooldown_it_is_not_told_again() -> None:
    """TL-02 One that comes and goes each minute is told each five, with how often it was."""
    it = driven()
    for _ in range(6):
        it.hang()
        it.go_on(10)
        it.recover()
        it.go_on(50)
    assert it.alerts == [
        (0, "a", "firing"),
        (10, "a", "resolved"),
        (300, "a", "firing"),
        (310, "a", "resolved"),
    ]
    assert it.told[2][1][0].count == 5


def test_what_begins_within_the_cooldown_and_lasts_is_told_after_it() -> None:
    """TL-02 It isn't forgotten for having come too early."""
    it = driven()
    it.hang()
    it.go_on(10)
    it.recover()
    it.go_on(10)
    it.hang()
    it.go_on(1000)
    assert it.alerts[2:] == [(300, "a", "firing")]


def test_while_it_fires_it_is_told_again_only_after_the_cooldown() -> None:
    """TL-02 And only where it happens again: silence isn't repeated."""
    it = driven()
    it.hang()
    it.go_on(299)
    it.hang()
    it.go_on(1)
    assert len(it.alerts) == 1
    it.hang()
    it.go_on(1000)
    assert it.alerts == [(0, "a", "firing"), (300, "a", "firing")]
    it.recover()
    it.go_on(0)
    assert it.alerts[2:] == [(1300, "a", "resolved")]


def test_what_must_last_is_told_only_when_it_has() -> None:
    """TL-02 What ends before that is never told."""
    it = driven(holds_for=60)
    it.hang()
    it.go_on(59)
    it.recover()
    it.go_on(1)
    it.hang()
    it.go_on(59)
    assert it.alerts == []
    it.go_on(1)
    assert it.alerts == [(120, "a", "firing")]


def test_where_nothing_says_that_it_is_over_silence_does() -> None:
    """TL-02 Since the last time that it happened."""
    it = driven(resolved_by=(), resolved_after=100)
    it.hang()
    it.go_on(90)
    it.hang()
    it.go_on(1000)
    assert it.alerts == [(0, "a", "firing"), (190, "a", "resolved")]


def test_a_late_look_tells_what_was_due_in_between() -> None:
    """TL-02 An actor that was down for long isn't silent about what fired and ended meanwhile."""
    it = driven(holds_for=10, resolved_after=100)
    it.hang()
    told = it.book.tick(1000)
    assert [alert.status for alert in told] == ["firing", "resolved"]


def test_each_key_has_an_alert_of_its_own() -> None:
    """TL-02 Another worker's end is none of this one's."""
    it = driven()
    it.hang("a")
    it.hang("b")
    it.recover("b")
    it.go_on(0)
    assert it.alerts == [(0, "a", "firing"), (0, "b", "firing"), (0, "b", "resolved")]
    assert [alert.key for alert in it.book.report(0).firing] == ["a"]


def test_a_storm_is_one_message() -> None:
    """TL-02 What comes within the window is told together; what comes later, together later."""
    it = driven(group_window=2.0)
    for number in range(100):
        it.hang(f"w{number}")
        it.go_on(0.01)
    it.go_on(10)
    it.hang("late")
    it.go_on(10)
    assert [(at, len(group)) for at, group in it.told] == [(2.0, 100), (13.0, 1)]


def test_keys_are_bounded() -> None:
    """TL-02 TL-07 A flood of ever new names is one alert more, and no more memory."""
    it = driven(most_keys=3, resolved_after=100)
    for number in range(1000):
        it.hang(f"w{number}")
    it.go_on(0)
    assert [key for _, key, _ in it.alerts] == ["w0", "w1", "w2", "other"]
    assert it.told[0][1][-1].summary == "hung: more than 3 at a time"
    it.recover("w1")
    it.go_on(1000)
    assert [key for _, key, status in it.alerts if status == "resolved"] == [
        "w1",
        "w0",
        "w2",
        "other",
    ]
    assert repr(it.book) == "<AlertBook [<RuleWatch hung: 0 firing, 0 known>], 0 to be told>"


def test_a_report_tells_what_fires_and_what_was_told() -> None:
    """TL-02 The newest first; the last hundred."""
    it = driven(cooldown=1)
    for _ in range(60):
        it.hang()
        it.go_on(2)
        it.recover()
        it.go_on(2)
    it.hang()
    it.go_on(2)
    report = it.book.report(it.now)
    assert [alert.since for alert in report.firing] == [240]
    assert len(report.recent) == 100
    assert [(alert.status, alert.at) for alert in report.recent[:2]] == [
        ("firing", 240),
        ("resolved", 238),
    ]


@pytest.mark.parametrize("fields", [{"group_window": -1.0}, {"most_keys": 0}])
def test_a_book_that_makes_no_sense_is_an_error(fields: dict[str, float]) -> None:
    """It says which field."""
    with pytest.raises(ValueError, match=next(iter(fields))):
        AlertBook([RULE], **fields)  # type: ignore[arg-type]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["hang", "recover", "nothing"]),
        st.sampled_from("abc"),
        st.sampled_from([0, 1, 5, 20, 50, 200]),
    ),
    max_size=60,
)


@given(
    steps=STEPS,
    holds_for=st.sampled_from([0, 3, 30]),
    cooldown=st.sampled_from([1, 10, 100]),
    resolved_after=st.sampled_from([15, 1000]),
    most_keys=st.sampled_from([2, 200]),
)
def test_whatever_happens(
    steps: list[tuple[str, str, int]],
    holds_for: float,
    cooldown: float,
    resolved_after: float,
    most_keys: int,
) -> None:
    """TL-02 Never twice in a cooldown, resolved once and only what was told, and none is missed."""
    it = driven(
        holds_for=holds_for, cooldown=cooldown, resolved_after=resolved_after, most_keys=most_keys
    )
    since: dict[str, float] = {}
    seen: dict[str, float] = {}
    for act, key, seconds in steps:
        if act == "hang":
            it.hang(key)
            since.setdefault(key, it.now)
            seen[key] = it.now
        elif act == "recover":
            it.recover(key)
            since.pop(key, None)
        it.go_on(seconds)
        since = {key: at for key, at in since.items() if it.now < seen[key] + resolved_after}
        overdue = {key for key, at in since.items() if it.now >= at + holds_for + cooldown}
        firing = {alert.key for alert in it.book.report(it.now).firing}
        assert overdue <= firing or most_keys == 2
    fired_at: dict[str, float] = {}
    fires: set[str] = set()
    for at, key, status in it.alerts:
        if status == "firing":
            assert at - fired_at.get(key, -math.inf) >= cooldown
            fired_at[key] = at
            fires.add(key)
        else:
            assert key in fires
            fires.remove(key)
    for _, group in it.told:
        for alert in group:
            if alert.status == "firing":
                assert alert.at - alert.since >= holds_for
    assert fires == {alert.key for alert in it.book.report(it.now).firing}
    it.go_on(10_000)
    assert it.book.due == math.inf
