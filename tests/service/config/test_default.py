"""The default tree, and what is said of a tree when it is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from failsoft.gpu.tiny import EMBEDDED
from failsoft.service.config.default import default_tree
from failsoft.service.config.file import load
from failsoft.service.config.greeting import greeting
from failsoft.service.config.lineup import lineups

from .written import LEAST, loaded

ROOT = Path(__file__).parents[3]
SMALL = ROOT / "service" / "examples" / "small.toml"
PAGE = (ROOT / "docs" / "service.md").read_text()
URL = "http://127.0.0.1:8000"


def test_images_are_served_where_the_package_has_a_model_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And are no mistake where it has none."""
    monkeypatch.delitem(EMBEDDED, "failsoft:tiny-image", raising=False)
    assert list(default_tree().tree.routes) == ["chat", "embeddings"]
    monkeypatch.setitem(EMBEDDED, "failsoft:tiny-image", Path())
    tree = default_tree().tree
    assert list(tree.routes) == ["chat", "embeddings", "images"]
    assert 3 <= len(list(greeting(tree, URL))) <= 7


def test_the_small_example_is_the_default_tree() -> None:
    """But for an alias; so there is something to begin with."""
    small, default = load(SMALL).tree, default_tree().tree
    assert list(small.routes) == list(default.routes)
    for name in small.routes:
        assert lineups(small)[name].models == lineups(default)[name].models


def test_the_greeting_is_that_on_the_page() -> None:
    """Line by line; what the package had no model for when it was written may be besides."""
    lines = [line for line in greeting(default_tree().tree, URL) if "images" not in line]
    assert [line for line in lines if line not in PAGE.splitlines()] == []


def test_a_greeting_tells_how_this_tree_is_asked(tmp_path: Path) -> None:
    """By what it has, with a key where it wants one, and under all names."""
    (tmp_path / "keys.json").write_text("[]")
    text = (
        LEAST.replace('"scripted"', '"embedding"\nsource = "org/m"')
        + 'aliases = ["ada"]\n[service]\nkeys_file = "./keys.json"'
    )
    first, route, ask, *_ = greeting(loaded(tmp_path, text), URL)
    assert first == f"failsoft serves on {URL}"
    assert route == "  chat: primary (org/m), also as ada"
    assert f"curl {URL}/v1/embeddings " in ask
    assert "-H 'Authorization: Bearer KEY'" in ask
