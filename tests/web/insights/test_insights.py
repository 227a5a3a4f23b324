"""The insights page over HTTP: what it tells, what it hides, who may see it, and its CSV files and plots."""

import csv
import hashlib
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from string import Formatter
from xml.etree import ElementTree

import pytest
from flask import Flask
from prometheus_client import CollectorRegistry, Histogram

from magpie.data.database.connection import open_database
from magpie.data.events.filter_reasons import FLOOD, FORGED, REASONS
from magpie.data.events.ubi import EventRecord, QueryRecord
from magpie.data.feeds.named_feeds import FeedRun, record_run
from magpie.data.settings import Settings
from magpie.indexer.generations.store import MANIFEST, current_id
from magpie.web.app import create_app
from magpie.web.insights.plots import SIZES, THEMES
from magpie.web.insights.tables.by_name import TABLES
from magpie.web.insights.texts import LANGUAGES
from magpie.web.insights.view import CHAPTERS, PLOTTED
from magpie.web.middleware.metrics import latency_of
from tests.support.insights_log import people, search
from tests.support.learned_home import teach
from tests.support.serving import Client, client_of

FORMULA = "=cmd|'/c calc'!a0"


@pytest.fixture
def app(own_shop: Settings) -> Iterator[Flask]:
    """A shop in which people search for balls, for drones that it has not, and for a formula."""
    database = open_database(own_shop)
    search(database, "red ball", people(8), clicked=1)
    search(database, "kite", people(6))
    search(database, "drone", people(7), confident=False)
    search(database, FORMULA, people(5))
    search(database, "my secret", people(4), clicked=1)
    search(database, "old ball", people(6), days_ago=40)
    database.close()
    opened = create_app(own_shop)
    yield opened
    opened.extensions["magpie"].close()


@pytest.fixture
def owner(app: Flask) -> Client:
    return client_of(app)


def rows(client: Client, address: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(client.get(address).get_data(as_text=True))))


@pytest.mark.parametrize(
    ("language", "said"), [("en", "Far more than people do in an hour"), ("zh", "一小时内远多于常人")]
)
def test_what_is_set_aside_is_told_by_reason(app: Flask, owner: Client, language: str, said: str) -> None:
    log = app.extensions["magpie"].event_log
    log.record_queries([QueryRecord(f"busy {n}", "ball", "busy", filter_reason=FLOOD) for n in range(7)])
    log.record_events(
        [EventRecord("click", "x", filter_reason=FORGED), EventRecord("click", filter_reason="their <own>")]
    )
    told = {row["reason"]: row["records"] for row in rows(owner, "/insights/set-aside.csv")}
    assert told == {FLOOD: "7", FORGED: "1", "their <own>": "1"}
    page = owner.get("/insights", headers={"Accept-Language": language}).get_data(as_text=True)
    assert said in page and "their &lt;own&gt;" in page


def test_every_reason_has_words_in_every_language() -> None:
    for texts in LANGUAGES.values():
        assert all("reason_" + reason.replace(" ", "_") in texts for reason in REASONS)


def test_the_page_tells_the_owner_what_to_do(owner: Client) -> None:
    page = owner.get("/insights").get_data(as_text=True)
    assert "7 people searched with “drone”, which no item has." in page
    assert "“drone” found nothing that matches, 7 times." in page
    assert "was searched 6 times, and nobody opened a result." in page
    assert page.count("30 searches of 8 people") >= 4
    assert "rest on the assumption" in page
    health = {row["figure"]: row["value"] for row in rows(owner, "/insights/health.csv")}
    assert (health["items"], health["pictures_encoded"], health["pictures_cached"]) == ("32", "30", "0")


def test_what_few_people_searched_is_nowhere(owner: Client) -> None:
    for name in TABLES:
        assert "secret" not in owner.get(f"/insights/{name}.csv?days=all").get_data(as_text=True)
    assert "secret" not in owner.get("/insights?days=all").get_data(as_text=True)


def test_tables_as_csv(owner: Client) -> None:
    queries = {row["query"]: row for row in rows(owner, "/insights/queries.csv")}
    assert queries["red ball"] == {
        "query": "red ball", "searches": "8", "people": "8", "click_share": "1.0", "no_answer_share": "0.0"
    }  # fmt: skip
    assert {row["query"] for row in rows(owner, "/insights/unclicked.csv")} == {"kite", f"'{FORMULA}"}
    assert [row["query"] for row in rows(owner, "/insights/unanswered.csv")] == ["drone"]
    assert rows(owner, "/insights/missing.csv")[0]["word"] == "drone"
    positions = rows(owner, "/insights/positions.csv")
    assert (positions[0]["clicks"], positions[1]["clicks"]) == ("12", "0")
    assert (
        float(positions[0]["clicks_per_impression_low"]) < 12 / 30 < float(positions[0]["clicks_per_impression_high"])
    )
    shown = {"ball-red", "ball-blue", "box-red"}
    unseen = {row["item_id"] for row in rows(owner, "/insights/never-shown.csv")}
    assert len(unseen) == 32 - 3 and not unseen & shown


