"""Whether the server's memory stays flat, and whether it answers well again after being flooded.

    python -m benchmarks.soak HOME [--requests 200000] [--clients 4]

A real server on a copy of the home gets searches, searches by pictures, suggestions, items, events, pages and mistakes
in turn. After each tenth of the requests its memory is taken: RSS of all its processes, and what of that is its own
(anonymous), which is where a leak would show: pages of libraries come and go with what else runs on the machine. Then
twice as many connections as may wait ask at once, and one client alone before and after. Exit status 1 where RSS grew
by more than 5 % between the first tenth and the end.
"""

import argparse
import http.client
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from benchmarks.http_latency import free_port, make_queries, wait_until_ready

THREADS, MAX_WAITING, PARTS = 4, 128, 10
MOST_GROWTH = 0.05
BOUNDARY = "a-picture-of-the-soak"


def ask(line: http.client.HTTPConnection, method: str, address: str, body: object = None) -> tuple[int, bytes]:
    """(status, body) of one request on a line that is kept."""
    content = None if body is None else json.dumps(body)
    line.request(method, address, content, {"Content-Type": "application/json"} if content else {})
    answer = line.getresponse()
    return answer.status, answer.read()


def a_picture(chance: random.Random) -> tuple[bytes, str]:
    """A form with a picture of some size and format, and its content type."""
    out, kind = io.BytesIO(), chance.choice(["JPEG", "PNG", "WEBP"])
    side = chance.choice([64, 300, 800])
    Image.effect_noise((side, side), 60).convert("RGB").save(out, kind)
    head = 'Content-Disposition: form-data; name="image"; filename="x"\r\nContent-Type: application/octet-stream'
    body = f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + out.getvalue() + f"\r\n--{BOUNDARY}--\r\n".encode()
    return body, f"multipart/form-data; boundary={BOUNDARY}"


def use(port: int, queries: list[str], count: int, seed: int, found: Counter[int]) -> None:
    """So many requests of one client, counted by status."""
    chance = random.Random(seed)
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    query_id, item_id, pictures = "", "none", [a_picture(chance) for _ in range(12)]
    for number in range(count):
        words, kind = quote(chance.choice(queries)), number % 10
        if number % 20 == 1:
            content, content_type = pictures[number // 20 % len(pictures)]
            line.request("POST", "/api/search", content, {"Content-Type": content_type})
            answer = line.getresponse()
            status, _ = answer.status, answer.read()
        elif kind < 2:
            status, body = ask(line, "GET", f"/api/search?q={words}&k=10&client_id=c{chance.randrange(5000)}")
            told = json.loads(body)
            if told.get("hits"):
                query_id, item_id = told["query_id"], told["hits"][0]["item_id"]
        elif kind < 4:
            event = {
                "action_name": "view",
                "query_id": query_id,
                "event_attributes": {"object": {"object_id": item_id}},
            }
            status, _ = ask(line, "POST", "/api/events", [{**event, "event_id": f"{seed}-{number}"}])
        elif kind < 7:
            status, _ = ask(line, "GET", f"/api/suggest?q={words[:3]}")
        elif kind < 9:
            status, _ = ask(line, "GET", f"/api/items/{quote(item_id, safe='')}")
        else:
            status, _ = ask(line, "GET", chance.choice(["/api/nope", "/api/search?k=0", f"/?q={words}", "/readyz"]))
        found[status] += 1
    line.close()


def in_parallel(port: int, queries: list[str], count: int, clients: int, seed: int) -> Counter[int]:
    """The statuses of `count` requests of `clients` clients."""
    counts: list[Counter[int]] = [Counter() for _ in range(clients)]
    threads = [
        threading.Thread(target=use, args=(port, queries, count // clients, seed + n, counts[n]))
        for n in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts, Counter())


def median_ms(port: int, queries: list[str]) -> float:
    """The median time of 200 searches of one client."""
    line, times = http.client.HTTPConnection("127.0.0.1", port, timeout=120), []
    for words in queries[:200]:
        started = time.perf_counter()
        ask(line, "GET", f"/api/search?q={quote(words)}")
        times.append(1000 * (time.perf_counter() - started))
    return sorted(times)[len(times) // 2]


def memory_mb(pid: int) -> tuple[float, float]:
    """RSS and anonymous memory of a process and its children, in megabytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    sizes = {name: int(rest.split()[0]) * 1024 / 1e6 for name, rest in (line.split(":", 1) for line in lines[1:])}
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    below = [memory_mb(int(child)) for child in children]
    return sizes["Rss"] + sum(rss for rss, _ in below), sizes["Anonymous"] + sum(own for _, own in below)


def flood(port: int, queries: list[str]) -> tuple[Counter[int], float]:
    """The statuses of 5 searches on each of twice as many lines as may wait, and the slowest 503 in milliseconds."""
    found: Counter[int] = Counter()
    refused_ms: list[float] = []

    def ask_five(seed: int) -> None:
        line, chance = http.client.HTTPConnection("127.0.0.1", port, timeout=120), random.Random(seed)
        for _ in range(5):
            started = time.perf_counter()
            status, _ = ask(line, "GET", f"/api/search?q={quote(chance.choice(queries))}")
            found[status] += 1
            if status == 503:
                refused_ms.append(1000 * (time.perf_counter() - started))

    threads = [threading.Thread(target=ask_five, args=(n,)) for n in range(2 * (MAX_WAITING + THREADS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused_ms.sort()
    return found, refused_ms[len(refused_ms) // 2] if refused_ms else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--clients", type=int, default=4)
    given = parser.parse_args()
    queries, port = make_queries(given.home, 2_000), free_port()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        shutil.copytree(given.home, home)
        server = subprocess.Popen(
            [sys.executable, "-P", "-m", "magpie", "--home", home, "serve", "--port", str(port)],
            env={
                **os.environ,
                "MAGPIE_RATE_LIMIT": "100000 per second",
                "MAGPIE_THREADS": str(THREADS),
                "MAGPIE_TRUST_LOOPBACK": "1",
            },
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_until_ready(port)
            held: list[tuple[float, float]] = []
            done: Counter[int] = Counter()
            for part in range(PARTS):
                done += in_parallel(port, queries, given.requests // PARTS, given.clients, 1000 * part)
                held.append(memory_mb(server.pid))
                rss, own = held[-1]
                print(f"after {done.total():,} requests: RSS {rss:.1f} MB, own {own:.1f} MB", flush=True)
            rss, own = (last / first - 1 for first, last in zip(held[0], held[-1], strict=True))
            is_flat = rss <= MOST_GROWTH
            print(f"RSS {rss:+.1%}, own {own:+.1%} since the first tenth; {dict(done)}")
            alone = median_ms(port, queries)
            found, refused_ms = flood(port, queries)
            print(f"flood: {dict(found)}, a 503 takes {refused_ms:.1f} ms at the median of all clients")
            print(f"one client's search at the median: {alone:.1f} ms before, {median_ms(port, queries):.1f} ms after")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)
    sys.exit(0 if is_flat else 1)


if __name__ == "__main__":
    main()
