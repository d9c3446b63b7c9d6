"""Secrets are found by their names and by their looks; what is none stays as it is."""

from __future__ import annotations

import pytest

from failsoft.messages.secrets import is_secret_name, redacted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
        ("{'Authorization': 'Bearer abcdefgh12'}", "{'Authorization': 'Bearer [redacted]'}"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [redacted]"),
        ("authorization=abcdef", "authorization=[redacted]"),
        ("sent Bearer abcdefgh12 to it", "sent Bearer [redacted] to it"),
        ("RemoteSpec(api_key='abc', model='m')", "RemoteSpec(api_key='[redacted]', model='m')"),
        ("OPENAI_API_KEY=abc", "OPENAI_API_KEY=[redacted]"),
        ('{"hf_token": "abc"}', '{"hf_token": "[redacted]"}'),
        ("key sk-proj-abc123def456 is wrong", "key [redacted] is wrong"),
        ("hf_abcdefghijklmnopqrst", "[redacted]"),
        ("ghp_abcdefghijklmnop0123", "[redacted]"),
        ("xoxb-123456789", "[redacted]"),
        ("AKIAABCDEFGHIJKLMNOP", "[redacted]"),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", "[redacted]"),
        ("redis://me:word@host/0", "redis://[redacted]@host/0"),
        ("redis://:word@host", "redis://[redacted]@host"),
        ("https://a/b?token=abc&n=1", "https://a/b?token=[redacted]&n=1"),
        ("https://hooks.slack.com/services/T/B/x", "https://hooks.slack.com/[redacted]"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----[redacted]-----END RSA PRIVATE KEY-----",
        ),
    ],
)
def test_a_secret_in_a_text_is_left_out(text: str, shown: str) -> None:
    """TL-09 What it is about stays."""
    assert redacted(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Bearer authentication failed",
        "a basic understanding of keys and passwords",
        "max_tokens=12 prompt_tokens: 7",
        "the eos token is </s>",
        "http://host:8080/path?n=1",
        "http://host/a@b",
        "primary",
        "risk-averse desk-bound",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """TL-09 A log that hides too much is no help."""
    assert redacted(text) == text


def test_a_name_tells_of_a_secret() -> None:
    """TL-09 In any spelling; counts of tokens are none."""
    secret = ("Authorization", "x-api-key", "apiKey", "OPENAI_API_KEY", "token", "password", "pwd")
    assert [name for name in secret if not is_secret_name(name)] == []
    plain = (
        "author",
        "max_tokens",
        "completion_tokens",
        "key",
        "path",
        "correlation_id",
        "token_count",
    )
    assert [name for name in plain if is_secret_name(name)] == []
