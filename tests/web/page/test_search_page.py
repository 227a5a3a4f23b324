"""The search page in a real browser, against the real server: what people do, and what they must never see."""

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from magpie.data.settings import Settings
from tests.support.browsing import PHONE, asked, shown, wait_for_first, wait_until
from tests.support.serving import COMMAND, Server, free_port, serving
from tests.support.shop import HOSTILE_ID, PLAIN_ID
from tests.web.api.test_api import stored

# the search box and the file field show their focus on what surrounds them
FOCUS_IS_SEEN = """(() => {
    const at = document.activeElement;
    return ["q", "picture"].includes(at.id) || at === document.body || getComputedStyle(at).outlineStyle !== "none";
})()"""


FIRST_THREE_ARE_BLUE = """(() => {
    const first = [...document.querySelectorAll("[data-item-id]")].slice(0, 3);
    return first.length === 3 && first.every((one) => one.dataset.itemId.endsWith("-blue"));
})()"""


def test_the_first_visit_shows_the_catalogue(open_page: Any) -> None:
    page = open_page("/")
    assert len(shown(page)) == 24 and page.get_by_role("searchbox").is_visible()


def test_results_come_while_one_types(open_page: Any) -> None:
    page = open_page("/")
    page.get_by_role("searchbox").type("green ring", delay=20)
    wait_for_first(page, "ring-green")
    assert asked(page) == {"q": ["green ring"]}
    assert (
        "green ring" in page.title() and page.get_by_role("heading", level=1).inner_text() == "Results for “green ring”"
    )
    wait_until(page, "document.getElementById('announce').textContent.includes('result')")


def test_half_a_word_shows_what_it_may_become_and_enter_takes_it_as_it_is(open_page: Any) -> None:
    page = open_page("/")
    box = page.get_by_role("searchbox")
    box.type("gree", delay=20)
    wait_until(page, "location.search === '?q=green'")
    wait_until(page, "document.querySelector('h1').textContent === 'Results for “green”'")
    assert all(item.endswith("-green") for item in shown(page)[:5]) and box.input_value() == "gree"
    box.press("Enter")
    wait_until(page, "location.search === '?q=gree'")
    wait_until(page, "document.querySelector('h1').textContent.includes('“gree”')")
    page.reload()
    assert box.input_value() == "gree"


def test_what_was_asked_while_typing_is_marked_in_the_log(open_page: Any, server: Server) -> None:
    page = open_page("/")
    page.get_by_role("searchbox").fill("unusual words")
    wait_until(page, "location.search === '?q=unusual+words'")
    wait_until(page, "document.querySelector('h1').textContent.includes('unusual')")
    page.get_by_role("searchbox").press("Enter")
    wait_until(page, "document.getElementById('results').getAttribute('aria-busy') === 'false'")
    page.wait_for_timeout(600)
    command = [*COMMAND, "--home", str(server.home), "events", "export"]
    lines = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
    logged = [one["query_attributes"] for one in map(json.loads, lines) if one.get("user_query") == "unusual words"]
    assert [attributes.get("typing", False) for attributes in logged] == [True, False]


def test_typing_is_one_step_back(open_page: Any) -> None:
    page = open_page("/?q=red+ball")
    box = page.get_by_role("searchbox")
    box.fill("")
    box.type("blue box", delay=60)
    wait_for_first(page, "box-blue")
    page.go_back()
    wait_for_first(page, "ball-red")
    assert box.input_value() == "red ball"
    page.go_forward()
    wait_for_first(page, "box-blue")


def test_an_overtaken_answer_is_never_shown(open_page: Any) -> None:
    page = open_page("/")

    def delay_first(route: Any) -> None:
        if "q=red&" in route.request.url + "&":
            page.wait_for_timeout(1200)
        route.continue_()

    page.route("**/results*", delay_first)
    box = page.get_by_role("searchbox")
    box.fill("red")
    page.wait_for_timeout(250)
    box.fill("yellow kite")
    wait_for_first(page, "kite-yellow")
    page.wait_for_timeout(1500)
    assert shown(page)[0] == "kite-yellow" and asked(page) == {"q": ["yellow kite"]}


def test_the_address_alone_gives_the_same_also_without_scripts(open_page: Any) -> None:
    address = "/?q=red&filter=kind:ball&filter=kind:box&sort=price"
    page = open_page(address)
    plain = open_page(address, java_script_enabled=False)
    assert shown(page) == shown(plain) and len(shown(page)) >= 2
    page.reload()
    assert shown(page) == shown(plain)


