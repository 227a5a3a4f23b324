"""The search page where things go otherwise: two tabs, late answers, long ways back, hostile names, no scripts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from magpie.data.settings import Settings
from magpie.web.page.state import PAGE_SIZE
from tests.support.browsing import PHONE, asked, shown, wait_for_first, wait_until
from tests.support.serving import Server
from tests.support.shop import HOSTILE_ID
from tests.web.page.test_search_page import picture_file

HOSTILE_NAME = '../../"><img src=x onerror=window.bad=1>.jpg'
# every frame's visibility of a link and of the count in it, from the moment when the filters open
FRAMES = """() => new Promise((done) => {
    const frames = [];
    const value = document.querySelector(".value");
    const seen = (part) => getComputedStyle(part).visibility === "visible";
    const look = () => {
        frames.push([seen(value), seen(value.querySelector("span"))]);
        if (frames.length < 15) requestAnimationFrame(look);
        else done(frames);
    };
    document.querySelector("[data-open-filters]").click();
    look();
})"""


@pytest.fixture
def late_page(open_page: Any) -> Iterator[tuple[Any, list[Any]]]:
    """The start page, and the questions that wait until the test lets them through."""
    page, held = open_page("/"), []
    page.route("**/results*", lambda route: held.append(route))
    yield page, held
    page.unroute_all(behavior="ignoreErrors")


def wait_for_questions(page: Any, held: list[Any], number: int) -> None:
    for _ in range(150):
        if len(held) >= number:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{len(held)} of {number} questions were asked")


def test_two_tabs_search_apart_and_remember_together(open_page: Any, server: Server) -> None:
    one = open_page("/?q=red+ball")
    other = one.context.new_page()
    other.goto(f"{server.url}/?q=blue+box")
    for page, words, first in ((one, "green kite", "kite-green"), (other, "yellow ring", "ring-yellow")):
        page.get_by_role("searchbox").fill(words)
        page.get_by_role("searchbox").press("Enter")
        wait_for_first(page, first)
    assert asked(one) == {"q": ["green kite"]} and shown(one)[0] == "kite-green"
    one.go_back()
    wait_for_first(one, "ball-red")
    assert shown(other)[0] == "ring-yellow"
    other.get_by_role("searchbox").fill("")
    other.wait_for_selector("#suggestions .is-recent")
    assert {"green kite", "yellow ring"} <= set(other.evaluate("JSON.parse(localStorage.getItem('magpie.recent'))"))


def test_answers_out_of_order_leave_the_last_question_s(late_page: tuple[Any, list[Any]]) -> None:
    page, held = late_page
    box = page.get_by_role("searchbox")
    for number, words in enumerate(("red", "red ball", "yellow kite"), start=1):
        box.fill(words)
        wait_for_questions(page, held, number)
    assert page.evaluate("document.getElementById('results').getAttribute('aria-busy')") == "true"
    for route in reversed(held):
        route.continue_()
        wait_for_first(page, "kite-yellow")
    assert asked(page) == {"q": ["yellow kite"]}


def test_cards_become_skeletons_while_an_answer_is_late(late_page: tuple[Any, list[Any]]) -> None:
    page, held = late_page
    page.get_by_role("searchbox").fill("green ring")
    wait_until(page, "document.querySelector('#results.is-slow') !== null")
    assert page.evaluate("getComputedStyle(document.querySelector('.card-title')).color") == "rgba(0, 0, 0, 0)"
    wait_for_questions(page, held, 1)
    held[0].continue_()
    wait_for_first(page, "ring-green")
    assert page.locator("#results.is-slow").count() == 0


def test_more_results_have_their_places_before_they_come(late_page: tuple[Any, list[Any]]) -> None:
    page, held = late_page
    first = shown(page)
    total = int(page.locator(".count").first.inner_text().split()[0])
    page.get_by_role("link", name="Show more").click()
    wait_for_questions(page, held, 1)
    assert page.locator("#hits .place").count() == total - PAGE_SIZE and shown(page) == first
    held[0].continue_()
    wait_until(page, f"document.querySelectorAll('[data-item-id]').length === {total}")
    assert page.locator("#hits .place").count() == 0


def test_back_and_forward_go_through_every_state(open_page: Any) -> None:
    page = open_page("/?q=red")
    states = []

    def note(step: str) -> None:
        wait_until(page, f"location.search.includes('{step}')")
        wait_until(page, "document.getElementById('results').getAttribute('aria-busy') === 'false'")
        states.append((page.url, shown(page)))

    note("q=red")
    page.locator('.value[data-key="kind:ball"]').click()
    note("filter=kind")
    page.get_by_label("Sort by").select_option("-price")
    note("sort=-price")
    page.get_by_label("Leave out what is").fill("black")
    page.get_by_label("Leave out what is").press("Enter")
    note("not=black")
    for url, items in reversed(states[:-1]):
        page.go_back()
        wait_until(page, f"location.href === '{url}'")
        wait_for_first(page, items[0])
        assert shown(page) == items
    for url, items in states[1:]:
        page.go_forward()
        wait_until(page, f"location.href === '{url}'")
        wait_for_first(page, items[0])
        assert shown(page) == items


@pytest.mark.parametrize("scripts", [True, False])
def test_a_hostile_name_of_a_picture_is_only_a_name(open_page: Any, shop: Settings, scripts: bool) -> None:
    page = open_page("/", java_script_enabled=scripts)
    content = Path(picture_file(shop, "kite-green.jpg")).read_bytes()
    page.locator("#picture").set_input_files({"name": HOSTILE_NAME, "mimeType": "image/jpeg", "buffer": content})
    if not scripts:
        page.get_by_role("button", name="Search with this picture").click()
    page.wait_for_url("**/?picture=*")
    page.wait_for_selector("#crop")
    assert shown(page)[0] == "kite-green" and HOSTILE_NAME not in page.locator("main").inner_text()
    assert not scripts or page.evaluate("window.bad") is None


def test_hostile_text_in_the_address_is_only_text(open_page: Any) -> None:
    bad = "%22%3E%3Cimg+src%3Dx+onerror%3Dwindow.bad%3D1%3E"
    page = open_page(f"/?q=ball&not={bad}&filter=colour:{bad}&sort=price")
    page.get_by_role("link", name="Remove the filter not").wait_for()
    assert page.evaluate("window.bad") is None and page.locator("img[onerror]").count() == 0


def test_without_scripts_everything_is_a_link_or_a_form(open_page: Any) -> None:
    page = open_page("/", java_script_enabled=False)
    page.get_by_role("link", name="Show more").click()
    assert asked(page) == {"page": ["2"]} and len(shown(page)) > PAGE_SIZE
    page.get_by_role("searchbox").fill("ball")
    page.get_by_role("searchbox").press("Enter")
    page.locator('.value[data-key="colour:Red"]').click()
    assert asked(page) == {"q": ["ball"], "filter": ["colour:Red"]}
    page.get_by_label("Leave out what is").fill("kite")
    page.get_by_label("Leave out what is").press("Enter")
    assert asked(page)["not"] == ["kite"]
    page.locator('[data-item-id="ball-red"] .card-like').click()
    page.get_by_role("button", name="中文").click()
    assert asked(page) == {"like": ["ball-red"]} and page.get_attribute("html", "lang") == "zh-Hans"


def test_a_strip_takes_up_what_was_looked_at(open_page: Any, server: Server) -> None:
    page = open_page("/?q=green+kite")
    page.locator('[data-item-id="kite-green"] .card-main').click()
    page.wait_for_url("**/item?id=kite-green")
    strip = page.get_by_role("region", name="Because you looked at “Green kite”")
    for _ in range(50):  # the click is told beside the page
        page.goto(server.url)
        if strip.count():
            break
        page.wait_for_timeout(200)
    items = [card.get_attribute("data-item-id") for card in strip.locator("[data-item-id]").all()]
    assert len(items) >= 4 and "kite-green" not in items
    strip.locator(".card-main").first.click()
    page.wait_for_url("**/item?id=*")


def test_opening_filters_never_shows_a_link_without_its_words(open_page: Any) -> None:
    page = open_page("/?q=ball", viewport=PHONE, reduced_motion="reduce")
    frames = page.evaluate(FRAMES)
    assert frames[-1] == [True, True] and all(link == words for link, words in frames)


# what sticks out to the right, but for what scrolls by itself and what waits outside until it is opened
STICKING_OUT = """() => [...document.querySelectorAll("body *")].filter((one) => {
    const box = one.getBoundingClientRect();
    const isPart = !one.closest(".row, .table, pre, [popover]") && getComputedStyle(one).visibility !== "hidden";
    return isPart && box.width && box.right > document.documentElement.clientWidth + 0.5;
}).map((one) => one.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("locale", ["en", "zh-CN"])
@pytest.mark.parametrize("width", [320, 640])  # the width that WCAG 1.4.10 asks for, and a window of 1280 at 200 %
def test_nothing_sticks_out_of_a_narrow_window(open_page: Any, server: Server, width: int, locale: str) -> None:
    page = open_page("/", viewport={"width": width, "height": 640}, locale=locale)
    for address in (
        *("/", "/?q=ball", "/?filter=colour:Red", "/?q=ball&filter=colour:Red&filter=kind:ball&sort=-price"),
        *("/?like=ball-red&q=in+blue", "/?q=zzxqv+wqkjhd", "/item?id=ball-red", "/insights", "/me", "/docs"),
    ):
        page.goto(server.url + address)
        assert page.evaluate(STICKING_OUT) == [], address
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), address


def test_the_page_brings_its_look_along_and_lets_no_other_in(browser: Any, server: Server) -> None:
    page = browser.new_context().new_page()  # the browser itself reports the refused style in its console
    asked_for: list[str] = []
    page.on("request", lambda request: asked_for.append(request.resource_type))
    page.goto(server.url)
    assert "stylesheet" not in asked_for and page.evaluate("getComputedStyle(document.body).marginTop") == "0px"
    page.evaluate(
        """() => document.head.append(
            Object.assign(document.createElement("style"), { textContent: "body { margin-top: 9px; }" })
        )"""
    )
    assert page.evaluate("getComputedStyle(document.body).marginTop") == "0px"
    page.context.close()


def test_an_item_that_is_not_there_is_said_so(browser: Any, server: Server) -> None:
    page = browser.new_context().new_page()  # the browser itself reports the 404 in its console
    page.goto(f"{server.url}/item?id=nothing")
    assert page.get_by_role("heading", level=1).inner_text() == "That did not work"
    page.get_by_role("link", name="Back to the search").click()
    assert HOSTILE_ID in shown(page) or len(shown(page)) == PAGE_SIZE
    page.context.close()
