"""That all can use the page: axe finds no violation in any state, in light and in dark."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from magpie.data.settings import Settings
from tests.support.browsing import PHONE, WIDE, axe_violations, shown, wait_until
from tests.support.serving import Server, serving
from tests.web.page.test_page_extras import open_panel
from tests.web.page.test_search_page import picture_file

CHINESE = {"locale": "zh-CN"}
ON_A_PHONE = {"viewport": PHONE, "has_touch": True, "is_mobile": True}


def why(page: Any) -> None:
    open_panel(page, shown(page)[0])
    page.get_by_text("Why this result?").click()
    page.wait_for_selector("#card-reasons .why")


def picture_part(page: Any, shop: Settings) -> None:
    page.locator("#picture").set_input_files(picture_file(shop, "kite-green.jpg"))
    page.wait_for_selector("#crop")
    page.locator('[data-corner="se"]').press("ArrowLeft")
    wait_until(page, "location.search.includes('crop')")
    wait_until(page, "document.getElementById('results').getAttribute('aria-busy') === 'false'")


def suggestions(page: Any) -> None:
    page.get_by_role("searchbox").fill("re")
    page.wait_for_selector("#suggestions li")
    page.keyboard.press("ArrowDown")


def recent_searches(page: Any) -> None:
    page.get_by_role("searchbox").press("Enter")
    page.get_by_role("searchbox").fill("")
    page.wait_for_selector("#suggestions .is-recent")


def failure(page: Any) -> None:
    page.route("**/results*", lambda route: route.abort())
    page.get_by_role("searchbox").fill("blue")
    page.wait_for_selector("#toast:not([hidden])")


def late_answer(page: Any) -> None:
    page.route("**/results*", lambda route: None)
    page.get_by_role("searchbox").fill("blue")
    wait_until(page, "document.querySelector('#results.is-slow') !== null")


def places_to_come(page: Any) -> None:
    page.route("**/results*", lambda route: None)
    page.get_by_role("link", name="Show more").click()
    page.wait_for_selector("#hits .place")


def a_visit(page: Any) -> None:
    page.locator("#hits .card-main").first.click()
    page.wait_for_url("**/item?id=*")
    origin = page.url.split("/item")[0]
    for _ in range(50):  # the click is told beside the page
        page.goto(origin + "/")
        if page.locator(".strip").count():
            return
        page.wait_for_timeout(200)
    raise AssertionError("no strip takes up what was looked at")


def what_is_stored(page: Any) -> None:
    a_visit(page)
    page.goto(page.url.rstrip("/") + "/me")
    page.get_by_text("opened:").wait_for()


def phone_filters(page: Any) -> None:
    page.get_by_role("link", name="Filters").click()
    wait_until(page, "getComputedStyle(document.querySelector('.filters-close')).visibility === 'visible'")


def phone_pictures(page: Any) -> None:
    page.get_by_role("button", name="Search with a picture").tap()
    page.wait_for_selector("#picture-menu", state="visible")


def as_it_comes(page: Any) -> None:
    page.wait_for_load_state("networkidle")


# name: (address, options of the browser, what is done there)
STATES: dict[str, tuple[str, dict[str, Any], Callable[..., None]]] = {
    "start": ("/", {}, as_it_comes),
    "results": ("/?q=ball&filter=colour:Red&not=blue", {}, as_it_comes),
    "a card's panel and reasons": ("/?q=red+ball", {}, why),
    "strips": ("/?q=green+kite", {}, a_visit),
    "nothing": ("/?q=zzxqv+wqkjhd", {}, as_it_comes),
    "filters too many": ("/?q=ball&filter=price:9000..", {}, as_it_comes),
    "did you mean": ("/?q=yelow+ring", {}, as_it_comes),
    "suggestions": ("/", {}, suggestions),
    "recent searches": ("/?q=red", {}, recent_searches),
    "a failure": ("/", {}, failure),
    "a late answer": ("/", {}, late_answer),
    "more to come": ("/", {}, places_to_come),
    "like this, but": ("/?like=ball-red&q=in+blue", {"viewport": PHONE}, as_it_comes),
    "all values of a field": ("/values?field=colour&q=ball", {}, as_it_comes),
    "an item": ("/item?id=ball-red", {}, as_it_comes),
    "an item without a picture": ("/item?id=no-picture", {}, as_it_comes),
    "no such item": ("/item?id=nothing", {}, as_it_comes),
    "a forgotten picture": ("/?q=ball&picture=forgotten", {}, as_it_comes),
    "nobody's": ("/me", {}, as_it_comes),
    "what is stored": ("/?q=blue+kite", {}, what_is_stored),
    "filters on a phone": ("/?q=ball", ON_A_PHONE, phone_filters),
    "pictures on a phone": ("/", ON_A_PHONE, phone_pictures),
    "pictures on a phone, an item": ("/item?id=ball-red", ON_A_PHONE, phone_pictures),
    "Chinese": ("/?q=ball&filter=colour:Red", CHINESE, as_it_comes),
    "nothing, in Chinese": ("/?q=zzxqv+wqkjhd", CHINESE, as_it_comes),
    "for programs": ("/docs", {}, as_it_comes),
}


def look(browser: Any, address: str, scheme: str, options: dict[str, Any], act: Callable[[Any], None]) -> list[str]:
    """What axe says of the page at an address once this was done there."""
    settled = {"viewport": WIDE, "color_scheme": scheme, "reduced_motion": "reduce", "bypass_csp": True}
    context = browser.new_context(**settled | options)
    page = context.new_page()
    page.goto(address)
    act(page)
    found = axe_violations(page)
    page.unroute_all(behavior="ignoreErrors")
    context.close()
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_no_violation(browser: Any, server: Server, state: str, scheme: str) -> None:
    address, options, act = STATES[state]
    assert look(browser, server.url + address, scheme, options, act) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation_beside_a_picture(browser: Any, server: Server, shop: Settings, scheme: str) -> None:
    assert look(browser, server.url + "/?q=in+red", scheme, {}, lambda page: picture_part(page, shop)) == []


def test_axe_finds_no_violation_before_there_is_an_index(browser: Any, tmp_path: Path) -> None:
    with serving(tmp_path / "home") as running:
        for address in ("/", "/insights", "/insights?days=8"):
            assert look(browser, running.url + address, "light", {}, as_it_comes) == []
            assert look(browser, running.url + address, "dark", {}, as_it_comes) == []


def test_axe_sees_what_is_wrong(browser: Any, server: Server) -> None:
    """The tests above could fail."""
    spoil = """() => {
        document.querySelector(".brand").removeAttribute("aria-label");
        document.querySelector(".brand span").remove();
    }"""
    found = look(browser, server.url + "/", "light", {}, lambda page: page.evaluate(spoil))
    assert any(one.startswith("link-name") for one in found)