def test_no_cell_of_a_csv_is_a_formula(owner: Client) -> None:
    for name in TABLES:
        answer = owner.get(f"/insights/{name}.csv")
        assert answer.headers["Content-Disposition"] == f'attachment; filename="magpie-{name}-30.csv"'
        for row in csv.reader(io.StringIO(answer.get_data(as_text=True))):
            for cell in row:
                assert not cell.lstrip().startswith(("=", "+", "@")) and not (
                    cell.startswith("-") and cell[1:2].isalpha()
                )


def test_a_period_is_what_the_address_says(owner: Client) -> None:
    recent, whole = (
        {row["query"] for row in rows(owner, f"/insights/queries.csv?days={days}")} for days in ("30", "all")
    )
    assert whole - recent == {"old ball"}
    assert len(rows(owner, "/insights/days.csv?days=7")) == 7
    assert owner.get("/insights?days=8").status_code == 400


def test_exposure_is_compared_by_the_field_in_the_address(owner: Client) -> None:
    by_colour = {row["value"]: row for row in rows(owner, "/insights/exposure.csv?by=colour")}
    assert float(by_colour["Red"]["seen_share"]) == pytest.approx((1 + 1 / 3) / (1 + 1 / 2 + 1 / 3), abs=1e-4)
    assert by_colour["Red"]["items"] == "5"
    page = owner.get("/insights?by=colour").get_data(as_text=True)
    assert '<option value="colour" selected>' in page


def test_few_people_are_too_few(own_shop: Settings) -> None:
    database = open_database(own_shop)
    search(database, "red ball", people(4), clicked=1)
    database.close()
    app = create_app(own_shop)
    client = client_of(app)
    page = client.get("/insights").get_data(as_text=True)
    assert "Too few people" in page and "red ball" not in page and "4 people" not in page
    told = (
        "days",
        "queries",
        "unanswered",
        "unclicked",
        "missing",
        "positions",
        "examination",
        "ranker-use",
        "exposure",
    )
    assert {name: rows(client, f"/insights/{name}.csv") for name in told} == {name: [] for name in told}
    app.extensions["magpie"].close()


def test_a_home_without_anything_says_what_will_appear(settings: Settings) -> None:
    app = create_app(settings)
    client = client_of(app)
    page = client.get("/insights?days=all").get_data(as_text=True)
    assert "Nothing was searched yet" in page and "Top queries" in page and "magpie index rebuild" in page
    for name in TABLES:
        assert client.get(f"/insights/{name}.csv").status_code == 200
    for name in PLOTTED:
        assert client.get(f"/insights/plots/{name}.svg").status_code == 200
    app.extensions["magpie"].close()


@pytest.mark.parametrize("name", PLOTTED)
def test_plots_speak_and_need_no_styles(owner: Client, name: str) -> None:
    for theme in THEMES:
        for size, (width, height) in SIZES.items():
            answer = owner.get(f"/insights/plots/{name}.svg?theme={theme}&size={size}")
            assert answer.mimetype == "image/svg+xml"
            root = ElementTree.fromstring(answer.data)
            tags = [element.tag.partition("}")[2] for element in root.iter()]
            assert tags[1:3] == ["title", "desc"] and root.get("role") == "img"
            assert all(element.text for element in list(root)[:2])
            assert not {"style", "script"} & set(tags)
            assert not any("style" in element.attrib for element in root.iter())
            assert (root.get("width"), root.get("height")) == (f"{width}", f"{height}")


@pytest.fixture
def learned(own_shop: Settings) -> Iterator[Client]:
    teach(own_shop)
    record_run(own_shop, FeedRun("shop", 1_790_000_000.0, 2.5, read=3, inserted=2, rejected=1))
    app = create_app(own_shop)
    yield client_of(app)
    app.extensions["magpie"].close()


def basis_of(page: str, section: str) -> str:
    found = re.search(rf'id="{section}".*?<p class="basis">(.*?)</p>', page, re.DOTALL)
    assert found
    return found.group(1)


def test_every_figure_says_over_which_period_and_from_how_many_observations(learned: Client) -> None:
    page = learned.get("/insights?days=all").get_data(as_text=True)
    day = r"\d{4}-\d\d-\d\d"
    for section in TABLES:
        assert re.search(day, basis_of(page, section)), section
        assert re.search(r"[1-9][\d,]*(?!-)", re.sub(day, "", basis_of(page, section))), section
    today = datetime.now(UTC).date().isoformat()
    tiles = re.search('tiles-basis">(.*?)</p>', page)
    # ten times six and seven people, six without a click, and six who voted
    assert tiles and re.search(rf"{today} · 142 searches of \d+ people · 29 of 32 items in no answer$", tiles.group(1))
    assert basis_of(page, "rankers").startswith(f"{today} to {today} · 2 rankers")
    assert "on 80 queries in all" in basis_of(page, "rankers")


def test_the_ranker_before_is_named_with_a_way_to_the_votes(learned: Client) -> None:
    page = learned.get("/insights").get_data(as_text=True)
    assert "The one before it, 1, gained 2.0%" in page
    assert '<a href="#comparisons">See “Rankings compared by interleaving”</a>' in page


