"""The README's screenshot, made again from the demo shop.

    python benchmarks/screenshots.py HOME

HOME holds the indexed demo (`magpie --home HOME demo --no-serve`). Writes docs/images/search.png. Chromium is taken
from $CHROMIUM or /usr/bin/chromium.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from http_latency import free_port, wait_until_ready
from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SHOTS = {"search.png": "/?q=striped+cushion"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    home, port = parser.parse_args().home, free_port()
    command = [Path(sys.executable).with_name("magpie"), "--home", home, "serve", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(port)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
                args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            )
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            for name, address in SHOTS.items():
                page.goto(f"http://127.0.0.1:{port}{address}", wait_until="networkidle")
                page.screenshot(path=IMAGES / name)
            browser.close()
    finally:
        server.terminate()
        server.wait(30)


if __name__ == "__main__":
    main()
