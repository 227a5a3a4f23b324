"""A visit in a browser of a Magpie that stands below a path of a site: no request leaves the path."""

import shutil
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from magpie.data.settings import Settings
from tests.support.browsing import shown, wait_for_first, wait_until
from tests.support.serving import serving
from tests.web.api.test_api import stored
from tests.web.page.test_search_page import picture_file

BELOW = "/shop/search"
PICTURES = "[...document.querySelectorAll('[data-item-id] img')].filter((one) => one.naturalWidth).length"


def test_a_visit_below_a_path_stays_below_it(browser: Any, shop: Settings, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(shop.home, home)
    with serving(home, MAGPIE_BASE_PATH=BELOW) as server:
        page = browser.new_page()
        answers: list[tuple[str, int]] = []
        page.on("response", lambda one: answers.append((urlsplit(one.url).path, one.status)))
        page.goto(f"{server.url}{BELOW}/")
        page.get_by_role("searchbox").fill("red ball")
        page.get_by_role("searchbox").press("Enter")
        wait_for_first(page, "ball-red")
        wait_until(page, f"{PICTURES} >= 4")
        page.locator("[data-item-id] .card-main").first.click()
        page.wait_for_url(f"**{BELOW}/item?id=ball-red")
        page.locator("#picture").set_input_files(picture_file(shop, "kite-green.jpg"))
        page.wait_for_url(f"**{BELOW}/?picture=*")
        wait_for_first(page, "kite-green")
        assert len(shown(page)) >= 4
        page.close()
        deadline = time.monotonic() + 10
        while not any(one.get("action_name") == "click" for one in stored(Settings(home=home))):
            assert time.monotonic() < deadline, "the click did not arrive"
            time.sleep(0.1)
    assert len(answers) > 10
    assert [one for one in answers if not one[0].startswith(f"{BELOW}/") or one[1] >= 400] == []
