"""How many events a second are taken, and whether every acknowledged one is still there after a kill.

    python benchmarks/clicks/throughput.py [--events 20000] [--batch 100] [--clients 2] [--lines 50000]

A real server on a fresh home gets batches of clicks of many shoppers, as one shop's backend would send them; while they
come it is killed (SIGKILL). Then a file of searches and clicks is imported. Prints events a second, and how many of the
acknowledged events the log lacks: none may be.
"""

import argparse
import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from magpie.data.database.connection import open_database
from magpie.data.events.event_log import EventLog
from magpie.data.settings import Settings

MAGPIE = Path(sys.executable).with_name("magpie")
HITS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--lines", type=int, default=50_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        post(Path(folder), given.events, given.batch, given.clients)
    with tempfile.TemporaryDirectory() as folder:
        bring_in(Path(folder), given.lines)


def post(home: Path, number: int, batch: int, clients: int) -> None:
    """Posts until so many events are acknowledged, kills the server while more are under way, and counts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [MAGPIE, "--home", home, "serve", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    acknowledged: list[str] = []
    statuses: set[int] = set()

    def send(mine: int) -> None:
        line, at = http.client.HTTPConnection("127.0.0.1", port, timeout=60), 0
        try:
            while True:
                ids = [f"{mine}-{at + n}" for n in range(batch)]
                line.request("POST", "/api/events", json.dumps([click(id_) for id_ in ids]), JSON)
                answer = line.getresponse()
                answer.read()
                statuses.add(answer.status)
                if answer.status == 200:
                    acknowledged.extend(ids)
                at += batch
        except (OSError, http.client.HTTPException):
            pass  # the server was killed

    wait_until_alive(port)
    threads = [threading.Thread(target=send, args=(mine,)) for mine in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    while len(acknowledged) < number and server.poll() is None:
        time.sleep(0.01)
    took, done = time.perf_counter() - started, len(acknowledged)
    os.killpg(server.pid, signal.SIGKILL)
    for thread in threads:
        thread.join()
    server.wait()
    database = open_database(Settings(home=home))
    kept = {record.get("event_id") for record in EventLog(database).export()}
    database.close()
    missing = sum(id_ not in kept for id_ in acknowledged)
    print(f"HTTP, batches of {batch} by {clients} clients: {done / took:,.0f} events a second, answers {statuses}")
    print(f"after kill -9: {len(acknowledged):,} acknowledged, {len(kept):,} in the log, {missing} missing")


JSON = {"Content-Type": "application/json"}


def click(id_: str) -> dict[str, object]:
    """A click of one of a thousand shoppers on a search that another system answered."""
    shopper = f"shopper-{hash(id_) % 1_000}"
    about = {"object": {"object_id": f"item-{hash(id_) % 5_000}"}, "position": {"ordinal": 1}}
    return {"action_name": "click", "event_id": id_, "client_id": shopper, "query_id": f"q-{id_}"} | {
        "event_attributes": about
    }


def wait_until_alive(port: int) -> None:
    for _ in range(600):
        try:
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            line.request("GET", "/healthz")
            if line.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


def cpu_of_children() -> float:
    """Seconds of CPU that ended child processes took so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def bring_in(home: Path, number: int) -> None:
    """Imports so many searches, each with a click."""
    path = home / "log.ndjson"
    with path.open("w", encoding="utf-8") as file:
        for n in range(number):
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_790_000_000 + 30 * n))
            who = {"query_id": f"s{n}", "client_id": f"shopper-{n % 9_973}", "timestamp": stamp}
            shown = [f"item-{(n * 7 + k) % 5_000}" for k in range(HITS)]
            file.write(json.dumps(who | {"user_query": f"query {n % 500}", "query_response_hit_ids": shown}) + "\n")
            about = {"object": {"object_id": shown[n % HITS]}, "position": {"ordinal": n % HITS + 1}}
            file.write(json.dumps(who | {"action_name": "click", "event_attributes": about}) + "\n")
    started, cpu_before = time.perf_counter(), cpu_of_children()
    done = subprocess.run(
        [MAGPIE, "--home", home, "events", "import", path, "--json"], capture_output=True, text=True, check=True
    )
    took = time.perf_counter() - started
    cpu = cpu_of_children() - cpu_before
    print(f"import: {2 * number / took:,.0f} records a second ({number * HITS / took:,.0f} hits shown),", end=" ")
    print(f"{2 * number / cpu:,.0f} a second of CPU")
    print(done.stdout.strip())


if __name__ == "__main__":
    main()
