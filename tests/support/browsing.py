"""One Chromium and one server for all tests of the page, and how those read what is shown."""

import importlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn
from urllib.parse import parse_qs, urlsplit

import pytest

from magpie.data.settings import Settings
from tests.support.serving import Server, serving

CHROMIUM = next(
    (
        path
        for path in (os.environ.get("CHROMIUM"), "/usr/bin/chromium", "/usr/bin/google-chrome")
        if path and Path(path).exists()
    ),
    None,
)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def do_without(reason: str) -> NoReturn:
    """Skips what needs another program, loudly; fails where CI says that it is there."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _needed(name: str, reason: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        do_without(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = _needed("playwright.sync_api", "PLAYWRIGHT IS NOT INSTALLED: THE PAGE IS NOT TESTED")
    with sync_api.sync_playwright() as playwright:
        try:
            opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        except sync_api.Error as error:
            do_without(f"CHROMIUM CANNOT BE STARTED: THE PAGE IS NOT TESTED ({str(error)[:200]})")
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def server(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("page") / "home"
    shutil.copytree(shop.home, home)
    with serving(home) as running:
        yield running


@pytest.fixture
def open_page(browser: Any, server: Server) -> Iterator[Any]:
    """open_page(address, **context) opens one; afterwards none may have complained, or asked for anything elsewhere."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_it(address: str = "/", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": WIDE, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                complaints.append(request.url) if not request.url.startswith((server.url, "data:", "blob:")) else None
            ),
        )
        page.goto(server.url + address)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not complaints


def axe_violations(page: Any) -> list[str]:
    """What axe-core says of the page as it is, one line for each element that it complains about."""
    page.wait_for_load_state("domcontentloaded")
    axe = _needed("axe_playwright_python.sync_playwright", "AXE IS NOT INSTALLED: ACCESS IS NOT TESTED")
    found = axe.Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html'][:200]} {node['failureSummary']}" for one in found for node in one["nodes"]]


def shown(page: Any) -> list[str]:
    """The items in the page's order, once it has been read to its end: a click on a link waits only for its start."""
    page.wait_for_load_state("domcontentloaded")
    return [one.get_attribute("data-item-id") for one in page.query_selector_all("[data-item-id]")]


def wait_until(page: Any, script: str) -> None:
    """Waits until the expression holds; asked from here, since the page's own policy forbids to evaluate texts."""
    deadline = time.monotonic() + 15
    while not page.evaluate(script):
        assert time.monotonic() < deadline, f"not within 15 s at {page.url}: {script}; shown: {shown(page)[:5]}"
        page.wait_for_timeout(50)


def wait_for_first(page: Any, item_id: str) -> None:
    wait_until(page, f"document.querySelector('[data-item-id]')?.dataset.itemId === '{item_id}'")


def asked(page: Any) -> dict[str, list[str]]:
    """What the page's address asks, once the page has been read to its end, as above."""
    page.wait_for_load_state("domcontentloaded")
    return parse_qs(urlsplit(page.url).query)
