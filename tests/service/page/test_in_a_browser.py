"""SRV-07: the live page in a real browser, of a real service with real worker processes."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx2
import pytest

from .conftest import LookedAt, Looks, Opens
from .program import KEY, MARKUP, TOKEN

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")
expect = sync_api.expect

PRIMARY = "root/text/primary"
HEED_FLASHES = """() => { window.flashed = [];
    addEventListener("animationstart", (event) => flashed.push(event.target.dataset.path)); }"""
FOCUSED = "document.activeElement.ariaLabel ?? document.activeElement.textContent"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LookedAt]:
    """Give a service that operators may steer; who uses it leaves it as well as it was."""
    service = LookedAt(tmp_path_factory.mktemp("shared"), "operator")
    yield service
    service.close()


def node(page: Page, path: str = PRIMARY) -> Locator:
    return page.locator(f"[data-path='{path}']")


def badge(page: Page, path: str = PRIMARY) -> Locator:
    return node(page, path).locator(".badge")


def sign_in(page: Page, token: str = TOKEN) -> None:
    page.get_by_role("button", name="Sign in").first.click()
    page.get_by_label("Token", exact=True).fill(token)
    page.keyboard.press("Enter")


def order(page: Page, path: str, name: str) -> None:
    page.get_by_role("button", name=f"Actions for {path}", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name=name, exact=True).click()


def kill(service: LookedAt) -> None:
    """SIGKILL the primary's worker."""
    (text,) = (
        child
        for child in httpx2.get(f"{service.url}/tree").json()[0]["children"]
        if child["path"] == "root/text"
    )
    (primary,) = (child for child in text["children"] if child["path"] == PRIMARY)
    os.kill(primary["shows"]["pid"], signal.SIGKILL)


def test_a_kill_is_seen_as_it_happens(looked_at: Looks, opened: Opens) -> None:
    """SRV-07 What is broken, why, who answers meanwhile; that it loads, and is well again."""
    service = looked_at()
    page = opened(service)
    expect(badge(page)).to_contain_text("ready")
    expect(page.locator("#headline")).to_contain_text("All is well: both models are there")
    page.evaluate(HEED_FLASHES)
    service.gate.close()
    kill(service)
    expect(badge(page)).to_have_text("◔ loading 43 %")
    headline = page.locator("#headline-words")
    expect(headline).to_contain_text(f"{PRIMARY} loads anew")
    expect(headline).to_contain_text("its worker was killed by SIGKILL. Requests go to understudy")
    expect(page.locator("#announcer")).to_have_text(f"{PRIMARY} loads anew")
    page.wait_for_function("path => window.flashed.includes(path)", arg=PRIMARY)
    expect(node(page).locator(".why")).to_contain_text("its worker was killed by SIGKILL")
    entry = page.locator("#happened > li")
    expect(entry).to_contain_text("Not over yet")
    service.gate.open()
    expect(badge(page)).to_contain_text("ready")
    expect(entry).to_contain_text(re.compile(rf"{PRIMARY}.*SIGKILL.*Well again after"))
    expect(node(page).locator(".restarts")).to_have_text("1")
    expect(node(page).locator(".why")).to_contain_text("well again after")
    expect(page.locator("#error-rows")).to_contain_text("worker_lost")


def test_the_buttons_need_the_token(looked_at: Looks, opened: Opens) -> None:
    """SRV-07 SRV-10 Without it there are none, and what they do is refused; with it, it is done."""
    page = opened(looked_at("operator"))
    expect(badge(page)).to_contain_text("ready")
    expect(node(page).get_by_role("button", name="Actions")).to_be_hidden()
    refused = """async () => (await fetch("operator/restart", {method: "POST",
        headers: {"Content-Type": "application/json"}, body: "{}"})).status"""
    assert page.evaluate(refused) == 401
    sign_in(page, "not the operators' token")
    expect(page.get_by_role("alert").first).to_have_text("That isn't the operators' token.")
    page.get_by_label("Token", exact=True).fill("pasted\u200b")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").first).to_contain_text("It has characters")
    expect(page.locator("#connection")).to_have_text("live")
    page.get_by_label("Token", exact=True).fill(TOKEN)
    page.keyboard.press("Enter")
    order(page, PRIMARY, "Restart")
    expect(page.locator("#toast")).to_have_text(f"{PRIMARY}: restarted.")
    expect(page.locator("#happened")).to_contain_text("an operator restarts it")
    expect(badge(page)).to_contain_text("ready")
    page.get_by_role("button", name="Sign out").click()
    expect(node(page).get_by_role("button", name="Actions")).to_be_hidden()


def test_a_token_is_for_this_tab(shared: LookedAt, opened: Opens) -> None:
    """It stays over a reload, and another tab doesn't have it."""
    page = opened(shared)
    sign_in(page)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    other = page.context.new_page()
    other.goto(shared.url)
    expect(other.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_circuit_is_tripped_and_let_go(shared: LookedAt, opened: Opens) -> None:
    """SRV-07 Its requests go to the other one meanwhile, and the answer says so."""
    page = opened(shared)
    sign_in(page)
    order(page, PRIMARY, "Trip its circuit")
    expect(node(page).locator(".circuit")).to_have_text("held open")
    page.get_by_label("Prompt").fill("hello")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer-made")).to_contain_text(
        "Answered by understudy, which stood in for the first choice"
    )
    order(page, PRIMARY, "Let go of its circuit")
    order(page, PRIMARY, "Reset its circuit")
    expect(node(page).locator(".circuit")).to_have_text("closed")


