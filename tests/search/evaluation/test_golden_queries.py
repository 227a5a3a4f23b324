"""Golden queries: a new generation that answers the owner's queries worse is not published."""

import json
from pathlib import Path

import pytest

from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.database.connection import Database
from magpie.data.errors import BadQuery, GoldenQueriesFailed
from magpie.data.settings import Settings
from magpie.indexer.generations.store import current_id, describe_current
from magpie.indexer.rebuild import rebuild
from magpie.search.evaluation.golden_queries import golden_judge
from tests.support.shop import COLOURS


def write_golden(settings: Settings) -> None:
    folder = settings.home / "golden"
    folder.mkdir(exist_ok=True)
    queries = [json.dumps({"query_id": colour, "text": f"{colour} ball"}) for colour in COLOURS]
    (folder / "queries.jsonl").write_text("\n".join(queries))
    (folder / "qrels.txt").write_text("\n".join(f"{colour} 0 ball-{colour} 1" for colour in COLOURS))


def swap_the_colours(settings: Settings, database: Database) -> None:
    """Every ball gets the title and the picture of the next colour."""
    names = list(COLOURS)
    drafts = [
        ItemDraft(f"ball-{name}", f"{other.title()} ball", attributes={"colour": other.title(), "kind": "ball"})
        for name, other in zip(names, names[1:] + names[:1], strict=True)
    ]
    Catalogue(database, settings).upsert(drafts, Path(settings.home))


def test_a_generation_that_answers_worse_is_refused(own_shop: Settings, shop_database: Database) -> None:
    write_golden(own_shop)
    first = rebuild(own_shop, shop_database, judge=golden_judge(own_shop, shop_database))
    assert first.golden["value"] > 0.95 and first.golden["before"] is None
    assert describe_current(own_shop)["golden"]["num_queries"] == len(COLOURS)
    swap_the_colours(own_shop, shop_database)
    with pytest.raises(GoldenQueriesFailed, match="--accept-worse"):
        rebuild(own_shop, shop_database, judge=golden_judge(own_shop, shop_database))
    assert current_id(own_shop) == first.generation
    accepted = rebuild(own_shop, shop_database, judge=golden_judge(own_shop, shop_database, accept_worse=True))
    assert current_id(own_shop) == accepted.generation != first.generation
    assert accepted.golden["value"] < accepted.golden["before"] == first.golden["value"]


def test_other_golden_queries_are_no_yardstick(own_shop: Settings, shop_database: Database) -> None:
    write_golden(own_shop)
    rebuild(own_shop, shop_database, judge=golden_judge(own_shop, shop_database))
    (own_shop.home / "golden" / "qrels.txt").write_text("red 0 ball-blue 1\n")
    assert rebuild(own_shop, shop_database, judge=golden_judge(own_shop, shop_database)).golden["before"] is None


def test_a_fault_in_a_golden_file_is_named(own_shop: Settings, shop_database: Database) -> None:
    write_golden(own_shop)
    (own_shop.home / "golden" / "queries.jsonl").write_text("{oops\n")
    with pytest.raises(BadQuery, match=r"queries\.jsonl, line 1"):
        rebuild(own_shop, shop_database, judge=golden_judge(own_shop, shop_database))


def test_a_rebuild_tells_which_fields_of_golden_queries_it_does_not_know(
    own_shop: Settings, shop_database: Database
) -> None:
    write_golden(own_shop)
    judge = golden_judge(own_shop, shop_database)
    assert "notes" not in rebuild(own_shop, shop_database, judge=judge).golden
    path = own_shop.home / "golden" / "queries.jsonl"
    path.write_text('{"query_id": "red", "text": "red ball", "filter": {"colour": ["Red"]}}\n')
    (note,) = rebuild(own_shop, shop_database, judge=judge).golden["notes"]
    assert "'filter' is not known" in note
