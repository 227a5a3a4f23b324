"""Whole ways through the page: with the keyboard alone, with the voice, misspelt, in Chinese, over a slow line."""

import json
import time
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.browsing import PHONE, asked, shown, wait_for_first, wait_until
from tests.support.serving import Server
from tests.support.slow_line import slow_line

# a browser that understands every time what the page is told to expect
LISTENER = """(heard) => {
    window.heardIn = [];
    window.SpeechRecognition = class extends EventTarget {
        start() {
            window.heardIn.push(this.lang);
            setTimeout(() => {
                if (heard === null) this.dispatchEvent(new Event("error"));
                else {
                    const results = [[{ transcript: heard }]];
                    this.dispatchEvent(Object.assign(new Event("result"), { results }));
                }
                this.dispatchEvent(new Event("end"));
            }, 50);
        }
        stop() {}
    };
}"""


def tab_to(page: Any, condition: str) -> None:
    """Goes on with Tab until the condition holds of the focused element `at`."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate(f"((at) => {condition})(document.activeElement)"):
            return
    raise AssertionError(f"Tab never comes to where {condition}")


def test_a_whole_search_with_the_keyboard_alone(open_page: Any) -> None:
    page = open_page("/")
    page.keyboard.press("/")
    page.keyboard.type("ball", delay=30)
    page.keyboard.press("Enter")
    wait_until(page, "document.querySelector('h1').textContent.includes('ball')")
    tab_to(page, "at.dataset.key === 'colour:Blue'")
    page.keyboard.press("Enter")
    wait_until(page, "location.search.includes('filter=colour')")
    wait_until(page, "document.querySelectorAll('.chip').length === 1")
    assert page.evaluate("document.activeElement.dataset.key") == "colour:Blue"
    found = shown(page)
    tab_to(page, "at.matches('#hits .card-main')")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/item?id={found[0]}")
    page.go_back()  # Alt and the left arrow are the browser's own, which none without a window has
    wait_for_first(page, found[0])
    # what was looked at may bring others like it forward
    assert sorted(shown(page)) == sorted(found) and asked(page) == {"q": ["ball"], "filter": ["colour:Blue"]}
    tab_to(page, "at.matches('[data-panel]')")
    page.keyboard.press("Enter")
    page.wait_for_selector("#card-panel", state="visible")
    assert page.evaluate("document.activeElement.id") == "card-but-q"
    page.keyboard.press("Escape")
    page.wait_for_selector("#card-panel", state="hidden")
    assert page.evaluate("document.activeElement.matches('[data-panel]')")  # back where it was opened


def listening_page(open_page: Any, server: Server, heard: str | None, **options: Any) -> Any:
    page = open_page("/me", **options)
    page.add_init_script(f"({LISTENER})({json.dumps(heard)})")
    page.goto(server.url)
    return page


def test_a_query_is_spoken(open_page: Any, server: Server) -> None:
    page = listening_page(open_page, server, "green ring")
    page.get_by_role("button", name="Speak your search").click()
    wait_for_first(page, "ring-green")
    assert asked(page) == {"q": ["green ring"]} and page.get_by_role("searchbox").input_value() == "green ring"
    assert page.evaluate("window.heardIn") == ["en-US"]
    assert page.locator("#speak").get_attribute("aria-pressed") == "false"


def test_one_speaks_the_language_of_the_page(open_page: Any, server: Server) -> None:
    page = listening_page(open_page, server, "ball")
    page.get_by_role("button", name="中文").click()
    page.get_by_role("button", name="语音搜索").click()
    wait_until(page, "location.search === '?q=ball'")
    assert page.evaluate("window.heardIn") == ["zh-CN"]


def test_what_was_not_understood_is_said(open_page: Any, server: Server) -> None:
    page = listening_page(open_page, server, None)
    page.get_by_role("button", name="Speak your search").click()
    page.wait_for_selector("#toast:not([hidden])")
    assert "Nothing was understood" in page.locator("#toast").inner_text() and "q" not in asked(page)


@pytest.mark.parametrize("scripts", [True, False])
def test_what_was_read_in_the_words_is_a_chip_that_one_can_take_away(open_page: Any, scripts: bool) -> None:
    page = open_page("/?q=cheap+ring+not+red+under+25", java_script_enabled=scripts)
    read = page.locator(".chip-read")
    assert [one.split("\n")[0] for one in read.all_inner_texts()] == ["low prices first", "not red", "Price: up to 25"]
    assert "ring-red" not in shown(page)
    page.get_by_role("link", name="Take “not red” as plain words").click()
    page.wait_for_url("**/?q=cheap+ring+not+red+under+25&literal=not+red")
    wait_until(page, "document.querySelectorAll('.chip-read').length === 2")
    assert "ring-red" in shown(page)
    page.get_by_role("searchbox").fill("box not red")  # other words are read anew
    page.get_by_role("searchbox").press("Enter")
    wait_until(page, "!location.search.includes('literal')")
    wait_until(page, "document.querySelectorAll('.chip-read').length === 1")


def test_words_that_leave_nothing_can_be_left_out(open_page: Any) -> None:
    page = open_page("/?q=ring+under+1")
    assert page.get_by_role("heading", level=1).inner_text() == "Nothing really matches “ring under 1”."
    page.get_by_role("link", name="without “under 1”").click()
    page.wait_for_url("**/?q=ring")
    wait_until(page, "document.querySelector('[data-item-id]').dataset.itemId.startsWith('ring-')")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_misspelt_word_is_put_right_unless_one_insists(open_page: Any, scripts: bool) -> None:
    page = open_page("/?q=yelow+ring", java_script_enabled=scripts)
    assert shown(page)[0] == "ring-yellow" and "Understood as yellow ring" in page.locator(".notice").inner_text()
    page.get_by_role("link", name="yelow ring", exact=True).click()
    page.wait_for_url("**/?q=yelow+ring&exact=1")
    page.wait_for_selector(".notice", state="detached")
    insisted = shown(page)
    assert insisted
    page.locator('.value[data-key="colour:Yellow"]').click()
    page.wait_for_url("**/?q=yelow+ring&exact=1&filter=colour*")  # it stays so with a filter
    page.go_back()
    page.go_back()
    page.locator(".notice").get_by_role("link", name="yellow ring", exact=True).click()
    page.wait_for_url("**/?q=yellow+ring")
    page.wait_for_selector(".notice", state="detached")
    assert shown(page)[0] == "ring-yellow"


def test_other_words_are_not_insisted_upon(open_page: Any) -> None:
    page = open_page("/?q=yelow+ring&exact=1")
    page.get_by_role("searchbox").fill("yelow kite")
    page.get_by_role("searchbox").press("Enter")
    wait_for_first(page, "kite-yellow")
    assert asked(page) == {"q": ["yelow kite"]} and page.locator(".notice").is_visible()


@pytest.fixture
def chinese_item(server: Server) -> Iterator[str]:
    """An item with a Chinese title, taken in while the server runs, and away again."""

    def ask(method: str, address: str, body: dict[str, Any] | None = None) -> Any:
        asked = urllib.request.Request(
            f"{server.url}{address}",
            json.dumps(body).encode() if body else None,
            {"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    ask("PUT", "/api/items/qiu", {"title": "红色的皮球", "description": "孩子们玩的橡胶皮球"})
    deadline = time.monotonic() + 15
    while "qiu" not in [hit["item_id"] for hit in ask("GET", f"/api/search?q={quote('皮球')}")["hits"]]:
        assert time.monotonic() < deadline, "the item cannot be searched for within 15 s"
        time.sleep(0.05)
    yield "qiu"
    ask("DELETE", "/api/items/qiu")


def test_a_chinese_query_finds_what_has_its_words(open_page: Any, chinese_item: str) -> None:
    page = open_page("/", locale="zh-CN")
    for words in ("皮球", "红色的皮球", "橡胶"):
        page.get_by_role("searchbox").fill(words)
        page.get_by_role("searchbox").press("Enter")
        wait_until(page, f"document.querySelector('h1').textContent === '“{words}”的搜索结果'")
        wait_for_first(page, chinese_item)
    page.reload()
    assert shown(page)[0] == chinese_item
    page.get_by_role("searchbox").fill("")
    page.get_by_role("searchbox").type("皮球")  # one that composes with an input method ends with the same words
    wait_for_first(page, chinese_item)


@pytest.mark.parametrize("viewport", [{"width": 1280, "height": 900}, PHONE], ids=["wide", "phone"])
def test_a_slow_line_is_borne(browser: Any, server: Server, viewport: dict[str, int]) -> None:
    with slow_line(server, 0.05) as line:
        page = browser.new_context(viewport=viewport).new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(line.url)
        line.delay_s = 2.0
        box = page.get_by_role("searchbox")
        box.fill("red ball")
        wait_until(page, "document.querySelector('#results.is-slow') !== null")  # that it is late is seen
        assert page.evaluate("getComputedStyle(document.querySelector('.card-title')).color") == "rgba(0, 0, 0, 0)"
        page.evaluate(
            """() => {
                const results = document.getElementById("results");
                new MutationObserver((_, watcher) => {
                    watcher.disconnect();
                    window.firstShown = results.querySelector("h1").textContent;
                }).observe(results, { childList: true });
            }"""
        )
        box.fill("yellow kite")  # goes on typing meanwhile: what is asked no more is never shown
        wait_until(page, "window.firstShown !== undefined")
        first = page.evaluate("window.firstShown")
        assert first == "Results for “yellow kite”" and shown(page)[0] == "kite-yellow"
        assert page.locator("#results.is-slow").count() == 0 and asked(page) == {"q": ["yellow kite"]}
        page.locator("#hits .card-main").first.click()
        page.wait_for_url("**/item?id=*", timeout=60_000)
        page.go_back()
        wait_for_first(page, "kite-yellow")
        assert complaints == []
        page.context.close()
