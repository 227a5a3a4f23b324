"""How long a search takes over HTTP: a real server on a given home, one client, then several.

    python benchmarks/http_latency.py HOME [--requests 2000] [--clients 1 4 8] [--workers N|auto]

Queries are made of the home's own phrases, and none is asked twice, not even to warm up: the vectors of queries are
remembered. Prints percentiles in milliseconds, requests a second, and the server's memory. The home must have an index
(`magpie index rebuild`). The clients are threads of one Python process, which takes a good part of a core by itself.
"""

import argparse
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from magpie.search.evaluation.latency_benchmark import draw_queries

WARM_UP = 200  # requests before each measurement


class Line:
    """A kept connection to the server: http.client takes .3 ms for the headers of an answer, which would count."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, address: str) -> int:
        """The status of the answer, which is read to its end."""
        self._socket.sendall(f"GET {address} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        answer = self._read()
        while b"\r\n\r\n" not in answer:
            answer += self._read()
        head, _, body = answer.partition(b"\r\n\r\n")
        missing = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]) - len(body)
        while missing > 0:
            missing -= len(self._read())
        return int(head.split()[1])

    def _read(self) -> bytes:
        some = self._socket.recv(65_536)
        if not some:
            raise SystemExit("the server closed the connection")
        return some

    def close(self) -> None:
        self._socket.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--workers", default="1")
    arguments = parser.parse_args()
    rounds = len(arguments.clients)
    queries = iter(make_queries(arguments.home, rounds * (WARM_UP + arguments.requests)))
    port = free_port()
    command = [Path(sys.executable).with_name("magpie"), "--home", arguments.home, "serve", "--port", str(port)]
    command += ["--workers", arguments.workers]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(port)
        for clients in arguments.clients:
            measure(port, list(islice(queries, WARM_UP)), clients)
            found = measure(port, list(islice(queries, arguments.requests)), clients)
            report(f"{clients} client{'s' * (clients > 1)}", *found)
        print(f"server memory: {memory_mb(server.pid):.0f} MB in all its processes")
    finally:
        server.terminate()
        server.wait(30)


def make_queries(home: Path, count: int) -> list[str]:
    """So many queries of the phrases of the current generation, each another one."""
    current = (home / "CURRENT").read_text().strip()
    phrases = json.loads((home / "generations" / current / "phrases.json").read_text())
    drawn = dict.fromkeys(draw_queries([phrase for phrase, _ in phrases], 4 * count))
    if len(drawn) < count:
        raise SystemExit(f"{home}: its phrases make {len(drawn)} different queries; {count} are needed")
    return list(drawn)[:count]


def measure(port: int, queries: list[str], clients: int) -> tuple[list[float], float]:
    """Seconds of each request, and of the whole run; each client keeps its connection."""
    took: list[float] = []

    def ask(mine: list[str]) -> None:
        with closing(Line(port)) as line:
            for query in mine:
                started = time.perf_counter()
                status = line.get(f"/api/search?k=10&q={quote(query)}")
                took.append(time.perf_counter() - started)
                if status != 200:
                    raise SystemExit(f"{query!r} was answered with status {status}")

    threads = [threading.Thread(target=ask, args=(queries[n::clients],)) for n in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took, time.perf_counter() - started


def report(name: str, took: list[float], whole_s: float) -> None:
    ordered = sorted(1000 * t for t in took)
    p50, p90, p99 = (ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.9, 0.99))
    print(f"{name}: p50 {p50:.1f} ms, p90 {p90:.1f} ms, p99 {p99:.1f} ms, {len(took) / whole_s:.0f} requests a second")


def wait_until_ready(port: int) -> None:
    for _ in range(600):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("the server was not ready within a minute")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def memory_mb(pid: int) -> float:
    """Memory of a process and its children in megabytes; what several of them share is counted once (PSS)."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    own = next(line for line in lines if line.startswith("Pss:"))
    return int(own.split()[1]) * 1024 / 1e6 + sum(memory_mb(int(child)) for child in children)


if __name__ == "__main__":
    main()
