"""Several workers of one server: what one knows the others know, one that dies is replaced, and all end together."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from magpie.data.database.connection import open_database
from magpie.data.events.event_log import EventLog
from magpie.data.settings import Settings
from tests.support.serving import Server, serving

WITHIN_S = 60.0
TOKEN = "the-owners-token-of-these-tests"
OWNER = {"Authorization": f"Bearer {TOKEN}"}


class Line(http.client.HTTPConnection):
    """A kept connection, which one worker answers."""

    def __init__(self, server: Server) -> None:
        super().__init__("127.0.0.1", server.port, timeout=WITHIN_S)
        self.ask("/healthz")
        self.worker = _worker_of(server, self.sock.getsockname()[1])

    def ask(self, path: str, method: str = "GET", body: object = None, **headers: str) -> tuple[int, bytes]:
        """(status, body) of the answer."""
        data = json.dumps(body).encode() if isinstance(body, dict | list) else body
        kind = {"Content-Type": "application/json"} if isinstance(body, dict | list) else {}
        self.request(method, path, data, {**kind, **headers})  # type: ignore[arg-type]
        answer = self.getresponse()
        self.location = answer.headers.get("Location", "")
        return answer.status, answer.read()


def workers_of(server: Server) -> set[int]:
    """The process ids of the workers."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return set(map(int, children.read_text().split()))


def _worker_of(server: Server, port: int) -> int:
    """The worker at the other end of a connection from this port."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = (f"0100007F:{server.port:04X}", f"0100007F:{port:04X}")
    (inode,) = [row[9] for row in rows if (row[1], row[2]) == ends]
    for pid in workers_of(server):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if str(descriptor.readlink()) == f"socket:[{inode}]":
                    return pid
            except FileNotFoundError:  # closed meanwhile
                continue
    raise AssertionError(f"nobody has the connection from port {port}")


def wait_until(claim: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not claim():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def lines_to_both(server: Server) -> list[Line]:
    """A line to each of two workers."""
    found: dict[int, Line] = {}
    deadline = time.monotonic() + WITHIN_S
    while len(found) < 2:
        assert time.monotonic() < deadline, "one worker takes all connections"
        line = Line(server)
        if found.setdefault(line.worker, line) is not line:
            line.close()
    return list(found.values())


@pytest.fixture(scope="module")
def server(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("workers") / "home"
    shutil.copytree(shop.home, home)
    with serving(home, MAGPIE_WORKERS="2", MAGPIE_API_TOKEN=TOKEN) as running:
        yield running


@pytest.fixture
def both(server: Server) -> Iterator[list[Line]]:
    lines = lines_to_both(server)
    yield lines
    for line in lines:
        line.close()


# ---- what one knows, the others know ----


def test_connections_are_shared_out_evenly(server: Server, both: list[Line]) -> None:
    lines = both + [Line(server) for _ in range(6)]
    counts = sorted([line.worker for line in lines].count(worker) for worker in workers_of(server))
    for line in lines:
        line.close()
    assert counts == [4, 4]


def test_a_change_through_one_is_found_through_the_other(both: list[Line]) -> None:
    one, other = both
    assert one.ask("/api/items/new", "PUT", {"title": "Xylograph"}, **OWNER)[0] in (200, 201)
    assert other.ask("/api/items/new")[0] == 200
    for line in both:
        wait_until(lambda line=line: b'"item_id":"new"' in line.ask("/api/search?q=xylograph")[1], "not searchable")  # type: ignore[misc]


def test_a_click_on_what_the_other_answered_is_known_for_one(both: list[Line]) -> None:
    one, other = both
    found = json.loads(one.ask("/api/search?q=red+ball")[1])
    hit = found["hits"][0]
    event = {"action_name": "click", "query_id": found["query_id"], "client_id": "c", "session_id": "s",
             "event_attributes": {"object": {"object_id": hit["item_id"]}, "position": {"ordinal": 1}}}  # fmt: skip
    status, answer = other.ask("/api/events", "POST", event)
    assert status == 200 and json.loads(answer)["accepted"] == 1 and not json.loads(answer).get("set_aside")


def test_a_picture_sent_to_one_can_be_named_to_the_other(both: list[Line]) -> None:
    one, other = both
    picture = BytesIO()
    Image.new("RGB", (80, 60), "red").save(picture, "PNG")
    body = (
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="p.png"\r\nContent-Type: image/png\r\n\r\n'
        + picture.getvalue()
        + b"\r\n--b--\r\n"
    )
    status, _ = one.ask("/", "POST", body, **{"Content-Type": "multipart/form-data; boundary=b"})
    name = one.location.partition("picture=")[2].partition("&")[0]
    assert status == 303 and name
    assert one.ask(f"/uploads/{name}") == other.ask(f"/uploads/{name}")
    assert other.ask(f"/?picture={name}")[0] == 200


def test_metrics_are_those_of_all(both: list[Line]) -> None:
    one, other = both

    def searches(line: Line) -> float:
        rows = line.ask("/metrics", **OWNER)[1].decode().splitlines()
        return sum(float(row.rpartition(" ")[2]) for row in rows if row.startswith("magpie_searches_total{"))

    before = searches(one)
    for line, times in ((one, 2), (other, 3)):
        for _ in range(times):
            assert line.ask("/api/search?q=ball")[0] == 200
    assert searches(one) == searches(other) == before + 5
    assert other.ask("/insights", **OWNER)[0] == 200


def test_limits_hold_over_all(own_shop: Settings) -> None:
    with serving(own_shop.home, MAGPIE_WORKERS="2", MAGPIE_RATE_LIMIT="6 per hour") as server:
        lines = lines_to_both(server)
        found = [line.ask("/api/search?q=ball")[0] for _ in range(6) for line in lines]
        for line in lines:
            line.close()
    assert found == [200] * 6 + [429] * 6


# ---- who dies, and the end ----


def test_one_that_dies_is_replaced_and_the_other_goes_on(server: Server, both: list[Line]) -> None:
    dying, staying = both
    os.kill(dying.worker, signal.SIGKILL)
    seen = 0
    while dying.worker in workers_of(server) or len(workers_of(server)) < 2:
        assert staying.ask("/api/search?q=ball")[0] == 200
        with closing(Line(server)) as newcomer:
            assert newcomer.ask("/api/search?q=ball")[0] == 200
        seen += 1
    assert seen
    lines = lines_to_both(server)
    assert {line.worker for line in lines} == workers_of(server)
    for line in lines:
        assert line.ask("/api/search?q=ball")[0] == 200
        line.close()


def test_at_the_end_all_finish_what_they_were_asked(own_shop: Settings) -> None:
    with serving(own_shop.home, MAGPIE_WORKERS="2", MAGPIE_THREADS="1") as server:
        lines = [Line(server) for _ in range(12)]
        for line in lines:
            line.request("GET", "/api/search?q=red+ball")
        time.sleep(0.01)
        server.process.terminate()
        assert [line.getresponse().status for line in lines] == [200] * 12
        assert server.process.wait(WITHIN_S) == 0
        for line in lines:
            line.close()
    with closing(open_database(own_shop)) as database:
        assert EventLog(database).counts()["queries"] >= 12


def test_when_the_server_is_killed_its_workers_end(own_shop: Settings) -> None:
    with serving(own_shop.home, MAGPIE_WORKERS="2") as server:
        workers = workers_of(server)
        server.process.kill()
        server.process.wait()
        wait_until(lambda: not any(_is_alive(pid) for pid in workers), "workers without a server")
    with serving(own_shop.home, port=server.port):
        pass


def _is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


SUPERVISED = """
import sys
from contextlib import closing
from magpie.data.errors import BadSetting, MagpieError
from magpie.web.server.supervisor import Supervisor
from magpie.web.shared.state import SharedState

