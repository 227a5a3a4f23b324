"""What the search page costs a browser: time to the first result, bytes, layout shift, complaints in the console.

    python benchmarks/page_budget.py HOME [--query "blue vase"] [--loads 7]

A real server on loopback, a fresh Chromium profile for each load. The budget: the first result painted within 300 ms,
at most 120 kB without pictures, a cumulative layout shift below 0.02, no complaint. HOME must be indexed. Chromium is
taken from $CHROMIUM or /usr/bin/chromium.
"""

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from http_latency import free_port, wait_until_ready
from playwright.sync_api import Browser, sync_playwright

BUDGET = {"first result, ms": 300.0, "without pictures, kB": 120.0, "layout shift": 0.02, "complaints": 0.0}
# the first card's picture is an element whose painting Chromium reports, its title one whose time the page knows
WATCH = """() => {
    window.shift = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
    }).observe({type: "layout-shift", buffered: true});
    const see = () => {
        const card = document.querySelector("[data-item-id]");
        if (card) requestAnimationFrame(() => requestAnimationFrame((now) => { window.seen = now; }));
        else requestAnimationFrame(see);
    };
    requestAnimationFrame(see);
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--query", default="blue vase")
    parser.add_argument("--loads", type=int, default=7)
    given = parser.parse_args()
    port = free_port()
    command = [Path(sys.executable).with_name("magpie"), "--home", given.home, "serve", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(port)
        address = f"http://127.0.0.1:{port}/?q={quote_plus(given.query)}"
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
                args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            )
            loads = [measure(browser, address) for _ in range(given.loads)]
            browser.close()
    finally:
        server.terminate()
        server.wait(30)
    for name, budget in BUDGET.items():
        values = sorted(load[name] for load in loads)
        median = statistics.median(values)
        verdict = "held" if median <= budget else "MISSED"
        print(f"{name}: {values[0]:.4g} to {values[-1]:.4g}, median {median:.4g}; budget {budget:g}: {verdict}")


def measure(browser: Browser, address: str) -> dict[str, float]:
    """One load with an empty cache, looked at for a second after it is complete."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    kinds: dict[str, str] = {}
    received: dict[str, float] = {}
    complaints: list[str] = []
    session.on("Network.responseReceived", lambda event: kinds.update({event["requestId"]: event["type"]}))
    session.on("Network.loadingFinished", lambda event: received.update(_size(event)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.add_init_script(f"({WATCH})()")
    page.goto(address, wait_until="networkidle")
    page.wait_for_timeout(1000)
    found = {
        "first result, ms": float(page.evaluate("window.seen")),
        "without pictures, kB": sum(size for key, size in received.items() if kinds.get(key) != "Image") / 1000,
        "layout shift": float(page.evaluate("window.shift")),
        "complaints": float(len(complaints)),
    }
    context.close()
    return found


def _size(event: dict[str, Any]) -> dict[str, float]:
    return {event["requestId"]: float(event["encodedDataLength"])}


if __name__ == "__main__":
    main()
