"""What the search page costs a browser: time to the first result, bytes, layout shift, complaints in the console.

    python benchmarks/page_budget.py HOME [--query "blue vase"] [--loads 7]

A real server on loopback and a running Chromium with an empty cache: each load is in a new profile, whose tab has shown
another page of this server before, so that starting the tab's process is not counted. Times count from the navigation
to the frame in which Chromium painted the first result's title (Element Timing), and the largest thing on the screen,
a picture (Largest Contentful Paint). The budget: the first result visible within 300 ms, at most 120 kB without
pictures, a cumulative layout shift below 0.02, no complaint. HOME must be indexed. Chromium is taken from $CHROMIUM or
/usr/bin/chromium.
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
from playwright.sync_api import Browser, Page, sync_playwright

BUDGET = {
    "first result, ms": 300.0,
    "largest picture, ms": None,
    "without pictures, kB": 120.0,
    "layout shift": 0.02,
    "complaints": 0.0,
}
WATCH = """() => {
    window.shift = 0;
    window.painted = {};
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
    }).observe({type: "layout-shift", buffered: true});
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.painted[entry.identifier] ??= entry.renderTime;
    }).observe({type: "element", buffered: true});
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.painted.largest = entry.startTime;
    }).observe({type: "largest-contentful-paint", buffered: true});
    new MutationObserver((_, watcher) => {
        const card = document.querySelector("[data-item-id]");
        if (!card?.querySelector(".card-title")) return;
        watcher.disconnect();
        card.querySelector(".card-title").setAttribute("elementtiming", "title");
    }).observe(document, {childList: true, subtree: true});
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
        base, path = f"http://127.0.0.1:{port}", f"/?q={quote_plus(given.query)}"
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
                args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            )
            loads = [measure(browser, base, path) for _ in range(given.loads)]
            browser.close()
    finally:
        server.terminate()
        server.wait(30)
    for name, budget in BUDGET.items():
        values = sorted(load[name] for load in loads)
        median = statistics.median(values)
        verdict = "" if budget is None else f"; budget {budget:g}: {'held' if median <= budget else 'MISSED'}"
        print(f"{name}: {values[0]:.4g} to {values[-1]:.4g}, median {median:.4g}{verdict}")


def measure(browser: Browser, base: str, path: str) -> dict[str, float]:
    """One load with an empty cache, looked at for a second after it is complete."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.goto(f"{base}/healthz")
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    kinds: dict[str, str] = {}
    received: dict[str, float] = {}
    complaints: list[str] = []
    session.on("Network.responseReceived", lambda event: kinds.update({event["requestId"]: event["type"]}))
    session.on("Network.loadingFinished", lambda event: received.update(_size(event)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.add_init_script(f"({WATCH})()")
    page.goto(base + path, wait_until="networkidle")
    page.wait_for_timeout(1000)
    found = {
        "first result, ms": painted(page, "title"),
        "largest picture, ms": painted(page, "largest"),
        "without pictures, kB": sum(size for key, size in received.items() if kinds.get(key) != "Image") / 1000,
        "layout shift": float(page.evaluate("window.shift")),
        "complaints": float(len(complaints)),
    }
    context.close()
    return found


def painted(page: Page, part: str) -> float:
    """When it was painted, in milliseconds since the navigation began."""
    for _ in range(50):
        if found := page.evaluate(f"window.painted.{part}"):
            return float(found)
        page.wait_for_timeout(100)  # Chromium reports it some time after
    raise SystemExit(f"{part}: Chromium tells of no painting within five seconds")


def _size(event: dict[str, Any]) -> dict[str, float]:
    return {event["requestId"]: float(event["encodedDataLength"])}


if __name__ == "__main__":
    main()
