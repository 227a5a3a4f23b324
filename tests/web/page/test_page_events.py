"""What the page tells of a visit: a whole one against the log, event by event, and what it makes of it afterwards."""

import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

from magpie.data.database.connection import open_database
from magpie.data.settings import Settings
from tests.support.browsing import WIDE, shown
from tests.support.chosen import choose
from tests.support.serving import Server, serving
from tests.web.api.test_api import stored
from tests.web.page.test_page_extras import open_panel

SEEN_MS = 500  # DESIGN 6: half of the card, for half a second
# [item, position] of the cards of which at least half lies in the window
HALF_SEEN = """() => [...document.querySelectorAll("#hits [data-item-id]")].filter((card) => {
    const box = card.getBoundingClientRect();
    return Math.min(box.bottom, innerHeight) - Math.max(box.top, 0) >= box.height / 2;
}).map((card) => [card.dataset.itemId, Number(card.dataset.position)])"""

Told = tuple[str, str, str, int | None]  # query id, action, item, position


def told(server: Server, query_ids: set[str]) -> Counter[Told]:
    """What the log holds of these searches."""
    records = [one for one in stored(Settings(home=server.home)) if one.get("query_id") in query_ids]
    return Counter(
        (
            one["query_id"],
            one["action_name"],
            one["event_attributes"]["object"]["object_id"],
            one["event_attributes"].get("position", {}).get("ordinal"),
        )
        for one in records
        if "action_name" in one
    )


def wait_until_told(server: Server, expected: Counter[Told]) -> None:
    """Waits until the log holds all of it, and a second longer for what it should not hold."""
    query_ids = {query_id for query_id, *_ in expected}
    deadline = time.monotonic() + 10
    while expected - told(server, query_ids) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1)
    assert told(server, query_ids) == expected


def look_around(page: Any) -> Counter[Told]:
    """Looks for long enough at what is in the window; returns the impressions that should be told of it."""
    page.wait_for_timeout(SEEN_MS + 1000)  # a busy machine tells late what comes into the window
    query_id = page.locator(".layout").get_attribute("data-query-id")
    return Counter((query_id, "impression", item, position) for item, position in page.evaluate(HALF_SEEN))


def test_the_events_that_arrive_are_the_ones_that_happened(open_page: Any, server: Server) -> None:
    page = open_page("/?q=yellow", viewport={"width": 1280, "height": 640})
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.resource_type) if one.url.endswith("/api/events") else None)
    expected = look_around(page)
    assert 0 < len(expected) < len(shown(page))
    page.mouse.wheel(0, 5000)  # past cards that are in the window too shortly to be seen, to the last ones
    page.wait_for_timeout(100)
    page.mouse.wheel(0, -5000)
    page.wait_for_timeout(SEEN_MS + 300)

    first_search = page.locator(".layout").get_attribute("data-query-id")
    item = shown(page)[1]
    page.locator("#hits .card-main").nth(1).click()
    page.wait_for_url("**/item?id=*")
    expected[first_search, "click", item, 2] += 1
    page.wait_for_timeout(700)
    page.get_by_role("searchbox").fill("blue")
    page.get_by_role("searchbox").press("Enter")  # leaves the item's page, which tells how long it was looked at
    page.wait_for_url("**/?q=blue")
    expected[first_search, "view", item, 2] += 1
    expected += look_around(page)

    second_search = page.locator(".layout").get_attribute("data-query-id")
    judged = shown(page)[0]
    open_panel(page, judged)
    page.get_by_role("button", name="Fits", exact=True).click()
    expected[second_search, "reaction", judged, 1] += 1
    page.goto("about:blank")
    wait_until_told(server, expected)
    assert set(sent) == {"ping"}  # sendBeacon: nothing waits for it
    (view,) = [
        one
        for one in stored(Settings(home=server.home))
        if (one.get("query_id"), one.get("action_name")) == (first_search, "view")
    ]
    assert 700 <= view["event_attributes"]["dwell_ms"] < 15_000


def test_half_of_a_card_for_half_a_second_is_an_impression(open_page: Any, server: Server) -> None:
    page = open_page("/?q=green")
    card = page.locator("#hits .card").first.bounding_box()
    for share in (0.3, 0.7):  # of the first row's cards, above the lower edge of the window
        fresh = page.context.new_page()
        fresh.set_viewport_size({"width": WIDE["width"], "height": round(card["y"] + share * card["height"])})
        fresh.goto(f"{server.url}/?q=green")
        query_id = fresh.locator(".layout").get_attribute("data-query-id")
        expected = look_around(fresh)
        assert bool(expected) == (share > 0.5)
        fresh.goto("about:blank")
        if expected:
            wait_until_told(server, expected)
        else:
            time.sleep(1)
            assert not told(server, {query_id})
        fresh.close()


def test_what_many_chose_is_popular_now(browser: Any, shop: Settings, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(shop.home, home)
    chosen = [f"{kind}-orange" for kind in ("ball", "box", "kite", "ring", "plate")]
    database = open_database(shop.model_copy(update={"home": home}))
    for client in ("a", "b", "c"):
        choose(database, *chosen, client_id=client)
    choose(database, "box-black", client_id="a")  # of one person alone nobody else is told
    database.close()
    with serving(home) as running:
        page = browser.new_context().new_page()
        strip = page.get_by_role("region", name="Popular now")
        for _ in range(50):  # behaviour is summed up beside the first searches
            page.goto(running.url)
            if strip.count():
                break
            page.wait_for_timeout(200)
        items = [card.get_attribute("data-item-id") for card in strip.locator("[data-item-id]").all()]
        assert sorted(items) == sorted(chosen)
        page.context.close()
