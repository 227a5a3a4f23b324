"""What the click benchmarks rest on: propensities by pairs of positions find the curve that the people had."""

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.clicked_world import browse, make_world

FOLDER = Path(__file__).parents[2] / "benchmarks" / "clicks"


def test_pairs_of_positions_tell_how_far_people_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    from mantel_haenszel import measure_by_pairs

    found = measure_by_pairs(browse(make_world(), 20_000))[:10]
    assert found[0] == 1 and (np.diff(found) <= 0).all()
    assert found == pytest.approx(1 / np.arange(1, 11), abs=0.08)
    sys.modules.pop("mantel_haenszel")


def test_grades_of_attribute_queries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    from attribute_queries import AttributeQuery, draw_queries, read_true_feed, write_poorer_feed

    rows = ["id,title,gender,type,subcategory,colour,usage,year,image"]
    for n in range(200):
        kind, sub = ("Shirts", "Topwear") if n % 2 else ("Tops", "Topwear")
        rows.append(f"{n},Acme Men {kind} {n},Men,{kind},{sub},{'Navy Blue' if n % 3 else 'Blue'},Formal,2012,{n}.jpg")
    (tmp_path / "feed.csv").write_text("\n".join(rows))
    feed = read_true_feed(tmp_path / "feed.csv")
    assert feed.rows[0]["brand"] == "acme"
    query = AttributeQuery("mens blue shirts", "Shirts", "Topwear", {"gender": "Men", "colour": "Blue"})
    assert feed.grades(query, [3, 1, 0, 2]).tolist() == [3, 2, 1, 0]  # exact; family; other type, exact; other type
    queries = draw_queries(feed, 8, seed=1)
    assert len({one.text for one in queries}) == 8
    assert all((feed.grades(one, range(200)) == 3).any() for one in queries)
    write_poorer_feed(feed, tmp_path / "poorer.csv")
    poorer = (tmp_path / "poorer.csv").read_text().splitlines()
    assert len(poorer) == 201 and sum("Formal" in line for line in poorer) < 160
    for name in ("attribute_queries",):
        sys.modules.pop(name)
