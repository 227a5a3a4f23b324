"""The screenshots of README and docs, made again from the demo shop.

    python benchmarks/screenshots.py HOME

HOME is a copy of the indexed demo (`magpie --home HOME demo --no-serve`): made-up searches of 40 days go into its log,
so that the insights have something to tell. Writes into docs/images. Chromium is taken from $CHROMIUM or
/usr/bin/chromium.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from http_latency import free_port, wait_until_ready
from insights import fill_log
from playwright.sync_api import Page, sync_playwright

from magpie.data.settings import Settings
from magpie.web.app import create_app

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WIDE = {"width": 1280, "height": 800}
SEARCHES, DAYS = 4_000, 40


def nothing(page: Page) -> None:
    """The page as it comes."""


def add_picture(page: Page) -> None:
    """Searches with the picture of the first hit, which stays beside the words."""
    picture = page.request.get(page.locator(".card img").first.evaluate("(one) => one.src.replace(/&w=\\d+/, '')"))
    page.get_by_role("searchbox").fill("in red")
    page.locator("#picture").set_input_files(
        {"name": "picture.jpg", "mimeType": picture.headers["content-type"], "buffer": picture.body()}
    )
    page.wait_for_selector("#crop")


def open_reasons(page: Page) -> None:
    """Says why the first hit is there."""
    page.locator(".card").first.hover()
    page.locator("[data-panel]").first.click()
    page.get_by_text("Why this result?").click()
    page.wait_for_selector("#card-reasons .why")


@dataclass(frozen=True)
class Shot:
    """What is to be seen at an address, how the browser is set up, and what is done there before."""

    address: str
    options: dict[str, Any] = field(default_factory=lambda: {"viewport": WIDE})
    act: Callable[[Page], None] = nothing


PHONE = {"viewport": {"width": 390, "height": 780}, "is_mobile": True, "has_touch": True, "device_scale_factor": 1.5}
SHOTS = {
    "search.png": Shot("/?q=striped+cushion"),
    "picture-and-words.jpg": Shot("/?q=blue+glass+vase", act=add_picture),
    "why.jpg": Shot("/?q=blue+glass+vase", {"viewport": {"width": 900, "height": 620}}, open_reasons),
    "phone-dark.jpg": Shot("/?q=table+lamp", {**PHONE, "color_scheme": "dark"}),
    "insights.jpg": Shot("/insights", {"viewport": {"width": 1280, "height": 1150}}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--only", choices=SHOTS, help="make one of them")
    given, port = parser.parse_args(), free_port()
    make_up_searches(given.home)
    command = [
        Path(sys.executable).with_name("magpie"),
        "--home",
        given.home,
        "serve",
        "--trust-loopback",
        "--port",
        str(port),
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(port)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
                args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            )
            for name in [given.only] if given.only else SHOTS:
                shot = SHOTS[name]
                page = browser.new_context(**shot.options).new_page()
                page.goto(f"http://127.0.0.1:{port}{shot.address}", wait_until="networkidle")
                shot.act(page)
                page.wait_for_load_state("networkidle")
                page.wait_for_timeout(500)
                kind = {"type": "png"} if name.endswith(".png") else {"type": "jpeg", "quality": 80}
                page.screenshot(path=IMAGES / name, **kind)  # type: ignore[arg-type]
                page.context.close()
            browser.close()
    finally:
        server.terminate()
        server.wait(30)


def make_up_searches(home: Path) -> None:
    """Fills the log once."""
    app = create_app(Settings(home=home))
    opened = app.extensions["magpie"]
    if not any(True for _ in opened.event_log.export()):
        fill_log(opened, SEARCHES, DAYS)
    opened.close()


if __name__ == "__main__":
    main()