@pytest.mark.parametrize(
    ("language", "reason", "remedy"),
    [
        ("en", "The text is about “Green kite”, and the picture looks like that of “Red ball”.", "Look at the picture"),
        ("zh", "文字说的是“Green kite”，图片却像“Red ball”的图片。", "先检查图片"),
    ],
)
def test_items_that_disagree_come_with_the_reason_and_what_to_do(
    learned: Client, language: str, reason: str, remedy: str
) -> None:
    page = learned.get("/insights", headers={"Accept-Language": language}).get_data(as_text=True)
    assert reason in page and remedy in page and "PUT /api/items/kite-green" in page
    assert 'href="/item?id=kite-green"' in page
    (row,) = rows(learned, "/insights/conflicts.csv")
    assert row["reason"] == "The text is about 'Green kite', and the picture looks like that of 'Red ball'."
    assert row["suggestion"].startswith("Look at the picture first")


def test_the_index_tells_its_age_and_what_the_cache_spared(learned: Client) -> None:
    health = {row["figure"]: row["value"] for row in rows(learned, "/insights/health.csv")}
    assert 0 <= float(health["age_days"]) < 1 and float(health["cache_share"]) == 0.0
    assert float(health["size_mb"]) > 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_that_another_magpie_stored_are_shown_as_they_are(own_shop: Settings, language: str) -> None:
    folder = own_shop.generations_dir / str(current_id(own_shop))
    about = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    del about["checksum"]  # older indexes have none
    about["recall"] |= {"sound_in_crowds": 0.987}
    one = {"item_id": "kite-green", "looks_like": "ball-red", "suspect": "sound", "agreement": 0.1}
    written = json.dumps([one | {"reason": "It hums.", "suggestion": "Listen to <it>."}])
    (folder / "conflicts.json").write_text(written, encoding="utf-8")
    about["files"]["conflicts.json"] = {
        "size_bytes": len(written),
        "blake2b": hashlib.blake2b(written.encode(), digest_size=16).hexdigest(),
    }
    (folder / MANIFEST).write_text(json.dumps(about), encoding="utf-8")
    app = create_app(own_shop)
    answer = client_of(app).get("/insights", headers={"Accept-Language": language})
    app.extensions["magpie"].close()
    page = answer.get_data(as_text=True)
    assert answer.status_code == 200
    assert "Recall sound in crowds" in page and ">Sound<" in page and "Listen to &lt;it&gt;." in page


def test_what_is_not_there_is_refused(owner: Client) -> None:
    assert owner.get("/insights/nothing.csv").status_code == 404
    assert owner.get("/insights/plots/nothing.svg").status_code == 404
    assert owner.get("/insights/plots/days.svg?theme=pink").status_code == 400


def test_only_the_owner_sees_it(app: Flask, owner: Client) -> None:
    for address in ("/insights", "/insights/days.csv", "/insights/plots/days.svg"):
        assert owner.get(address).status_code == 200
        assert owner.get(address, environ_base={"REMOTE_ADDR": "192.0.2.7"}).status_code == 401
        assert owner.get(address, headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 401
        assert "private" in owner.get(address).headers["Cache-Control"]


def test_with_a_token_only_its_holder_sees_it(own_shop: Settings) -> None:
    app = create_app(own_shop.model_copy(update={"api_token": "s3cret", "trust_loopback": False}))
    client = client_of(app)
    assert client.get("/insights").status_code == 401
    assert client.get("/insights", headers={"Authorization": "Bearer s3cret"}).status_code == 200
    app.extensions["magpie"].close()


def test_the_page_speaks_chinese(owner: Client) -> None:
    page = owner.get("/insights", headers={"Accept-Language": "zh-CN,zh;q=0.9"}).get_data(as_text=True)
    assert "接下来做什么" in page and "没有结果的搜索" in page


def test_every_language_has_every_sentence() -> None:
    def fields(sentence: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(sentence) if name}

    english = LANGUAGES["en"]
    for texts in LANGUAGES.values():
        assert texts.keys() == english.keys()
        assert all(fields(texts[name]) == fields(english[name]) for name in english)
    assert {name for names in CHAPTERS.values() for name in names} == set(TABLES)


def test_a_server_that_nobody_asks_for_plots_does_without_matplotlib() -> None:
    code = "import sys, web.app; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0


def test_percentiles_of_a_histogram() -> None:
    histogram = Histogram("h", "h", buckets=(0.01, 0.02, 0.1), registry=CollectorRegistry())
    assert latency_of(histogram.collect()) is None
    for seconds in [0.005] * 50 + [0.015] * 45 + [0.05] * 4 + [5.0]:
        histogram.observe(seconds)
    found = latency_of(histogram.collect())
    assert found is not None and (found.count, found.p50_ms) == (100, 10.0)
    assert found.p95_ms == pytest.approx(20.0) and found.p99_ms == pytest.approx(100.0)
    histogram.observe(5.0)
    assert latency_of(histogram.collect()).p99_ms is None  # type: ignore[union-attr]
