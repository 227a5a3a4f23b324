"""Evaluation against ir-measures' own definition, with what a person may get wrong in the files."""

import json
import math
from pathlib import Path

import pytest

from magpie.data.database.connection import open_database
from magpie.data.errors import BadQuery
from magpie.data.settings import Settings
from magpie.search.engine import SearchEngine
from magpie.search.evaluation.evaluate import EvaluationOptions, evaluate
from tests.support.shop import draw


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    draw("kite", "blue", tmp_path / "kite.png")
    queries = [
        {"query_id": "words", "text": "red ball"},
        {"query_id": "picture", "image": "kite.png"},
        {"query_id": "like", "like": "ring-green"},
        {"query_id": "nobody judged this", "text": "box"},
    ]
    (tmp_path / "q.jsonl").write_text("\n".join(json.dumps(q) for q in queries))
    (tmp_path / "qrels").write_text("words 0 ball-red 1\npicture 0 kite-blue 1\nlike 0 ring-green 1\nelsewhere 0 x 1\n")
    return tmp_path / "q.jsonl", tmp_path / "qrels"


def test_measures_and_run(shop: Settings, files: tuple[Path, Path], tmp_path: Path) -> None:
    database = open_database(shop)
    options = EvaluationOptions(measures="RR@10 R@5", mode="hybrid", depth=5, run_out=tmp_path / "run.txt")
    report = evaluate(SearchEngine(shop, database), *files, options)
    database.close()
    run = [line.split() for line in (tmp_path / "run.txt").read_text().splitlines()]
    assert len(run) == 4 * 5
    ranked = {q: [r[2] for r in run if r[0] == q] for q in ("words", "picture", "like")}
    assert "ring-green" not in ranked["like"]
    wanted = {"words": "ball-red", "picture": "kite-blue"}
    rank = {q: (ranked[q].index(i) + 1 if i in ranked[q] else math.inf) for q, i in wanted.items()}
    assert report.num_queries == 3
    assert report.measures["RR@10"] == pytest.approx((1 / rank["words"] + 1 / rank["picture"] + 0) / 3, abs=1e-6)
    assert report.unjudged == ["nobody judged this"]


def test_what_is_not_known_of_a_file_is_noted_and_changes_nothing(
    shop: Settings, files: tuple[Path, Path], tmp_path: Path
) -> None:
    database = open_database(shop)
    engine, options = SearchEngine(shop, database), EvaluationOptions(measures="RR@10")
    plain = evaluate(engine, *files, options)
    queries, qrels = tmp_path / "other.jsonl", tmp_path / "other.qrels"
    lines = [json.loads(line) for line in files[0].read_text().splitlines()]
    queries.write_text("\n".join(json.dumps({**line, "split": "test"}) for line in lines))
    qrels.write_text(files[1].read_text().replace("words 0 ball-red 1", "words 0 ball-red 1 2026-01-01 somebody"))
    noted = evaluate(engine, queries, qrels, options)
    database.close()
    assert plain.notes == [] and plain.measures == noted.measures
    assert noted.notes == [
        f"{queries}: the field 'split' is not known and was not used (lines: 4, the first: 1)",
        f"{qrels}: columns after the grade were not used (lines: 1, the first: 1)",
    ]


@pytest.mark.parametrize(
    ("queries", "qrels", "measures", "message"),
    [
        ("{broken", "a 0 b 1", "P@1", "line 1"),
        ('{"text": "x"}', "a 0 b 1", "P@1", "query_id"),
        ('["query_id"]', "a 0 b 1", "P@1", "JSON object"),
        ('{"query_id": "a", "colour": "x"}', "a 0 b 1", "P@1", "colour"),
        ('{"query_id": "a", "image": "gone.jpg"}', "a 0 b 1", "P@1", "gone.jpg"),
        ('{"query_id": "a", "text": "x"}', "a b 1", "P@1", "qrels"),
        ('{"query_id": "a", "text": "x"}', "a 0 b 1", "Magic@10", "Magic@10"),
        ('{"query_id": "a", "text": "x"}', "a 0 b 1", "", "empty"),
    ],
)
def test_faults_name_file_and_line(
    shop: Settings, tmp_path: Path, queries: str, qrels: str, measures: str, message: str
) -> None:
    (tmp_path / "q.jsonl").write_text(queries)
    (tmp_path / "qrels").write_text(qrels)
    database = open_database(shop)
    with pytest.raises(BadQuery, match=message):
        options = EvaluationOptions(measures=measures)
        evaluate(SearchEngine(shop, database), tmp_path / "q.jsonl", tmp_path / "qrels", options)
    database.close()
