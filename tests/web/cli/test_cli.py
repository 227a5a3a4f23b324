"""The command line: what it prints for people and programs, its exit statuses, and its messages."""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from magpie.data.settings import Settings
from magpie.web.cli import main as cli
from magpie.web.cli import serve as cli_serve
from magpie.web.cli.main import DONE, FAILED, WRONG_USAGE
from tests.support.serving import COMMAND, free_port, serving

Run = Callable[..., Any]
DEMO_FEED = cli_serve.DEMO / "catalog.csv"
COMMANDS = (
    ["demo"], ["catalog", "import"], ["catalog", "stats"], ["catalog", "export"], ["catalog", "conflicts"],
    ["catalog", "label"],
    ["index", "rebuild"], ["index", "status"], ["index", "verify"], ["index", "rollback"], ["index", "prune"],
    ["search"], ["recommend"], ["serve"], ["events", "import"], ["events", "export"], ["events", "purge"],
    ["events", "forget"], ["report", "exposure"], ["report", "comparison"], ["train", "encoder"], ["evaluate"],
    ["bench"],
    ["token", "create"], ["token", "list"], ["token", "revoke"], ["token", "link"],
    ["suggestions", "block"], ["suggestions", "unblock"], ["suggestions", "list"], ["migrate"],
)  # fmt: skip


