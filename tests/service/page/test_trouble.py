"""What is broken, since when, for whom, why, and what the tree does about it."""

from __future__ import annotations

from typing import Any

import pytest

from failsoft.service.page.history import Happening
from failsoft.service.page.notices import notices_of
from failsoft.service.page.picture import FailedCheck, Told
from failsoft.service.page.rows import Row
from failsoft.service.page.trouble import Trouble, troubles_of, worst_first
from failsoft.telemetry.alerting.alert import Alert

KILLED = Happening(1, 40.0, "root/text/a", "failure", "its worker was killed by SIGKILL", 43.0)
ROUTER = Row(path="root/text", depth=1, role="router", state="running", since=1.0)


def model(name: str, **fields: Any) -> Row:
    known: dict[str, Any] = {
        "path": f"root/text/{name}",
        "depth": 2,
        "role": "model",
        "state": "ready",
        "is_candidate": True,
        "circuit": "closed",
        "since": 5.0,
    }
    return Row(**(known | fields))


def down(name: str, **fields: Any) -> Row:
    return model(name, state="down", is_usable=False, **fields)


def found(*rows: Row, ails: Happening | None = None) -> tuple[Trouble, ...]:
    def what_ails(path: str) -> Happening | None:
        return ails if ails is not None and ails.path == path else None

    return worst_first(*troubles_of(rows, what_ails))


def test_nothing_is_wrong() -> None:
    """So nothing is told."""
    assert found(ROUTER, model("a"), model("b", state="busy")) == ()


def test_a_model_that_is_down_while_another_answers() -> None:
    """SRV-07 The tree makes up for it: who answers, why it is down, and when it is back."""
    assert found(ROUTER, down("a", until=43.0), model("b"), ails=KILLED) == (
        Trouble(
            level="mending",
            path="root/text/a",
            what="is down",
            since=40.0,
            why="its worker was killed by SIGKILL",
            for_whom="requests go to b",
            done="a starts again",
            until=43.0,
        ),
    )


def test_a_route_without_a_model() -> None:
    """SRV-07 Callers notice, so it is told of the route, with each model's reason."""
    rows = (ROUTER, down("a", until=43.0), model("b", circuit="open", retry_at=50.0))
    (trouble,) = found(*rows, ails=KILLED)
    assert trouble == Trouble(
        level="broken",
        path="root/text",
        what="has no model to ask",
        since=40.0,
        why=("a is down: its worker was killed by SIGKILL; b is out of use, its circuit open"),
        for_whom="requests for text wait, or fail",
        done="a starts again",
        until=43.0,
    )


def test_all_models_load_for_the_first_time() -> None:
    """That is how a service starts, and nothing is broken."""
    loads = {"state": "loading", "is_usable": False, "is_first_load": True}
    (trouble,) = found(ROUTER, model("a", **loads), model("b", **loads))
    assert (trouble.level, trouble.what, trouble.done) == ("notice", "starts", "a and b load")


@pytest.mark.parametrize(
    ("fields", "level", "what", "done"),
    [
        ({"state": "stopped", "is_usable": False}, "notice", "is stopped", "operator restarts"),
        ({"state": "draining", "is_usable": False}, "notice", "no more requests", "finishes what"),
        ({"circuit": "open", "forced": "open"}, "notice", "held out of use", "to let go of"),
        ({"circuit": "open", "retry_at": 50.0}, "mending", "circuit open", "gets a trial request"),
        ({"state": "loading", "is_usable": False}, "mending", "loads anew", "once it has loaded"),
        ({"is_usable": False, "trouble": "no key"}, "mending", "takes no work", "no key"),
        ({"state": "closed", "is_usable": False}, "mending", "has ended", "isn't started again"),
    ],
)
def test_what_a_candidate_may_suffer(
    fields: dict[str, Any], level: str, what: str, done: str
) -> None:
    """What an operator meant is a notice; all else is told with its remedy."""
    (trouble,) = found(ROUTER, model("a", **fields), model("b"))
    assert trouble.level == level
    assert what in trouble.what
    assert done in trouble.done


def test_a_model_that_no_router_is_in_front_of() -> None:
    """Nothing stands in for it."""
    row = down("a", path="root/alone", depth=1, is_candidate=False, circuit="")
    (trouble,) = found(row)
    assert (trouble.level, trouble.for_whom) == ("broken", "requests for alone wait, or fail")


def test_an_actor_of_another_kind() -> None:
    """It is mended; at the top nobody would."""
    row = Row(path="root/errors", depth=1, role="actor", state="down", is_usable=False, until=9.0)
    (trouble,) = found(row)
    assert (trouble.level, trouble.what, trouble.until) == ("mending", "is down", 9.0)
    top = Row(path="root", depth=0, role="supervisor", state="closed", is_usable=False)
    assert found(top)[0].level == "broken"


def test_the_worst_comes_first_and_there_are_ten_at_most() -> None:
    """So that the first line is the one to act on."""
    notice = Trouble(level="notice", path="n", what="is so")
    mending = Trouble(level="mending", path="m", what="is so")
    broken = Trouble(level="broken", path="b", what="is so")
    told = worst_first(notice, *[mending] * 12, broken)
    assert (told[0], len(told)) == (broken, 10)
    assert notice not in told


def noticed(**fields: Any) -> list[Trouble]:
    known: dict[str, Any] = {"told": Told(), "level": "full", "load": None, "is_draining": False}
    return list(notices_of(**(known | fields)))


ALERT = Alert(
    rule="breaker",
    key="root/text",
    severity="error",
    status="firing",
    summary="open for long",
    since=3.0,
    at=3.0,
    count=1,
)


def test_notices_of_a_well_service() -> None:
    """There are none."""
    assert noticed() == []


@pytest.mark.parametrize(
    ("fields", "level", "said"),
    [
        ({"is_draining": True}, "broken", "the service takes no more work"),
        ({"level": "reduced", "load": 0.82}, "mending", "the load is 82%"),
        ({"level": "minimal"}, "mending", "the load is too high"),
        (
            {"told": Told(failed_checks=(FailedCheck("disk", False, "5 % are free"),))},
            "notice",
            "the check disk fails",
        ),
        (
            {"told": Told(failed_checks=(FailedCheck("disk", True, "5 % are free"),))},
            "mending",
            "the check disk fails",
        ),
        ({"told": Told(alerts=(ALERT,))}, "notice", "the alert breaker:root/text fires"),
    ],
)
def test_what_is_worth_knowing(fields: dict[str, Any], level: str, said: str) -> None:
    """Besides the tree: the drain, the load, checks and alerts."""
    (trouble,) = noticed(**fields)
    assert (trouble.level, f"{trouble.path} {trouble.what}") == (level, said)


def test_checks_of_the_tree_say_what_the_tree_says_itself() -> None:
    """So they aren't told twice."""
    checks = tuple(FailedCheck(name, True, "down") for name in ("models", "tree", "workers"))
    assert noticed(told=Told(failed_checks=checks)) == []
