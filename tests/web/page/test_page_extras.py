"""What the page offers beside searching: parts of pictures, reasons, events, languages; and what is stored."""

import time
from string import Formatter
from typing import Any

from magpie.data.settings import Settings
from magpie.web.page.texts import LANGUAGES
from tests.support.browsing import asked, shown, wait_for_first, wait_until
from tests.support.serving import Server
from tests.web.api.test_api import stored


def events_of(server: Server, action: str, query_id: str, fewest: int = 1) -> list[dict[str, Any]]:
    """The events of a search that the log holds, once there are as many, or after fifteen seconds."""
    deadline = time.monotonic() + 15
    while True:
        records = stored(Settings(home=server.home))
        found = [one for one in records if one.get("action_name") == action and one.get("query_id") == query_id]
        if len(found) >= fewest or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def open_panel(page: Any, item_id: str) -> None:
    card = page.locator(f'[data-item-id="{item_id}"]')
    card.hover()
    card.locator("[data-panel]").click()
    page.wait_for_selector("#card-panel", state="visible")


def test_the_languages_say_the_same_things() -> None:
    def fields(sentence: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(sentence) if name}

    english, chinese = (LANGUAGES[name] for name in ("en", "zh"))
    assert english.keys() == chinese.keys()
    assert {name for name in english if fields(english[name]) != fields(chinese[name])} == set()


def test_the_interface_is_chinese_for_who_reads_it_and_can_be_switched(open_page: Any) -> None:
    page = open_page("/?q=ball", locale="zh-CN")
    assert page.get_by_role("heading", level=1).inner_text() == "“ball”的搜索结果"
    page.get_by_role("button", name="English").click()
    wait_until(page, "document.documentElement.lang === 'en'")
    assert asked(page) == {"q": ["ball"]}


def test_what_is_not_wanted_becomes_a_chip(open_page: Any) -> None:
    page = open_page("/?q=ball")
    for word in ("red", "blue"):
        page.get_by_label("Leave out what is").fill(word)
        page.get_by_label("Leave out what is").press("Enter")
        page.get_by_role("link", name=f"Remove the filter not {word}").wait_for()
    assert asked(page)["not"] == ["red", "blue"] and not {"ball-red", "ball-blue"} & set(shown(page)[:3])
    page.get_by_role("link", name="Remove the filter not red").click()
    wait_until(page, "!location.search.includes('red')")


def test_a_hit_says_why_and_is_like_this_but(open_page: Any) -> None:
    page = open_page("/?q=red+ball")
    open_panel(page, "ball-red")
    page.get_by_text("Why this result?").click()
    page.wait_for_selector("#card-reasons .why")
    reasons = page.locator("#card-reasons").inner_text()
    total = page.locator(".count").first.inner_text().split()[0]
    assert "Contains your words" in reasons and reasons.startswith(f"Position 1 of {total}.")
    page.get_by_label("Like this, but").fill("in blue")
    page.get_by_label("Like this, but").press("Enter")
    wait_until(page, "location.search.includes('like=ball-red')")
    assert asked(page) == {"like": ["ball-red"], "q": ["in blue"]}
    page.locator("#weight").press("End")
    wait_until(page, "location.search.includes('weight=100')")


def test_a_part_of_a_picture_is_searched_with_the_keyboard(open_page: Any, shop: Settings) -> None:
    page = open_page("/")
    page.locator("#picture").set_input_files(str(shop.home.parent / "pictures" / "kite-green.jpg"))
    wait_for_first(page, "kite-green")
    page.locator('[data-corner="se"]').press("ArrowLeft")
    wait_until(page, "location.search.includes('crop=0-0-95-100')")
    page.reload()
    assert page.get_by_role("heading", level=1).inner_text() == "What looks like this part of your picture"
    page.get_by_role("link", name="Whole picture").click()
    wait_until(page, "!location.search.includes('crop')")


def test_a_handle_of_a_range_moves_with_the_keyboard(open_page: Any) -> None:
    page = open_page("/?q=ball")
    page.get_by_label("Price, at least").press("ArrowRight")
    wait_until(page, "!document.querySelector('[data-item-id=ball-red]')")
    assert page.evaluate("document.activeElement.dataset.key") == "low:price"
    assert asked(page)["filter"] == ["price:5.25.."]


def test_a_value_in_other_capitals_is_the_value_that_is_ticked(open_page: Any) -> None:
    page = open_page("/?q=red&filter=kind:BALL", java_script_enabled=False)
    ticked = page.locator("#filters [aria-current]")
    assert ticked.count() == 1 and ticked.get_attribute("data-key") == "kind:ball"
    assert page.locator('[data-key="kind:BALL"]').count() == 0
    ticked.click()
    assert asked(page) == {"q": ["red"]}


def test_the_button_of_a_range_is_one_line_in_chinese(open_page: Any) -> None:
    page = open_page("/?q=red", locale="zh-CN")
    assert page.locator(".range-row button").first.bounding_box()["height"] < 45


def test_filters_that_leave_nothing_say_which_to_drop(open_page: Any) -> None:
    page = open_page("/?q=ball&filter=colour:Red&filter=kind:ball&filter=price:9000..")
    page.get_by_role("link", name="without Price").click()
    wait_for_first(page, "ball-red")


def test_recent_searches_stay_in_the_browser(open_page: Any) -> None:
    page = open_page("/")
    box = page.get_by_role("searchbox")
    box.fill("green ring")
    box.press("Enter")
    wait_for_first(page, "ring-green")
    box.fill("")
    page.wait_for_selector("#suggestions .is-recent")
    box.press("ArrowDown")
    box.press("Delete")
    wait_until(page, "localStorage.getItem('magpie.recent') === '[]'")


def test_what_was_seen_and_judged_is_told_and_nothing_else(open_page: Any, server: Server) -> None:
    page = open_page("/?q=yellow")
    query_id = page.locator(".layout").get_attribute("data-query-id")
    visible = set(shown(page)[:4])
    seen = events_of(server, "impression", query_id, fewest=len(visible))
    assert visible <= {one["event_attributes"]["object"]["object_id"] for one in seen} < set(shown(page))
    open_panel(page, shown(page)[0])
    page.get_by_role("button", name="Does not fit").click()
    (reaction,) = events_of(server, "reaction", query_id)
    assert reaction["event_attributes"]["reaction"] == "down"


def test_a_visitor_sees_what_is_stored_and_has_it_forgotten(open_page: Any, server: Server) -> None:
    page = open_page("/")
    page.get_by_role("searchbox").fill("orange")
    page.get_by_role("searchbox").press("Enter")
    wait_until(page, "localStorage.getItem('magpie.recent') === '[\"orange\"]'")
    wait_until(page, "document.querySelector('h1').textContent.includes('orange')")
    page.locator("#hits .card-main").first.click()
    page.wait_for_url("**/item?id=*")
    (visit,) = [one["value"].split(".")[0] for one in page.context.cookies() if one["name"] == "magpie_session"]
    for _ in range(50):  # the click is told beside the page
        page.goto(server.url + "/me")
        if page.get_by_text("opened:").count():
            break
        page.wait_for_timeout(200)
    assert visit in page.locator("main").inner_text() and page.get_by_text("opened:").is_visible()
    page.get_by_role("button", name="Forget me").click()
    assert page.get_by_role("status").inner_text().startswith("Forgotten:")
    assert not page.context.cookies()
    wait_until(page, "localStorage.getItem('magpie.recent') === null")
    assert all(one.get("session_id") != visit for one in stored(Settings(home=server.home)))
