"""Fixtures for tests of the live page: a real browser, and services for it to look at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.service.http.served import ServedProcess

from failsoft.testing import Gate

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PROGRAM = str(Path(__file__).parent / "program.py")
# Far above what anything here takes: a test that would hang fails instead.
PATIENCE = 60_000.0
# A browser itself writes each answer that is a refusal to the console.
REFUSED = "Failed to load resource"


class LookedAt:
    """Be a service whose page is looked at. gate: what the primary's load waits for."""

    def __init__(self, folder: Path, *files: str) -> None:
        for name in files:
            (folder / name).touch()
        self.gate = Gate(folder / "gate")
        self.gate.open()
        self.served = ServedProcess([PROGRAM, "{fd}", str(folder)], folder / "log")
        self.url = self.served.url

    def close(self) -> None:
        self.gate.open()
        self.served.close()
        self.gate.close()


Looks = Callable[..., LookedAt]
Opens = Callable[..., "Page"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a browser, the system's own. An event loop runs as long: it is for sync tests alone."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("there is no chromium; apt-get install chromium")
    sync_api.expect.set_options(timeout=PATIENCE)
    # Its sandbox can't be had by root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def looked_at(tmp_path: Path) -> Iterator[Looks]:
    """Give what starts a service, with ``files`` that turn things on."""
    started: list[LookedAt] = []

    def start(*files: str) -> LookedAt:
        started.append(LookedAt(tmp_path, *files))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opens]:
    """Give what opens a service's page; whatever it does, it asks nobody else, and no script fails.

    Refusals that a test wants are in the browser's console, and are none of the page's errors.
    """
    contexts = []
    faults: list[str] = []
    asked: set[str] = set()

    def open_page(service: LookedAt, path: str = "/", width: int = 1280, **options: object) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: asked.add(request.url))
        page.on(
            "console",
            lambda said: (
                faults.append(said.text)
                if said.type in ("error", "warning") and REFUSED not in said.text
                else None
            ),
        )
        page.goto(service.url + path)
        assert all(url.startswith(service.url + "/") for url in asked), asked
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []
    assert len({url.split("/")[2] for url in asked}) == 1, asked
