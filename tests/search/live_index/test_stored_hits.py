"""Hits show what the catalogue holds, though the database is asked only for what the index no longer knows."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from magpie.data.catalogue.catalogue import Catalogue, Item, ItemDraft
from magpie.data.catalogue.inferred_labels import replace_labels
from magpie.data.catalogue.items import Label
from magpie.data.database.connection import Database
from magpie.data.settings import Settings
from magpie.indexer.generations.generation import Generation
from magpie.indexer.generations.store import open_current
from magpie.indexer.indexes.stored_hits import StoredHits, StoredHitsWriter, stored_hit_of
from magpie.indexer.rebuild import rebuild
from magpie.search.engine import SearchEngine
from magpie.search.live_index.hit_store import HitStore
from magpie.search.request import SearchRequest
from magpie.search.serving import main_segment


class CountingCatalogue(Catalogue):
    """A catalogue that remembers which items it was asked for."""

    def __init__(self, database: Database, settings: Settings) -> None:
        super().__init__(database, settings)
        self.asked: list[int] = []

    def get_many(self, ids: Sequence[int]) -> dict[int, Item]:
        self.asked.extend(ids)
        return super().get_many(ids)


@pytest.fixture
def catalogue(own_shop: Settings, shop_database: Database) -> CountingCatalogue:
    return CountingCatalogue(shop_database, own_shop)


@pytest.fixture
def generation(own_shop: Settings) -> Generation:
    return open_current(own_shop)[0]


def test_every_item_has_the_card_that_the_catalogue_would_give(
    catalogue: CountingCatalogue, generation: Generation
) -> None:
    items = catalogue.get_many(generation.ids.tolist())
    assert generation.stored_hits is not None and len(items) == 32
    assert generation.stored_hits.read(range(32)) == [stored_hit_of(items[id_]) for id_ in generation.ids.tolist()]


def test_cards_hold_any_text_and_what_was_inferred(
    catalogue: CountingCatalogue, generation: Generation, tmp_path: Path
) -> None:
    item = catalogue.get_many(generation.ids[:1].tolist())[int(generation.ids[0])]
    odd = replace(
        item, title="\u2028 'a'\n\"b\" 红色 \U0001f600", price=None, pictures=(), attributes={"x": ["a", "b"]}
    )
    guessed = replace(odd, inferred={"colour": Label("Red", 0.75)})
    writer = StoredHitsWriter(tmp_path, {"x": "list"})
    writer.add([item])
    writer.add([odd, guessed])
    writer.finish()
    stored_hits = StoredHits.open(tmp_path)
    assert stored_hits is not None and stored_hits.kinds == {"x": "list"}
    assert stored_hits.read(range(3)) == [stored_hit_of(item), stored_hit_of(odd), stored_hit_of(guessed)]
    (last,) = stored_hits.read([2])
    assert last.attributes == {"x": ["a", "b"], "colour": "Red"} and last.inferred == {"colour": 0.75}


def test_an_empty_catalogue_has_no_cards_to_read(tmp_path: Path) -> None:
    StoredHitsWriter(tmp_path, {}).finish()
    stored_hits = StoredHits.open(tmp_path)
    assert stored_hits is not None and stored_hits.read([]) == []


def test_the_database_is_asked_only_for_what_changed_and_once(
    catalogue: CountingCatalogue, generation: Generation
) -> None:
    changed, deleted, *others = generation.ids.tolist()
    indexed = main_segment(generation).without(np.array([changed, deleted]))
    shown = HitStore(catalogue, indexed, generation.stored_hits)
    assert set(shown.get_many([changed, *others, 999])) == {changed, *others}
    assert set(shown.get_many([others[0], changed])) == {others[0], changed}
    assert catalogue.asked == [changed, 999]


def test_an_index_without_cards_shows_the_same(catalogue: CountingCatalogue, generation: Generation) -> None:
    ids = generation.ids.tolist()
    indexed = main_segment(generation)
    without = HitStore(catalogue, indexed, None)
    assert without.get_many(ids) == HitStore(catalogue, indexed, generation.stored_hits).get_many(ids)
    assert without.get_many(ids[:2]).keys() == set(ids[:2]) and catalogue.asked == ids


def test_damaged_cards_are_said_once_and_hits_come_from_the_catalogue(
    catalogue: CountingCatalogue, generation: Generation, caplog: pytest.LogCaptureFixture
) -> None:
    path = generation.folder / "cards.jsonl"
    content = bytearray(path.read_bytes())
    content[5] ^= 0xFF
    path.write_bytes(content)
    ids = generation.ids.tolist()
    shown = HitStore(catalogue, main_segment(generation), StoredHits.open(generation.folder))
    assert shown.get_many(ids[1:3]).keys() == set(ids[1:3]) and not caplog.records  # these are sound
    for _ in range(2):
        assert [shown.get_many([id_])[id_].item_id for id_ in ids[:2]] == ["ball-red", "ball-green"]
    assert len(caplog.records) == 1 and "damaged" in caplog.text


def test_numbers_among_which_words_came_are_shown_as_words(
    own_shop: Settings, shop_database: Database, catalogue: CountingCatalogue
) -> None:
    engine = SearchEngine(own_shop, shop_database)
    search = SearchRequest(text="green box", k=1)
    assert engine.search(search).hits[0].attributes["year"] == 2011
    odd = [ItemDraft(f"new-{n}", "Old ship", attributes={"year": f"about {1900 + n}"}) for n in range(30)]
    catalogue.upsert(odd[:1], own_shop.home)
    engine.refresh()
    assert engine.search(search).hits[0].attributes["year"] == 2011  # nearly all are numbers still
    catalogue.upsert(odd, own_shop.home)
    engine.refresh()
    assert engine.search(search).hits[0].attributes["year"] == "2011"
    engine.close()


def test_hits_show_a_new_label_before_the_next_rebuild_and_after_it(
    own_shop: Settings, shop_database: Database, catalogue: CountingCatalogue
) -> None:
    engine = SearchEngine(own_shop, shop_database)
    id_ = catalogue.ids_of(["ring-blue"])["ring-blue"]
    replace_labels(shop_database, "metal", {id_: Label("steel", 0.9)})
    for _ in range(2):
        engine.refresh()
        hit = engine.search(SearchRequest(text="blue ring", k=1)).hits[0]
        assert (hit.item_id, hit.attributes["metal"], hit.inferred) == ("ring-blue", "steel", {"metal": 0.9})
        rebuild(own_shop, shop_database)
    engine.close()
