"""The exposure report: shares that add up, merit that showing alone does not make, and how new items fare."""

import json

import pytest

from magpie.data.aggregates.item_counts import ItemCount
from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.clock import now_ms
from magpie.data.database.connection import open_database
from magpie.data.errors import BadFilter
from magpie.data.events.event_log import EventLog
from magpie.data.events.ubi import EventRecord, QueryRecord, ShownHit
from magpie.data.settings import Settings
from magpie.search.reports.exposure_fairness import NONE, group_exposure, report_exposure
from tests.web.cli.test_cli import Run, magpie  # noqa: F401

DAY_MS = 86_400_000


def test_exposure_and_merit_by_hand() -> None:
    values = {"a": ["Acme"], "b": ["Best"], "c": ["Acme", "Best"], "never": [NONE]}
    counts = {"a": ItemCount(30, 30.0, 3), "b": ItemCount(10, 10.0, 3), "c": ItemCount(0, 0.0, 0)}
    usual = 6 / 40
    merit = {"a": (3 + 10 * usual) / 40, "b": (3 + 10 * usual) / 20, "c": (10 * usual) / 10}
    groups = {group.value: group for group in group_exposure(values, counts)}
    assert list(groups) == ["Acme", "Best", NONE]
    acme = groups["Acme"]
    assert (acme.items, acme.items_share, acme.exposure_share, acme.people_share) == (2, 0.5, 0.75, 0.5)
    assert acme.merit_share == pytest.approx((merit["a"] + merit["c"] / 2) / sum(merit.values()), abs=1e-5)
    assert acme.ratio == pytest.approx(0.75 / acme.merit_share, abs=1e-3)
    assert groups["Best"].ratio is not None and acme.ratio is not None and groups["Best"].ratio < 1 < acme.ratio
    assert (groups[NONE].exposure_share, groups[NONE].merit_share, groups[NONE].ratio) == (0, 0, None)


def test_an_empty_log_gives_zeros(own_shop: Settings) -> None:
    database = open_database(own_shop)
    found = report_exposure(database, Catalogue(database, own_shop), "colour", 30, 7)
    assert found.impressions == 0 and {group.exposure_share for group in found.groups} == {0.0}
    assert found.new_items.items == found.new_items.never_shown == 32
    with pytest.raises(BadFilter, match=r"brand.*colour"):
        report_exposure(database, Catalogue(database, own_shop), "brand", 30, 7)
    database.close()


@pytest.fixture
def watched(own_shop: Settings) -> Settings:
    """The shop, in which red things are shown and blue ones are liked; one of them was first shown yesterday."""
    database = open_database(own_shop)
    log, now = EventLog(database), now_ms()
    for number in range(40):
        shown = [ShownHit("ball-red", 1), ShownHit("ball-blue", 2)]
        days = 20
        if number < 4:
            shown, days = [*shown, ShownHit("box-blue", 3)], 1
        log.record_queries([QueryRecord(f"q{number}", "ball", hits=tuple(shown), timestamp_ms=now - days * DAY_MS)])
        if number < 10:
            clicked = EventRecord("click", f"q{number}", f"c{number}", timestamp_ms=now, object_id="ball-blue")
            log.record_events([clicked])
    database.close()
    return own_shop


def test_the_command_reports(watched: Settings, magpie: Run) -> None:  # noqa: F811
    found = magpie("report", "exposure", "--by", "colour", "--json", home=watched.home)
    groups = {group["value"]: group for group in found["groups"]}
    assert found["impressions"] == 84 and found["people"] == 10
    assert groups["Red"]["ratio"] > 1 > groups["Blue"]["ratio"]
    assert sum(group["exposure_share"] for group in found["groups"]) == pytest.approx(1, abs=1e-4)
    new = found["new_items"]
    assert (new["items"], new["never_shown"]) == (30, 29)
    assert new["exposure_share"] == pytest.approx(4 / 3 / (40 + 40 / 2 + 4 / 3), abs=1e-5)
    out, _ = magpie("report", "exposure", "--by", "colour", home=watched.home)
    assert "Red" in out and "29 were never shown" in out
    json.dumps(found)
