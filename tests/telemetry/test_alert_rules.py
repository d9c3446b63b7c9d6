"""Rules of alerts: what a file may hold, and what is wrong with one that makes no sense."""

from __future__ import annotations

import tomllib
from typing import Any

import msgspec
import pytest

from failsoft.messages.events import DegradationChanged, RequestFinished, SupervisorEscalated
from failsoft.telemetry import DEFAULT_RULES, AlertBook, AlertRule, EventPattern
from failsoft.telemetry.alerting.matcher import Matcher, Summary

HUNG = EventPattern("WorkerHung")

FILE = """
name = "overloaded"
severity = "warning"
holds_for = 60
summary = "the load is {load:.0%}"

[when]
event = "DegradationChanged"
one_of = {after = ["minimal"]}
at_least = {load = 0.9}

[[resolved_by]]
event = "DegradationChanged"
below = {load = 0.8}
"""


def load(value: float, after: str = "minimal") -> DegradationChanged:
    return DegradationChanged(
        path="root/load", at=0, before="full", after=after, load=value, forced=False
    )


def test_a_rule_can_be_read_from_a_file() -> None:
    """Plain data, with a figure and another one that ends it."""
    rule = msgspec.convert(tomllib.loads(FILE), AlertRule)
    assert rule == AlertRule(
        name="overloaded",
        when=EventPattern(
            "DegradationChanged", one_of={"after": ("minimal",)}, at_least={"load": 0.9}
        ),
        resolved_by=(EventPattern("DegradationChanged", below={"load": 0.8}),),
        holds_for=60,
        severity="warning",
        summary="the load is {load:.0%}",
    )
    assert len(AlertBook([rule]).kinds) == 1


def test_an_unknown_field_of_a_file_is_named() -> None:
    """Nothing that somebody wrote is left aside in silence."""
    with pytest.raises(msgspec.ValidationError, match="holds"):
        msgspec.convert({"name": "x", "when": {"event": "WorkerHung"}, "holds": 3}, AlertRule)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "two words"}, "one word"),
        ({"severity": "loud"}, "must be one of"),
        ({"holds_for": -1.0}, "holds_for of x"),
        ({"cooldown": 0.0}, "cooldown of x"),
        ({"resolved_after": float("inf")}, "resolved_after of x"),
    ],
)
def test_a_rule_that_makes_no_sense_is_an_error(fields: dict[str, Any], said: str) -> None:
    """It says which field, and what it must be."""
    with pytest.raises(ValueError, match=said):
        AlertRule(**{"name": "x", "when": HUNG, **fields})


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (AlertRule(name="x", when=EventPattern("WorkerHang")), "did you mean WorkerHung"),
        (AlertRule(name="x", when=EventPattern("Qqq")), "import the module"),
        (
            AlertRule(name="x", when=EventPattern("WorkerHung", key=("model",))),
            "no field 'model'; it has path, at, pid, reason",
        ),
        (
            AlertRule(name="x", when=EventPattern("WorkerHung", at_least={"reason": 1.0})),
            "reason of WorkerHung is no number",
        ),
        (AlertRule(name="x", when=HUNG, summary="{model}"), "no field 'model'"),
        (AlertRule(name="x", when=HUNG, summary="{path.__class__}"), "no field"),
        (AlertRule(name="x", when=HUNG, summary="{path"), "rule x"),
        (AlertRule(name="x", when=HUNG, resolved_by=(EventPattern("Up"),)), "no event"),
    ],
)
def test_a_rule_about_what_there_is_not_is_an_error(rule: AlertRule, said: str) -> None:
    """Before anything starts; the rule is named."""
    with pytest.raises(ValueError, match="rule x: ") as caught:
        AlertBook([rule])
    assert said in str(caught.value)


def test_two_rules_of_one_name_are_an_error() -> None:
    """Their alerts couldn't be told apart."""
    with pytest.raises(ValueError, match="two rules are called x"):
        AlertBook([AlertRule(name="x", when=HUNG), AlertRule(name="x", when=HUNG)])


@pytest.mark.parametrize(
    ("event", "matches"),
    [
        (load(0.9), True),
        (load(0.89), False),
        (load(0.95, after="reduced"), False),
        (load(float("nan")), False),
    ],
)
def test_an_event_matches_where_all_fields_are_as_said(
    event: DegradationChanged, matches: bool
) -> None:
    """A figure at its limit matches; what is no number doesn't."""
    pattern = EventPattern(
        "DegradationChanged", one_of={"after": ("minimal",)}, at_least={"load": 0.9}
    )
    assert Matcher(pattern).matches(event) is matches


def test_a_figure_that_is_not_there_matches_nothing() -> None:
    """A request that isn't streamed has no first chunk, neither early nor late."""
    event = msgspec.convert(
        {
            "type": "RequestFinished",
            "path": "root/text",
            "at": 0.0,
            "request": "GenerateText",
            "outcome": "ok",
            "seconds": 1.0,
            "queue_seconds": 0.0,
            "first_seconds": None,
            "model_used": "a",
            "was_fallback": False,
            "attempts": 1,
            "degradation_level": "full",
            "prompt_tokens": 1,
            "completion_tokens": 1,
            "correlation_id": None,
        },
        RequestFinished,
    )
    slow = EventPattern("RequestFinished", at_least={"first_seconds": 0.0})
    quick = EventPattern("RequestFinished", below={"first_seconds": 9.0})
    assert not Matcher(slow).matches(event)
    assert not Matcher(quick).matches(event)


def test_what_is_told_is_one_short_line() -> None:
    """Whatever a model is called: it may go in a header or a chat."""
    event = SupervisorEscalated(
        path="root/" + "x" * 1000, at=0, child="a\r\nBcc: b\x00\u202e", reason=""
    )
    said = Summary("{child} of {path}", SupervisorEscalated).of(event)
    assert said.startswith("a Bcc: b of root/xxx")
    assert said.endswith("…")
    assert len(said) == 500
    key = Matcher(EventPattern("SupervisorEscalated", key=("path", "child"))).key(event)
    assert len(key) == 200


def test_a_format_that_does_not_fit_the_value_still_tells() -> None:
    """Words in place of a number are no reason to say nothing."""
    event = SupervisorEscalated(path="root", at=0, child="a", reason="")
    assert Summary("it is {child:.1f}", SupervisorEscalated).of(event) == "it is a"


def test_the_default_rules_fit_the_events_that_there_are() -> None:
    """TL-02 On spikes, breakers, escalations, hangs, health, and alerts that are lost."""
    AlertBook()
    assert {rule.name for rule in DEFAULT_RULES} == {
        "alert_lost",
        "circuit_open",
        "error_spike",
        "health_critical",
        "model_left_alone",
        "model_not_ready",
        "supervisor_escalated",
        "worker_hung",
    }
