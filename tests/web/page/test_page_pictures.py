"""Searching with pictures in a browser: beside words and filters, on phones, from an item's page, a part of one."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from magpie.data.settings import Settings
from tests.support.browsing import (
    ARGUMENTS,
    CHROMIUM,
    PHONE,
    WIDE,
    asked,
    axe_violations,
    shown,
    wait_for_first,
    wait_until,
)
from tests.support.serving import Server, free_port, serving
from tests.web.page.test_search_page import picture_file

ON_A_PHONE = {"viewport": PHONE, "has_touch": True, "is_mobile": True}


def test_a_picture_joins_the_words_and_filters_that_are_there(open_page: Any, shop: Settings) -> None:
    page = open_page("/?filter=kind:ball&filter=kind:kite")
    page.get_by_role("searchbox").fill("in red")  # and at once, before the words are searched for
    page.locator("#picture").set_input_files(picture_file(shop, "kite-green.jpg"))
    page.wait_for_selector("#crop")
    found = asked(page)
    assert found.pop("picture") and found == {"q": ["in red"], "filter": ["kind:ball", "kind:kite"]}
    assert page.get_by_role("searchbox").input_value() == "in red"
    page.wait_for_timeout(500)
    assert page.locator("#suggestions").is_hidden()  # they would lie over the picture
    wait_for_first(page, "kite-red")
    composed = shown(page)
    assert all(item.startswith(("ball-", "kite-")) for item in composed)
    page.reload()
    assert shown(page) == composed
    page.get_by_role("link", name="Search without the picture").click()
    wait_until(page, "!location.search.includes('picture')")
    assert asked(page) == {"q": ["in red"], "filter": ["kind:ball", "kind:kite"]}


def test_without_scripts_a_picture_joins_what_was_searched(open_page: Any, shop: Settings) -> None:
    page = open_page("/?q=in+red&filter=kind:kite", java_script_enabled=False)
    page.locator("#picture").set_input_files(picture_file(shop, "kite-green.jpg"))
    page.get_by_role("button", name="Search with this picture").click()
    found = asked(page)
    assert found.pop("picture") and found == {"q": ["in red"], "filter": ["kind:kite"]}
    assert shown(page)[0] == "kite-red"


@pytest.mark.parametrize("address", ["/", "/item?id=ball-red"])
@pytest.mark.parametrize("way", ["Take a photo", "Choose a picture"])
def test_a_phone_offers_its_camera_and_its_pictures(open_page: Any, shop: Settings, address: str, way: str) -> None:
    page = open_page(address, **ON_A_PHONE)
    assert page.locator("#picture-form").is_hidden()
    page.get_by_role("button", name="Search with a picture").tap()
    page.get_by_label(way).set_input_files(picture_file(shop, "kite-green.jpg"))
    page.wait_for_url("**/?picture=*")
    wait_for_first(page, "kite-green")
    assert page.locator("#picture-menu").is_hidden()


def test_a_desktop_photographs_with_its_own_camera(browser: Any, server: Server) -> None:
    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with browser.browser_type.launch(executable_path=CHROMIUM, args=ARGUMENTS + fake) as seeing:
        page = seeing.new_page(viewport=WIDE)
        page.goto(server.url)
        page.wait_for_selector("body.has-webcam")
        assert page.locator("#picture-form").is_hidden()
        for _ in range(2):
            page.get_by_role("button", name="Search with a picture").click()
            page.get_by_label("Take a photo").click()
            wait_until(page, "document.querySelector('#webcam video').videoWidth > 0")
            page.keyboard.press("Escape")
            wait_until(page, "document.querySelector('#webcam video').srcObject === null")  # its light goes out
        page.get_by_role("button", name="Search with a picture").click()
        page.get_by_label("Take a photo").click()
        wait_until(page, "document.querySelector('#webcam video').videoWidth > 0")
        assert not axe_violations(page)
        page.get_by_role("button", name="Take a photo").click()
        page.wait_for_url("**/?picture=*")
        assert len(shown(page)) > 0 and page.locator("#webcam").is_hidden()


def test_from_an_item_s_page_a_picture_takes_the_typed_words_along(open_page: Any, shop: Settings) -> None:
    page = open_page("/item?id=ball-red")
    page.get_by_role("searchbox").fill("in red")
    page.locator("#picture").set_input_files(picture_file(shop, "kite-green.jpg"))
    page.wait_for_url("**/?q=in+red&picture=*")
    assert shown(page)[0] == "kite-red"


def test_a_picture_is_dropped_on_an_item_s_page(open_page: Any, shop: Settings) -> None:
    page = open_page("/item?id=ball-red")
    content = list(Path(picture_file(shop, "box-yellow.jpg")).read_bytes())
    with page.expect_navigation():
        page.evaluate(
            """(content) => {
                const given = new DataTransfer();
                given.items.add(new File([new Uint8Array(content)], "x.jpg", { type: "image/jpeg" }));
                const about = { dataTransfer: given, bubbles: true, cancelable: true };
                for (const kind of ["dragenter", "dragover", "drop"])
                    document.body.dispatchEvent(new DragEvent(kind, about));
            }""",
            content,
        )
    assert asked(page)["picture"] and shown(page)[0] == "box-yellow"


def test_a_corner_is_dragged_and_a_thing_is_tapped(open_page: Any, shop: Settings) -> None:
    page = open_page("/")
    page.locator("#picture").set_input_files(picture_file(shop, "kite-green.jpg"))
    page.wait_for_selector("#crop")
    box = page.locator("#crop").bounding_box()
    at = lambda x, y: (box["x"] + x * box["width"], box["y"] + y * box["height"])  # noqa: E731
    page.mouse.move(*at(1, 1))
    page.mouse.down()
    for part in (0.9, 0.8, 0.7, 0.6):
        page.mouse.move(*at(part, part))
    assert "crop" not in asked(page)  # it is searched when let go
    page.mouse.up()
    wait_until(page, "location.search.includes('crop=0-0-60-60')")
    assert page.evaluate("document.getElementById('crop').dataset.part") == "0-0-60-60"
    wait_until(page, "document.querySelector('h1').textContent === 'What looks like this part of your picture'")
    page.mouse.click(*at(0.5, 0.5))
    wait_until(page, "location.search.includes('crop=30-30-70-70')")


def test_a_restart_forgets_the_picture_and_the_page_says_so_with_a_way_on(
    browser: Any, shop: Settings, tmp_path: Path
) -> None:
    home, port = tmp_path / "home", free_port()
    shutil.copytree(shop.home, home)
    page = browser.new_context().new_page()  # the browser itself reports the 404 in its console
    with serving(home, port) as running:
        page.goto(f"{running.url}/?q=red+ball&filter=kind:ball")
        page.locator("#picture").set_input_files(picture_file(shop, "ball-green.jpg"))
        page.wait_for_selector("#crop")
    with serving(home, port):
        before = shown(page)
        page.locator('.value[data-key="kind:kite"]').click()
        page.wait_for_selector("#toast:not([hidden])")
        assert "no longer kept" in page.locator("#toast").inner_text() and shown(page) == before
        page.reload()
        assert "no longer kept" in page.locator("main").inner_text()
        page.get_by_role("link", name="Search without the picture").click()
        assert asked(page) == {"q": ["red ball"], "filter": ["kind:ball", "kind:kite"]}
        assert shown(page)[0] == "ball-red"
    page.context.close()