def test_filters_are_chosen_and_taken_back(open_page: Any) -> None:
    page = open_page("/?q=ball")
    before = shown(page)
    page.locator('.value[data-key="colour:Blue"]').click()
    wait_until(page, "document.querySelectorAll('.chip').length === 1")
    assert asked(page)["filter"] == ["colour:Blue"]
    assert all(item.endswith("-blue") for item in shown(page))
    assert page.evaluate("document.activeElement.dataset.key") == "colour:Blue"  # the keyboard stays where it was
    page.get_by_role("link", name="Remove the filter Colour: Blue").click()
    wait_until(page, "document.querySelectorAll('.chip').length === 0")
    assert shown(page) == before


def test_a_range_is_typed(open_page: Any) -> None:
    for scripts in (True, False):
        page = open_page("/?q=ball", java_script_enabled=scripts)
        page.get_by_label("Price From").fill("6")
        page.get_by_label("Price to").fill("8.5")
        page.locator('[data-key="apply:price"]').click()
        page.wait_for_url("**/?q=ball&filter=price*")
        assert asked(page)["filter"] == ["price:6..8.5"]
        page.wait_for_selector(".chip")
        assert set(shown(page)) == {"ball-green", "ball-blue", "ball-yellow"}


def test_sorting(open_page: Any) -> None:
    page = open_page("/?filter=kind:ring")
    page.get_by_label("Sort by").select_option("-price")
    page.wait_for_url("**sort=-price*")
    wait_for_first(page, "ring-orange")
    assert shown(page)[-1] == "ring-red"


def test_more_results_join_those_there(open_page: Any) -> None:
    page = open_page("/")
    first = shown(page)
    page.get_by_role("link", name="Show more").click()
    wait_until(page, "document.querySelectorAll('[data-item-id]').length > 24")
    assert shown(page)[:24] == first and len(set(shown(page))) == len(shown(page))
    assert asked(page) == {"page": ["2"]}
    everything = shown(page)
    page.reload()
    assert shown(page) == everything


def test_more_like_this_and_words_on_top(open_page: Any) -> None:
    page = open_page("/?q=red+ball")
    card = page.locator('[data-item-id="ball-red"]')
    card.hover()
    card.get_by_role("link", name="More like Red ball").click()
    page.wait_for_url("**like=ball-red*")
    page.wait_for_selector(".with img")
    assert "ball-red" not in shown(page) and page.get_by_role("searchbox").input_value() == ""
    page.get_by_role("searchbox").type("in blue", delay=20)
    wait_until(page, "location.search.includes('in+blue')")
    wait_until(page, FIRST_THREE_ARE_BLUE)
    assert asked(page) == {"q": ["in blue"], "like": ["ball-red"]}


def picture_file(shop: Settings, name: str) -> str:
    return str(shop.home.parent / "pictures" / name)


def test_a_picture_is_chosen_and_stays_in_the_address(open_page: Any, shop: Settings) -> None:
    page = open_page("/?q=blue")
    page.locator("#picture").set_input_files(picture_file(shop, "kite-green.jpg"))
    page.wait_for_selector("#crop")
    wait_for_first(page, "kite-blue")
    assert list(asked(page)) == ["q", "picture"] and page.locator(".with img").is_visible()
    page.go_back()
    wait_until(page, "location.search === '?q=blue'")
    page.go_forward()
    wait_for_first(page, "kite-blue")
    page.reload()
    assert shown(page)[0] == "kite-blue"


def test_a_picture_without_scripts(open_page: Any, shop: Settings) -> None:
    page = open_page("/", java_script_enabled=False)
    page.locator("#picture").set_input_files(picture_file(shop, "kite-green.jpg"))
    page.get_by_role("button", name="Search with this picture").click()
    assert shown(page)[0] == "kite-green"


@pytest.mark.parametrize("how", ["paste", "drop"])
def test_a_picture_is_pasted_or_dropped(open_page: Any, shop: Settings, how: str) -> None:
    page = open_page("/")
    content = list(Path(picture_file(shop, "box-yellow.jpg")).read_bytes())
    page.evaluate(
        """([content, how]) => {
            const given = new DataTransfer();
            given.items.add(new File([new Uint8Array(content)], "x.jpg", { type: "image/jpeg" }));
            const fire = (event) => document.body.dispatchEvent(event);
            if (how === "paste") fire(new ClipboardEvent("paste", { clipboardData: given, bubbles: true }));
            else for (const kind of ["dragenter", "dragover", "drop"])
                fire(new DragEvent(kind, { dataTransfer: given, bubbles: true, cancelable: true }));
        }""",
        [content, how],
    )
    wait_for_first(page, "box-yellow")
    assert page.locator("#drop").is_hidden()


