"""Secrets: found by their names and by their looks, so that no log line holds them."""

from __future__ import annotations

import functools
import re
from typing import Final

REDACTED: Final = "[redacted]"

# A name without its case and its marks; endings, so that ``openai_api_key`` is one too.
_SECRET_NAMES: Final = (
    *("apikey", "accesskey", "privatekey", "secretkey", "signingkey", "routingkey"),
    *("accesstoken", "apitoken", "authtoken", "bearertoken", "refreshtoken", "sessiontoken"),
    *("bottoken", "hftoken", "hubtoken", "idtoken", "operatortoken", "authorization"),
    *("password", "passwd", "passphrase", "secret", "credential", "credentials", "cookie"),
)
# Too short to be an ending of other names.
_SHORT_NAMES: Final = frozenset(("auth", "pwd", "token"))
_MARKS: Final = re.compile(r"[^a-z0-9]")

# A word after "Bearer" is a token where it is long, or has a digit in it.
_OPAQUE: Final = r"(?:(?=[^\s\"',;]*\d)[\w.~+/=-]{8,}|[\w.~+/=-]{20,})"
_NAMED: Final = (
    r"api[-_ ]?key|(?:access|private|secret|signing|routing)[-_]?key|password|passwd|passphrase"
    r"|(?:access|api|auth|bearer|refresh|session|hf|hub|id)[-_]?token|(?:client[-_])?secret"
)
_IS: Final = r"[\"']?\s{0,3}[:=]\s{0,3}[\"']?"
# What stays of each is in groups, all of which are kept.
_PATTERNS: Final = tuple(
    re.compile(pattern, flags)
    for pattern, flags in (
        (rf"\b((?:bearer|basic)\s+){_OPAQUE}", re.I),
        (rf"(authorization{_IS}(?:\w{{1,16}} )?+)(?!\[)[^\s\"',;)}}\]]+", re.I),
        (rf"((?:{_NAMED}){_IS})(?!\[)[^\s\"',;&)}}\]]+", re.I),
        (r"([?&](?:key|token|sig|signature|code)=)[^&\s\"']+", re.I),
        (r"(://)[^\s/?#@:]{0,256}:[^\s/?#@]{1,512}@", re.I),
        (r"(hooks\.slack\.com/)[\w/-]+", re.I),
        (r"\b(?:sk|pk|rk)-(?:(?=[\w-]*\d)[\w-]{8,}|[\w-]{16,})", 0),
        (r"\b(?:hf|gh[pousr]|github_pat|glpat|npm|pypi)[_-][A-Za-z0-9_-]{16,}", 0),
        (r"\bxox[a-z]-[\w-]{8,}", 0),
        (r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", 0),
        (r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?", 0),
        (r"(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)[^-]*", 0),
    )
)
# Of each of the above some part: most texts have none, and cost no more than looking for these.
_HINTS: Final = (
    *("bearer", "basic", "authorization", "key", "pass", "secret", "token", "://", "?", "&"),
    *("slack", "sk-", "pk-", "rk-", "hf_", "gh", "glpat", "npm", "pypi", "xox", "akia", "asia"),
    "eyj",
)
_SHORTEST: Final = 8


@functools.lru_cache(maxsize=1024)
def is_secret_name(name: str) -> bool:
    """Tell whether what goes by ``name`` is nobody's business."""
    plain = _MARKS.sub("", name.lower())
    return plain in _SHORT_NAMES or plain.endswith(_SECRET_NAMES)


def redacted(text: str) -> str:
    """Give ``text`` with ``[redacted]`` in place of each secret that is known by its looks.

    Those are: what follows ``Bearer``, ``Authorization:``, ``api_key=`` and the like; passwords
    in URLs; keys of the forms that OpenAI, Hugging Face, GitHub, Slack and AWS have; signed
    tokens; private keys.
    """
    if len(text) < _SHORTEST:
        return text
    lowered = text.lower()
    if not any(hint in lowered for hint in _HINTS):
        return text
    for pattern in _PATTERNS:
        text = pattern.sub(_kept, text)
    return text


def _kept(found: re.Match[str]) -> str:
    kept = "".join(found.groups())
    return f"{kept}{REDACTED}" + ("@" if kept == "://" else "")