def test_a_model_is_drained_and_brought_back(looked_at: Looks, opened: Opens) -> None:
    """SRV-07 It is stopped, and stays in the tree, so that it can be restarted."""
    page = opened(looked_at("operator"))
    sign_in(page)
    order(page, PRIMARY, "Drain")
    expect(badge(page)).to_have_text("■ stopped")
    expect(page.locator("#headline-words")).to_contain_text(
        "stays so until an operator restarts it"
    )
    order(page, PRIMARY, "Restart")
    expect(badge(page)).to_contain_text("ready")


def test_an_order_that_is_refused_is_told(shared: LookedAt, opened: Opens) -> None:
    """In the dialog, in words; nothing is done."""
    page = opened(shared)
    sign_in(page)
    page.get_by_role("button", name="Actions for root/text", exact=True).click()
    page.evaluate("sessionStorage.setItem('failsoft-token', 'of another time')")
    page.get_by_role("dialog").get_by_role("button", name="Clear the quarantine").click()
    expect(page.locator("#actions-error")).to_contain_text("This is for operators")


def test_with_keys_nothing_is_shown_without_one(looked_at: Looks, opened: Opens) -> None:
    """The page asks for it; a caller's key shows the tree, and no buttons."""
    page = opened(looked_at("keys", "operator"))
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.locator("#headline")).to_contain_text("Sign in to see how this service is.")
    expect(page.locator("#tree")).to_be_hidden()
    page.get_by_label("Key or token").fill("nobody's")
    page.keyboard.press("Enter")
    expect(page.locator("#sign-in-error")).to_have_text("The service knows no such key or token.")
    page.get_by_label("Key or token").fill(KEY)
    page.keyboard.press("Enter")
    expect(badge(page)).to_contain_text("ready")
    expect(node(page).get_by_role("button", name="Actions")).to_be_hidden()
    page.get_by_label("Prompt").fill("hello")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer-text")).to_contain_text("The tree mends itself.")


def test_trying_a_model(shared: LookedAt, opened: Opens) -> None:
    """An answer comes as it is made, and can be stopped; what it says is text, whatever it says."""
    page = opened(shared)
    page.get_by_label("At most").fill("4096")
    page.get_by_label("Prompt").fill("endless")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#answer-text")).to_contain_text("word word word")
    expect(page.locator("#ask-state")).to_have_text("It answers…")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#answer-made")).to_contain_text("Stopped.")
    expect(badge(page)).to_contain_text("ready")
    page.get_by_label("Prompt").fill("markup")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer-text")).to_have_text(MARKUP)
    expect(page.locator("#answer-made")).to_contain_text("Answered by primary")
    page.get_by_label("Prompt").fill("overload")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer-made")).to_contain_text("Correlation id")
    expect(page.locator("#answer")).to_have_attribute("data-has-failed", "true")


def test_by_keyboard_alone(shared: LookedAt, opened: Opens) -> None:
    """SRV-07 Sign in, fold the tree, restart a model, ask one: focus is seen wherever it is."""
    page = opened(shared)
    expect(badge(page)).to_contain_text("ready")

    def tab_to(name: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                "document.activeElement.ariaLabel ?? document.activeElement.textContent"
            )
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
            if focused == name:
                return
        raise AssertionError(f"{name} can't be reached")

    tab_to("Sign in")
    page.keyboard.press("Enter")
    page.keyboard.type(TOKEN)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    tab_to("Below root/text")
    page.keyboard.press("Space")
    expect(node(page)).to_be_hidden()
    page.keyboard.press("Space")
    tab_to(f"Actions for {PRIMARY}")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # the first one is Restart
    expect(page.locator("#toast")).to_have_text(f"{PRIMARY}: restarted.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone(shared: LookedAt, opened: Opens, scheme: str) -> None:
    """SRV-07 360 pixels are enough: nothing is wider, the dialogs and an answer neither."""
    page = opened(shared, width=360, color_scheme=scheme, reduced_motion="reduce")

    def is_wider() -> bool:
        return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))

    expect(badge(page)).to_contain_text("ready")
    assert not is_wider()
    sign_in(page)
    page.get_by_role("button", name=f"Actions for {PRIMARY}", exact=True).click()
    assert not is_wider()
    page.keyboard.press("Escape")
    page.get_by_label("Prompt").fill("hello")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#ask-state")).to_have_text("Done.")
    assert not is_wider()


def test_under_a_prefix(looked_at: Looks, opened: Opens) -> None:
    """SRV-08 All paths are relative; without the slash at the end one is led there."""
    service = looked_at("mounted", "operator")
    page = opened(service, "/ai")
    assert page.url == f"{service.url}/ai/"
    sign_in(page)
    order(page, PRIMARY, "Restart")
    expect(page.locator("#toast")).to_have_text(f"{PRIMARY}: restarted.")
    page.get_by_label("Prompt").fill("hello")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#answer-made")).to_contain_text("Answered by")


def test_a_service_that_is_gone(looked_at: Looks, opened: Opens) -> None:
    """The page says so, and shows what was last seen."""
    service = looked_at()
    page = opened(service)
    expect(badge(page)).to_contain_text("ready")
    service.close()
    expect(page.locator("#headline-words")).to_contain_text("can't be reached")
    expect(page.locator("#connection")).to_contain_text("trying again")
    expect(node(page)).to_be_visible()
