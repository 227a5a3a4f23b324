"""The insights page in a real browser: accessible in every state, readable on a phone, and all its plots load."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from magpie.data.database.connection import open_database
from magpie.data.settings import Settings
from magpie.web.insights.tables.by_name import TABLES
from tests.support.browsing import PHONE, WIDE, axe_violations, wait_until
from tests.support.insights_log import people, search
from tests.support.learned_home import teach
from tests.support.serving import Server, serving


@pytest.fixture(scope="module", params=["empty", "few", "learned"])
def server(request: Any, shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A shop without searches, one with those of too few people, and one that has something to tell everywhere."""
    home = tmp_path_factory.mktemp(f"insights-{request.param}") / "home"
    shutil.copytree(shop.home, home)
    own = shop.model_copy(update={"home": home})
    if request.param == "few":
        database = open_database(own)
        search(database, "red ball", people(4), clicked=1)
        database.close()
    if request.param == "learned":
        teach(own)
    with serving(home) as running:
        yield running


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_nothing_stands_in_anybody_s_way(browser: Any, server: Server, scheme: str, viewport: Any) -> None:
    context = browser.new_context(viewport=viewport, color_scheme=scheme)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(f"{server.url}/insights?days=90", wait_until="networkidle")
    for picture in page.locator("main img").all():
        picture.scroll_into_view_if_needed()
    wait_until(page, "[...document.images].every((one) => one.complete && one.naturalWidth > 0)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    told = {one.get_attribute("id") for one in page.locator(".figure").all()}
    assert "learned" not in str(server.home) or told == set(TABLES) - {"feed-runs"}  # no feed is named here
    assert "learned" not in str(server.home) or page.locator(".nothing-yet").all_inner_texts() == []
    for summary in page.locator("summary").all():
        summary.click()
    context.close()
    # axe is a script of another's, which the page's own policy would not let in
    context = browser.new_context(viewport=viewport, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(f"{server.url}/insights?days=90", wait_until="networkidle")
    found = axe_violations(page)
    context.close()
    assert found == []
    assert not complaints


def test_a_plot_fits_the_screen_and_its_colours(browser: Any, server: Server) -> None:
    asked: list[str] = []
    context = browser.new_context(viewport=PHONE, color_scheme="dark")
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{server.url}/insights", wait_until="networkidle")
    plots = [url for url in asked if "/plots/" in url]
    context.close()
    assert all("size=narrow" in url and "theme=dark" in url for url in plots)
    assert bool(plots) == ("learned" in str(Path(server.home)))


def test_the_period_is_one_click_away(browser: Any, server: Server) -> None:
    context = browser.new_context(viewport=WIDE, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server.url}/insights")
    page.get_by_role("link", name="Last 7 days").click()
    page.wait_for_url(f"{server.url}/insights?days=7")
    assert page.locator(".periods [aria-current]").inner_text() == "Last 7 days"
    context.close()