def run(number):
    raise BadSetting("worker cannot begin")

with closing(SharedState.among(2)) as shared:
    try:
        Supervisor(shared, run).supervise()
    except MagpieError as error:
        sys.exit(f"ended: {error}")
"""


HANGING = """
import os, signal, sys, time
from contextlib import closing
from pathlib import Path
from magpie.web.server import supervisor
from magpie.web.shared.state import SharedState

begun = Path(sys.argv[1])
supervisor.SILENT_LOOKS = 20

def run(number):
    with begun.open("a") as file:
        print(number, file=file)
    shared.connections.count(number, 0)
    if begun.read_text().split().count("1") == 2:
        os.kill(os.getppid(), signal.SIGTERM)
    while number == 0:
        shared.connections.count(number, 0)
        time.sleep(0.01)
    time.sleep(60)

with closing(SharedState.among(2)) as shared:
    supervisor.Supervisor(shared, run).supervise()
"""


def test_one_that_hangs_is_replaced(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    command = [sys.executable, "-P", "-c", HANGING, str(begun)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S)
    assert done.returncode == 0 and "worker 1 has not turned" in done.stderr
    assert sorted(begun.read_text().split()) == ["0", "1", "1"]  # the other one was left alone


def test_a_server_whose_workers_cannot_begin_ends() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", SUPERVISED], capture_output=True, text=True, timeout=WITHIN_S)
    assert done.returncode == 1 and "ended: No worker could begin" in done.stderr
    assert "worker cannot begin" in done.stderr and "Traceback" not in done.stderr
