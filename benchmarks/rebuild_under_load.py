"""How much slower searches are while the whole index is rebuilt beside the server: at rest, meanwhile, at the exchange.

    python benchmarks/rebuild_under_load.py HOME [--rate 20] [--rest-s 30] [--full]

Works on a copy of HOME, which must have an index. Searches go out at a fixed rate, whether or not the one before is
answered. Prints percentiles in milliseconds, and how many requests failed.
"""

import argparse
import http.client
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from urllib.parse import quote

from http_latency import free_port, make_queries, wait_until_ready

EXCHANGE_S = 5.0  # after the rebuild's end, in which the server takes the new generation up
CLIENTS = 8


@dataclass(frozen=True)
class Answer:
    """One request: when it was due and how long the answer took from then, in seconds; whether it failed."""

    due: float
    took_s: float
    failed: bool


class Load:
    """Searches at a fixed rate; each is timed from the moment at which it was due, so that a stall counts in full."""

    def __init__(self, port: int, queries: list[str], rate: float) -> None:
        self._port, self._queries, self._rate = port, cycle(queries), rate
        self.answers: list[Answer] = []
        self._local = threading.local()

    def run(self, until: Callable[[], bool]) -> None:
        """Sends until told to stop, and waits for the last answers."""
        due = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as clients:
            while not until():
                clients.submit(self._ask, next(self._queries), due)
                due += 1 / self._rate
                time.sleep(max(0.0, due - time.perf_counter()))

    def _ask(self, query: str, due: float) -> None:
        failed = True
        try:
            if not hasattr(self._local, "connection"):
                self._local.connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
            self._local.connection.request("GET", f"/api/search?k=10&q={quote(query)}")
            answer = self._local.connection.getresponse()
            answer.read()
            failed = answer.status != 200
        except (OSError, http.client.HTTPException):
            del self._local.connection
        self.answers.append(Answer(due, time.perf_counter() - due, failed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--rate", type=float, default=20.0, help="searches a second")
    parser.add_argument("--rest-s", type=float, default=30.0)
    parser.add_argument("--full", action="store_true", help="encode everything anew")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        shutil.copytree(arguments.home, home)
        measure(home, arguments.rate, arguments.rest_s, ["--full"] if arguments.full else [])


def measure(home: Path, rate: float, rest_s: float, options: list[str]) -> None:
    """Serves, searches, rebuilds, and prints."""
    magpie = [sys.executable, "-P", "-m", "magpie", "--home", str(home)]
    queries, port = make_queries(home, 2000), free_port()
    server = subprocess.Popen([*magpie, "serve", "--port", str(port)], stdout=subprocess.DEVNULL)
    try:
        wait_until_ready(port)
        at_rest(port, queries, rate, 5.0)  # warm-up
        rest = at_rest(port, queries, rate, rest_s)
        usual = report("at rest", rest)
        load = Load(port, queries, rate)
        started = time.perf_counter()
        command = ["nice", "-n", "19", *magpie, "index", "rebuild", "--json", *options]  # as the server starts it
        rebuild = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        ended: list[float] = []

        def is_over() -> bool:
            if not ended and rebuild.poll() is not None:
                ended.append(time.perf_counter())
            return bool(ended) and time.perf_counter() > ended[0] + EXCHANGE_S

        load.run(is_over)
        if rebuild.returncode:
            raise SystemExit("the rebuild failed")
        print(f"the rebuild took {ended[0] - started:.0f} s")
        meanwhile = report("during the rebuild", [one for one in load.answers if one.due <= ended[0]])
        report(f"the {EXCHANGE_S:.0f} s after", [one for one in load.answers if one.due > ended[0]])
        print(f"p99 during the rebuild: {meanwhile / usual:.1f} times that at rest")
    finally:
        server.terminate()
        server.wait(30)


def at_rest(port: int, queries: list[str], rate: float, seconds: float) -> list[Answer]:
    load, end = Load(port, queries, rate), time.perf_counter() + seconds
    load.run(lambda: time.perf_counter() > end)
    return load.answers


def report(name: str, answers: list[Answer]) -> float:
    """Prints one line, and returns the 99th percentile in milliseconds."""
    ordered = sorted(1000 * one.took_s for one in answers)
    p50, p90, p99 = (ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.9, 0.99))
    failed = sum(one.failed for one in answers)
    print(
        f"{name}: {len(answers)} searches, p50 {p50:.1f} ms, p90 {p90:.1f} ms, p99 {p99:.1f} ms, "
        f"most {ordered[-1]:.1f} ms, {failed} failed",
        flush=True,
    )
    return p99


if __name__ == "__main__":
    main()