def test_what_is_no_picture_is_answered_with_a_message(
    open_page: Any, browser: Any, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    page = browser.new_context().new_page()  # the browser itself reports the 415 in its console
    page.goto(server.url)
    before = shown(page)
    page.locator("#picture").set_input_files(str(tmp_path / "broken.jpg"))
    page.wait_for_selector("#toast:not([hidden])")
    assert "picture" in page.locator("#toast").inner_text() and shown(page) == before
    page.context.close()


def test_nothing_that_matches_is_said_to_match(open_page: Any) -> None:
    page = open_page("/?q=zzxqv+wqkjhd")
    assert page.get_by_role("heading", level=1).inner_text() == "Nothing really matches “zzxqv wqkjhd”."
    assert page.get_by_text("Nearest matches").is_visible() or not shown(page)


def test_hostile_words_titles_and_ids_are_only_words(open_page: Any) -> None:
    page = open_page("/?q=%3Cscript%3Ewindow.bad%3D1%3C%2Fscript%3E+ball")
    page.wait_for_timeout(300)
    assert HOSTILE_ID in shown(page) and page.evaluate("window.bad") is None
    page.locator(f'[data-position="{shown(page).index(HOSTILE_ID) + 1}"] .card-main').click()
    page.wait_for_url("**/item?id=*")
    assert page.get_by_role("heading", level=1).inner_text().startswith("<script>")
    assert page.evaluate("window.bad") is None and page.locator('a[href^="javascript"]').count() == 0


def test_an_item_has_a_page_of_its_own(open_page: Any) -> None:
    page = open_page("/?q=red+ball")
    page.locator('[data-item-id="ball-red"] .card-main').click()
    page.wait_for_url("**/item?id=ball-red")
    assert page.get_by_text("A ball to play with, painted red.").is_visible()
    assert (
        page.get_by_role("link", name="View the original page").get_attribute("href") == "https://shop.example/ball-red"
    )
    assert len(shown(page)) >= 4 and "ball-red" not in shown(page)
    page.get_by_role("searchbox").fill("blue")
    page.get_by_role("searchbox").press("Enter")
    page.wait_for_url("**/?q=blue")


def test_an_item_without_picture_has_a_place_holder(open_page: Any) -> None:
    page = open_page("/?q=wooden+spoon")
    card = page.locator(f'[data-item-id="{PLAIN_ID}"]')
    assert card.locator("img").count() == 0 and card.locator(".no-picture").is_visible()


def test_the_keyboard_goes_all_the_way(open_page: Any) -> None:
    page = open_page("/?q=red")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    reached: list[str] = []
    for _ in range(150):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.className"))
        assert page.evaluate(FOCUS_IS_SEEN), page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        if page.evaluate("document.activeElement.closest('.foot') !== null"):
            break
    assert {"value", "card-main", "card-like"} <= set(reached)
    assert reached.index("open-filters") < reached.index("card-main") < reached.index("value")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"


def test_on_a_wide_screen_the_way_to_the_filters_is_offered_to_the_keyboard(open_page: Any) -> None:
    page = open_page("/?q=red")
    way = page.locator("[data-open-filters]")
    assert way.bounding_box()["width"] <= 1
    way.focus()
    assert way.bounding_box()["width"] > 44
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.closest('#filters') !== null")
    assert page.evaluate("document.querySelector('.list').inert") is False  # it stays beside them
    beside, hits = page.locator("#filters").bounding_box(), page.locator("#hits").bounding_box()
    assert beside["x"] + beside["width"] <= hits["x"] and abs(beside["y"] - hits["y"]) < 200


def test_suggestions_are_chosen_with_the_arrow_keys(open_page: Any) -> None:
    page = open_page("/")
    box = page.get_by_role("searchbox")
    box.type("re", delay=20)
    page.wait_for_selector("#suggestions li")
    page.keyboard.press("ArrowDown")
    chosen = page.locator("#suggestions [aria-selected=true]").get_attribute("data-text")
    assert box.get_attribute("aria-activedescendant") == "suggestion-0"
    page.keyboard.press("Enter")
    wait_until(page, "document.getElementById('suggestions').hidden")
    assert box.input_value() == chosen and asked(page) == {"q": [chosen]}
    box.fill("gre")
    page.wait_for_selector("#suggestions li")
    page.keyboard.press("Escape")
    assert page.locator("#suggestions").is_hidden() and box.input_value() == "gre"


def test_a_phone_has_everything_within_its_width(open_page: Any) -> None:
    page = open_page("/?q=ball", viewport=PHONE, color_scheme="dark", has_touch=True, is_mobile=True)
    for address in ("/?q=ball", "/", "/?like=ball-red&q=in+blue", "/?q=zzxqv", "/item?id=ball-red", "/docs"):
        page.goto(page.url.split("/", 3)[0] + "//" + urlsplit(page.url).netloc + address)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), address
    page.goto(page.url.replace("/docs", "/?q=ball"))
    assert page.locator("#filters").is_hidden()
    page.get_by_role("link", name="Filters").click()
    page.wait_for_selector("#filters", state="visible")
    page.locator('.value[data-key="colour:Red"]').click()
    wait_until(page, "location.search.includes('colour')")
    assert page.locator("#filters").is_visible()  # several may be chosen
    page.get_by_text("Show results").click()
    page.wait_for_selector("#filters", state="hidden")
    assert all(item.endswith("-red") or item == HOSTILE_ID for item in shown(page))