@pytest.fixture
def magpie(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Run:
    """magpie("catalog", "stats", home=…, status=DONE) → what it printed: a value with --json, else (stdout, stderr)."""

    def run(*words: object, home: Path | None = None, status: int = DONE) -> Any:
        capsys.readouterr()
        got = cli.run(["--home", str(home or settings.home), *map(str, words)])
        out, err = capsys.readouterr()
        assert got == status, f"exit status {got}: {err}"
        assert "Traceback" not in err
        return json.loads(out) if "--json" in words and status == DONE else (out, err)

    return run


def feed(folder: Path) -> Path:
    path = folder / "feed.csv"
    path.write_text(
        "id,title,price,colour\n1,Red ball,5,Red\n2,Blue box,7,Blue\n3,No price,ten,Red\n", encoding="utf-8"
    )
    return path


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(magpie: Run, words: list[str]) -> None:
    out, err = magpie(*words, "--help")
    assert out.startswith("Usage: magpie ") and len(out.splitlines()) > 4 and not err


def run_without(module: str, *words: str) -> str:
    """The standard output of a command of its own process, which must not have imported this module."""
    script = (
        "import sys; from magpie.web.cli.main import run; s = run(sys.argv[1:]); "
        f"sys.exit(s or 10 * ({module!r} in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr or f"{module} was imported"
    return done.stdout


def test_the_help_lists_every_command_without_opening_anything() -> None:
    out = run_without("sqlalchemy", "--help")
    assert all(words[0] in out for words in COMMANDS)


def test_catalogue_commands_do_without_torch(tmp_path: Path) -> None:
    got = json.loads(
        run_without("torch", "--home", str(tmp_path / "home"), "catalog", "import", str(feed(tmp_path)), "--json")
    )
    assert got["inserted"] == 3 - got["rejected"]


def test_an_import_says_what_became_of_the_rows(magpie: Run, tmp_path: Path) -> None:
    got = magpie("catalog", "import", feed(tmp_path), "--json")
    assert {
        "read",
        "inserted",
        "updated",
        "unchanged",
        "rejected",
        "rejects_file",
        "images_missing",
        "images_broken",
    } <= set(got)
    assert got["read"] == 3 == got["inserted"] + got["rejected"]
    again = magpie("catalog", "import", feed(tmp_path), "--json")
    assert again["unchanged"] == got["inserted"]
    out, err = magpie("catalog", "import", feed(tmp_path))
    assert "unchanged" in out and "magpie index rebuild" in err
    assert magpie("catalog", "stats", "--json")["items"] == got["inserted"]


def test_columns_are_mapped(magpie: Run, tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text("sku,name\n1,Red ball\n", encoding="utf-8")
    assert magpie("catalog", "import", tmp_path / "odd.csv", "--map", "id=sku, title=name", "--json")["inserted"] == 1
    _, err = magpie("catalog", "import", tmp_path / "odd.csv", "--map", "title", status=WRONG_USAGE)
    assert "FIELD=COLUMN" in err
    _, err = magpie("catalog", "import", tmp_path / "odd.csv", "--map", "title=nothing", status=FAILED)
    assert "nothing" in err


def test_an_export_comes_back_in(magpie: Run, tmp_path: Path) -> None:
    magpie("catalog", "import", feed(tmp_path), "--json")
    count = magpie("catalog", "export", tmp_path / "out.jsonl", "--json")["items"]
    assert magpie("catalog", "import", tmp_path / "out.jsonl", "--json", home=tmp_path / "other")["inserted"] == count


def test_the_index_says_in_words_and_figures_what_its_mix_was_measured_to_be(magpie: Run, own_shop: Settings) -> None:
    rebuilt, _ = magpie("index", "rebuild", home=own_shop.home)
    shown, _ = magpie("index", "status", home=own_shop.home)
    verdict = "By its title, an item's own picture is found in"
    assert verdict in rebuilt.splitlines()[-1] and verdict in shown.splitlines()[-1]
    (overall,) = (line.split() for line in shown.splitlines() if line.startswith("all "))
    assert len(overall) == 6 and all(0 <= float(figure) <= 1 for figure in overall[2:])
    assert magpie("index", "status", "--json", home=own_shop.home)["mix"]["judgement"]["all"]["queries"] > 0


def test_a_rebuild_that_a_person_starts_keeps_its_priority(magpie: Run, tmp_path: Path) -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    magpie("catalog", "import", feed(tmp_path), "--json")
    assert magpie("index", "rebuild", "--json")["items"] == 3
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_searching_prints_the_http_answer(magpie: Run, shop: Settings) -> None:
    got = magpie("search", "red ball", "-k", 3, "--filter", "price=..20", "--explain", "--json", home=shop.home)
    assert got["hits"][0]["item_id"] == "ball-red" and all(hit["price"] <= 20 for hit in got["hits"])
    assert sum(got["hits"][0]["explain"].values()) == pytest.approx(got["hits"][0]["score"], abs=1e-3)
    picture = shop.home.parent / "pictures" / "box-green.jpg"
    assert magpie("search", "--image", picture, "-k", 1, "--json", home=shop.home)["hits"][0]["item_id"] == "box-green"
    out, _ = magpie("search", "red ball", "-k", 2, home=shop.home)
    assert "ball-red" in out and "€5" in out
    found = magpie("recommend", "--item", "ball-red", "-k", 3, "--json", home=shop.home)["hits"]
    assert len(found) == 3 and "ball-red" not in [hit["item_id"] for hit in found]


def test_a_ranking_is_measured(magpie: Run, shop: Settings, tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"query_id": "a", "text": "red ball"}\n{"query_id": "b", "text": "blue box"}\n')
    (tmp_path / "qrels").write_text("a 0 ball-red 1\nb 0 box-blue 1\n")
    words = ("evaluate", "--queries", tmp_path / "q.jsonl", "--qrels", tmp_path / "qrels", "--measures", "RR P@1")
    got = magpie(*words, "--run-out", tmp_path / "run", "--json", home=shop.home)
    assert got["num_queries"] == 2 and got["mode"] == "hybrid" and got["measures"]["P@1"] == 1.0
    assert (tmp_path / "run").read_text().split("\n")[0].split()[:4] == ["a", "Q0", "ball-red", "1"]
    assert got["notes"] == []
    (tmp_path / "q.jsonl").write_text('{"query_id": "a", "text": "red ball", "language": "en"}\n')
    out, err = magpie(*words, home=shop.home)
    assert "'language'" in err and "language" not in out
    _, err = magpie(*words[:-1], "magic@x", status=FAILED, home=shop.home)
    assert "ir-measures" in err


def test_the_speed_of_a_home_is_measured(magpie: Run, shop: Settings) -> None:
    speed = magpie("bench", "--queries", 20, "--json", home=shop.home)
    assert (speed["items"], speed["model"], speed["notes"]) == (32, "magpie-mini", [])
    for measured in ("text", "search", "picture", "picture_search"):
        assert 0 < speed[measured]["p50_ms"] <= speed[measured]["p90_ms"] <= speed[measured]["p99_ms"]
    assert speed["search"]["count"] == 20
    assert speed["pictures_per_s"] > 0
    out, _ = magpie("bench", "--queries", 20, home=shop.home)
    assert "picture search" in out


def test_the_index_is_checked_and_switched(magpie: Run, own_shop: Settings) -> None:
    home = own_shop.home
    first = magpie("index", "status", "--json", home=home)
    assert {"generation", "items", "model", "fusion", "index", "created_at"} <= set(first)
    assert first["stale"] is False
    assert magpie("index", "verify", "--json", home=home)["generation"] == first["generation"]
    second = magpie("index", "rebuild", "--json", home=home)
    assert second["generation"] != first["generation"] and second["texts_encoded"] == 0
    assert magpie("index", "rollback", "--json", home=home) == {"generation": first["generation"]}
    magpie("index", "rebuild", "--json", home=home)
    assert first["generation"] in magpie("index", "prune", "--keep", 1, "--json", home=home)["deleted"]
    assert "conflicts" in magpie("catalog", "conflicts", "--json", home=home)


def test_forgetting_says_what_still_remembers(magpie: Run, settings: Settings, tmp_path: Path) -> None:
    log = tmp_path / "log.ndjson"
    event = {"action_name": "click", "client_id": "c1", "timestamp": "2026-01-01T10:00:05Z"}
    log.write_text("".join(json.dumps(event | {"event_id": name}) + "\n" for name in ("e1", "e2")))
    magpie("events", "import", log)
    assert "ranker" not in magpie("events", "forget", "--client-id", "nobody")[1]
    (settings.rankers_dir / "000001").mkdir(parents=True)
    assert "ranker" not in magpie("events", "forget", "--client-id", "nobody")[1]
    assert "magpie train ranker" in magpie("events", "forget", "--client-id", "c1")[1]


def test_behaviour_comes_in_goes_out_and_is_forgotten(magpie: Run, tmp_path: Path) -> None:
    lines = [
        {
            "query_id": "q1",
            "user_query": "red",
            "client_id": "c1",
            "timestamp": "2026-01-01T10:00:00Z",
            "query_response_hit_ids": ["1"],
        },
        {"action_name": "click", "query_id": "q1", "client_id": "c1", "timestamp": "2026-01-01T10:00:05Z"},
        {"action_name": "click", "query_id": "q2", "client_id": "c2", "timestamp": "2026-03-01T10:00:05Z"},
        {"neither": "this nor that"},
    ]
    log = tmp_path / "log.ndjson"
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    got = magpie("events", "import", log, "--json")
    assert {name: got[name] for name in ("queries", "events", "duplicates", "rejected")} == {
        "queries": 1, "events": 2, "duplicates": 0, "rejected": 1,
    }  # fmt: skip
    assert magpie("events", "import", log, "--json")["duplicates"] == 3
    out, _ = magpie("events", "export")
    assert [json.loads(line)["query_id"] for line in out.splitlines()] == ["q1", "q1", "q2"]
    assert magpie("events", "forget", "--client-id", "c1", "--json") == {"queries": 1, "events": 1}
    assert magpie("events", "purge", "--older-than", "1d", "--json")["events"] == 1
    assert magpie("events", "export")[0] == ""
    _, err = magpie("events", "purge", "--older-than", "soon", status=WRONG_USAGE)
    assert "90d" in err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], WRONG_USAGE, "Usage"),
        (["nonsense"], WRONG_USAGE, "nonsense"),
        (["search", "x", "--mode", "magic"], WRONG_USAGE, "hybrid"),
        (["search", "x", "-k", "0"], WRONG_USAGE, "1"),
        (["search", "x", "--filter", "colour"], WRONG_USAGE, "FIELD=VALUE"),
        (["search", "x" * 1001], WRONG_USAGE, "1000"),
        (["search", "--image", "no-such-file.jpg"], WRONG_USAGE, "no-such-file.jpg"),
        (["catalog", "import", "no-such-file.csv"], WRONG_USAGE, "no-such-file.csv"),
        (["search"], FAILED, "Nothing to search for"),
        (["search", "shoes"], FAILED, "magpie index rebuild"),
        (["index", "status"], FAILED, "magpie index rebuild"),
        (["index", "rebuild", "--model", "no-such-model"], FAILED, "no-such-model"),
        (["index", "rebuild", "--fusion", "magic"], FAILED, "magic"),
        (["serve", "--port", "70000"], WRONG_USAGE, "70000"),
    ],
)
def test_what_is_wrong_is_said_and_how_to_mend_it(magpie: Run, words: list[str], status: int, said: str) -> None:
    out, err = magpie(*words, status=status)
    assert said in err + (out if not words else "")


