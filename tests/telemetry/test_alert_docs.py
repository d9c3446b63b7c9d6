"""What docs/telemetry.md says of alerts: the way to check a signature, the rule, the table."""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from failsoft.telemetry import DEFAULT_RULES, AlertBook, AlertRule, Webhook

from .sample_alerts import SECRET, alert, changed

PAGE = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text()
HOOK = Webhook(url="https://example.org/x", secret=SECRET)


def block(language: str, *, holding: str) -> str:
    """Give the one block of the page in ``language`` that holds these words."""
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    (text,) = (text for text in found if holding in text)
    return str(text)


@pytest.fixture
def is_genuine() -> Callable[[str, Mapping[str, str], bytes], bool]:
    names: dict[str, Any] = {"base64": base64, "hmac": hmac, "time": time, "Mapping": Mapping}
    exec(block("python", holding="def is_genuine"), names)
    check: Callable[[str, Mapping[str, str], bytes], bool] = names["is_genuine"]
    return check


@pytest.mark.parametrize(
    ("age", "added", "of", "is_good"),
    [
        (0, b"", SECRET, True),
        (200, b"", SECRET, True),
        (400, b"", SECRET, False),
        (-400, b"", SECRET, False),
        (0, b" ", SECRET, False),
        (0, b"", "whsec_" + base64.b64encode(bytes(32)).decode(), False),
    ],
)
def test_the_check_on_the_page_takes_what_is_genuine_alone(
    is_genuine: Callable[[str, Mapping[str, str], bytes], bool],
    age: float,
    added: bytes,
    of: str,
    is_good: bool,
) -> None:
    """TL-09 Neither another body, nor another secret, nor an old one."""
    (post,) = HOOK.posts(changed(alert()))
    headers = HOOK.headers(post, time.time() - age)
    assert is_genuine(of, headers, post.body + added) is is_good


def test_the_body_on_the_page_has_the_fields_that_are_sent() -> None:
    """TL-02 All of them, and no other."""
    (post,) = HOOK.posts(changed(alert()))
    shown, made = json.loads(block("json", holding="alerts.changed")), json.loads(post.body)
    assert list(shown) == list(made)
    assert list(shown["data"]) == list(made["data"])
    assert list(shown["data"]["alerts"][0]) == list(made["data"]["alerts"][0])


def test_the_rule_on_the_page_can_be_read() -> None:
    """TL-02 By the very call that the page names."""
    rule = msgspec.convert(tomllib.loads(block("toml", holding="overloaded")), AlertRule)
    AlertBook((*DEFAULT_RULES, rule))


def test_the_page_has_each_default_rule_with_its_severity() -> None:
    """TL-02 And no other."""
    rows = re.findall(r"^\| `(\w+)` \| (critical|error|warning|info) \|", PAGE, re.MULTILINE)
    assert rows == [(rule.name, rule.severity) for rule in DEFAULT_RULES]
