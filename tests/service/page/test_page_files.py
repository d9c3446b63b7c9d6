"""The page's files: what headers they come with, that they are safe, and can be read."""

from __future__ import annotations

import re
from importlib import resources

import httpx2
import pytest

from failsoft.service.http import failsoft_app
from failsoft.supervisors import supervisor

pytestmark = pytest.mark.anyio

FOLDER = resources.files("failsoft.service.page") / "static"
FILES = {file.name: file.read_text() for file in FOLDER.iterdir()}
# WCAG AA, for text of any size.
LEAST_CONTRAST = 4.5


async def asked(path: str, method: str = "GET") -> httpx2.Response:
    app = failsoft_app(supervisor("root"))
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://here") as client:
        return await client.request(method, path)


@pytest.mark.parametrize("path", ["/", *(f"/page/{name}" for name in FILES)])
async def test_each_file_is_served_with_its_kind_and_its_policy(path: str) -> None:
    """SRV-07 Nothing may be loaded, sent or shown elsewhere; it needs no tree that runs."""
    answer = await asked(path)
    assert answer.status_code == 200
    policy = dict(
        part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert {policy[f"{kind}-src"] for kind in ("script", "style", "connect")} == {"'self'"}
    assert {policy[name] for name in ("base-uri", "frame-ancestors", "form-action")} == {"'none'"}
    assert answer.headers["x-content-type-options"] == "nosniff"
    kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    kind = kinds.get(path.rpartition(".")[2], "text/html")
    assert answer.headers["content-type"].startswith(kind)


@pytest.mark.parametrize("name", ["", "../picture.py", "%2e%2e%2fpicture.py", "x.js"])
async def test_there_is_no_other_file(name: str) -> None:
    """The files are known by name, and nothing is looked up on the disk."""
    answer = await asked(f"/page/{name}")
    assert (answer.status_code, answer.json()["error_type"]) == (404, "not_found")


async def test_the_page_takes_no_orders() -> None:
    """What isn't GET is told what is."""
    assert (await asked("/", "POST")).status_code == 405


@pytest.mark.parametrize("name", FILES)
def test_no_text_becomes_markup_and_no_file_is_from_elsewhere(name: str) -> None:
    """SRV-07 What a model or a caller says is shown by textContent alone."""
    content = FILES[name]
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in content
    outside = set(re.findall(r"https?://[^\"' )]+", content)) - {"http://www.w3.org/2000/svg"}
    assert outside == set()
    assert " style=" not in content
    assert " onclick=" not in content


def test_all_that_the_page_names_is_there() -> None:
    """Its files, by paths that are relative, and each element that a script looks for."""
    page = FILES["index.html"]
    named = set(re.findall(r'(?:href|src)="([^"#]+)"', page))
    assert {path.removeprefix("page/") for path in named if path.startswith("page/")} <= set(FILES)
    assert not any(path.startswith("/") for path in named)
    imported = {path for text in FILES.values() for path in re.findall(r'from "\./(.+?)"', text)}
    assert imported <= set(FILES)
    wanted = {id for text in FILES.values() for id in re.findall(r'find\("([^"]+)"\)', text)}
    assert wanted <= set(re.findall(r'id="([^"]+)"', page))


def colours(is_dark: bool) -> dict[str, str]:
    css = FILES["page.css"]
    light, dark = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[:2]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark if is_dark else light))


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("is_dark", [False, True])
def test_all_words_can_be_read(is_dark: bool) -> None:
    """SRV-07 Each colour of words on each ground that it stands on, light and dark."""
    known = colours(is_dark)
    words = ("ink", "soft", "accent", "well", "busy", "mending", "broken", "notice", "off")
    grounds = ("panel", "ground", "hover", "flash")
    pairs = [(word, ground) for word in words for ground in grounds]
    tints = ("well-tint", "mending-tint", "broken-tint", "notice-tint")
    pairs += [(word, tint) for word in ("ink", "soft") for tint in tints]
    pairs += [("on-accent", "accent"), ("ground", "ink"), ("soft", "field")]
    pairs += [("panel", level) for level in ("well", "mending", "broken", "notice")]
    poor = {
        pair: round(contrast(known[pair[0]], known[pair[1]]), 2)
        for pair in pairs
        if contrast(known[pair[0]], known[pair[1]]) < LEAST_CONTRAST
    }
    assert poor == {}