def test_a_wrong_setting_is_named(magpie: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGPIE_THREADS", "many")
    assert "MAGPIE_THREADS" in magpie("catalog", "stats", status=FAILED)[1]


def test_a_home_that_cannot_be_written_is_named(magpie: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "--home" in magpie("catalog", "stats", home=tmp_path / "file" / "home", status=FAILED)[1]


@click.command()
def unlucky() -> None:
    """A command with a fault in it."""
    raise RuntimeError("out of luck")


def test_an_unexpected_error_is_short_unless_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(cli._COMMANDS, "unlucky", (__name__, "unlucky", ""))
    assert cli.run(["unlucky"]) == FAILED
    err = capsys.readouterr().err
    assert "out of luck" in err and "magpie -v" in err and "Traceback" not in err
    assert cli.run(["-v", "unlucky"]) == FAILED
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    log = tmp_path / "log.ndjson"
    log.write_text(
        "".join(
            json.dumps({"action_name": "click", "event_id": str(n), "timestamp": 1_790_000_000_000}) + "\n"
            for n in range(5000)
        )
    )
    command = [*COMMAND, "--home", str(tmp_path / "home"), "events"]
    subprocess.run([*command, "import", str(log)], check=True, capture_output=True, timeout=60)
    export = subprocess.Popen([*command, "export"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert export.stdout and export.stderr and export.stdout.readline()
    export.stdout.close()
    assert b"Error" not in export.stderr.read() and b"Traceback" not in export.stderr.read()
    export.stderr.close()
    export.wait(30)


def test_a_taken_port_is_said_before_anything_starts(magpie: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        for command in (("serve",), ("demo",)):
            _, err = magpie(*command, "--port", taken.getsockname()[1], status=FAILED)
            assert "--port" in err


@pytest.mark.slow
@pytest.mark.skipif(not DEMO_FEED.is_file(), reason="THE DEMO CATALOGUE IS NOT HERE: THE DEMO IS NOT TESTED")
def test_the_demo_goes_from_nothing_to_a_search(tmp_path: Path) -> None:
    with serving(tmp_path / "home", command=("demo",)) as server:
        with urllib.request.urlopen(f"{server.url}/api/search?q=red+teapot&k=3", timeout=60) as answer:
            assert len(json.load(answer)["hits"]) == 3
        assert server.stop() == 0
    log = server.log.read_text()
    assert "items in the catalogue" in log and "Magpie answers at" in log and "Traceback" not in log


def test_serve_says_its_address_when_ready_and_ends_in_good_order(own_shop: Settings) -> None:
    port = free_port()
    with serving(own_shop.home, port) as server:
        with urllib.request.urlopen(f"{server.url}/api/search?q=red", timeout=30) as answer:
            query_id = json.load(answer)["query_id"]
        assert f"http://127.0.0.1:{port}/" in server.log.read_text()
        assert server.stop() == 0
    done = subprocess.run(
        [*COMMAND, "--home", str(own_shop.home), "events", "export"],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ,
    )
    assert query_id in done.stdout  # what was answered last was still logged
    assert "Traceback" not in server.log.read_text()


def test_a_home_is_moved_into_another_database(magpie: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    magpie("catalog", "import", feed(tmp_path), "--json")
    url = f"sqlite:///{tmp_path / 'other.db'}"
    told = magpie("migrate", "--to-database", url, "--json")
    assert told["target"] == url and told["tables"]["items"]["rows"] == magpie("catalog", "stats", "--json")["items"]
    assert "not empty" in magpie("migrate", "--to-database", url, status=FAILED)[1]
    monkeypatch.setenv("MAGPIE_DATABASE_URL", url)
    moved = magpie("catalog", "stats", "--json")["items"]
    assert moved == told["tables"]["items"]["rows"] > 0
    out, err = magpie("migrate", "--to-database", f"sqlite:///{tmp_path / 'third.db'}")
    assert f"items {moved}" in " ".join(out.split()) and "MAGPIE_DATABASE_URL" in err