def test_nothing_jumps_while_pictures_load(open_page: Any) -> None:
    page = open_page("/?q=ball")
    shift = page.evaluate(
        """() => new Promise((done) => {
            let sum = 0;
            new PerformanceObserver((list) => list.getEntries().forEach((entry) => (sum += entry.value)))
                .observe({ type: "layout-shift", buffered: true });
            setTimeout(() => done(sum), 800);
        })"""
    )
    assert shift < 0.02


def test_a_server_that_comes_back_serves_the_open_page(browser: Any, shop: Settings, tmp_path: Path) -> None:
    home, port = tmp_path / "home", free_port()
    shutil.copytree(shop.home, home)
    page = browser.new_context().new_page()
    with serving(home, port) as running:
        page.goto(running.url + "/?q=red")
        found = shown(page)
        assert running.stop() == 0
        page.get_by_role("searchbox").fill("blue")
        page.wait_for_selector("#toast:not([hidden])")
        assert shown(page) == found
    with serving(home, port):
        page.get_by_role("searchbox").press("Enter")
        wait_until(page, "document.querySelector('h1').textContent.includes('blue')")
    page.context.close()


# ---- what the page tells ----


def clicks_of(server: Server, query_id: str, patience_s: float = 1.0) -> list[dict[str, Any]]:
    """The clicks that the log holds for a search, once there are any, or after so long."""
    deadline = time.monotonic() + patience_s
    while True:
        records = stored(Settings(home=server.home))
        found = [one for one in records if one.get("query_id") == query_id and one.get("action_name") == "click"]
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def open_second_hit(page: Any) -> tuple[str, str]:
    """Opens it; returns the search's id and the item's."""
    query_id = page.locator("[data-query-id]").get_attribute("data-query-id")
    card = page.locator("#hits > li").nth(1)
    item_id = card.get_attribute("data-item-id")
    card.locator(".card-main").click()
    page.wait_for_url("**/item?id=*")
    return query_id, item_id


def test_an_opened_hit_is_told_with_its_place(open_page: Any, server: Server) -> None:
    page = open_page("/?q=green")
    assert page.context.cookies() == []
    query_id, item_id = open_second_hit(page)
    (click,) = clicks_of(server, query_id, patience_s=15)
    assert click["action_name"] == "click" and click["event_attributes"] == {
        "object": {"object_id": item_id}, "position": {"ordinal": 2},
    }  # fmt: skip
    (cookie,) = page.context.cookies()
    assert cookie["value"].split(".")[0] == click["session_id"] and cookie["expires"] == -1
    shown = []
    for _ in range(2):  # the order may have learned from the click; it does not change by itself
        page.goto(f"{server.url}/?q=green")
        shown.append([card.get_attribute("data-item-id") for card in page.locator("#hits > li").all()])
    assert shown[0] == shown[1]


@pytest.mark.parametrize(
    ("header", "property_of_browser"),
    [("DNT", "doNotTrack', {get: () => '1'}"), ("Sec-GPC", "globalPrivacyControl', {get: () => true}")],
)
def test_who_asks_for_privacy_is_not_watched(
    open_page: Any, server: Server, header: str, property_of_browser: str
) -> None:
    page = open_page(extra_http_headers={header: "1"})
    page.add_init_script(f"Object.defineProperty(navigator, '{property_of_browser})")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if "/api/events" in request.url else None)
    page.goto(f"{server.url}/?q=green")
    query_id, _ = open_second_hit(page)
    assert clicks_of(server, query_id) == [] and sent == [] and page.context.cookies() == []
