"""Generations: published whole or not at all, verified, kept, rolled back, and never served broken."""

import json
from pathlib import Path

import pytest

from magpie.data.aggregates.clicked_queries import ClickedQuery
from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.database.connection import Database, open_database
from magpie.data.errors import BadSetting, GenerationBroken, HomeLocked, NoIndex
from magpie.data.home.locks import lock_home
from magpie.data.settings import Settings
from magpie.indexer.generations.recall_check import warn_of_recall
from magpie.indexer.generations.store import (
    current_id,
    describe_current,
    generation_ids,
    open_current,
    prune,
    roll_back,
    set_current,
    verify_current,
)
from magpie.indexer.rebuild import RebuildOptions, rebuild
from magpie.search.engine import SearchEngine


@pytest.fixture
def opened(own_shop: Settings) -> Database:
    database = open_database(own_shop)
    yield database
    database.close()


def test_a_rebuild_with_nothing_new_encodes_nothing(own_shop: Settings, opened: Database) -> None:
    report = rebuild(own_shop, opened)
    assert (report.texts_encoded, report.pictures_encoded) == (0, 0)
    assert report.items == 32
    assert current_id(own_shop) == report.generation
    assert all(share > 0.99 for share in report.recall.values())


def files_of(settings: Settings, generation: str) -> dict[str, bytes]:
    folder = settings.generations_dir / generation
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != "manifest.json"}


def test_files_are_taken_over_where_nothing_changed(own_shop: Settings, opened: Database) -> None:
    first, second = rebuild(own_shop, opened), rebuild(own_shop, opened)
    assert second.is_taken_over and second.generation != first.generation
    assert files_of(own_shop, second.generation) == files_of(own_shop, first.generation)
    before, after = (describe_current(own_shop), roll_back(own_shop) and describe_current(own_shop))
    assert {name for name in before if before[name] != after[name]} <= {"generation", "created_at", "log_read_ms"}
    assert verify_current(own_shop)["sound"] is True


def test_anything_that_changed_is_built(own_shop: Settings, opened: Database, tmp_path: Path) -> None:
    def changed(*changes: ItemDraft) -> bool:
        Catalogue(opened, own_shop).upsert(changes, tmp_path)
        return not rebuild(own_shop, opened).is_taken_over

    assert changed(ItemDraft(item_id="new", title="Purple teapot"))
    assert not changed(ItemDraft(item_id="new", title="Purple teapot"))
    assert changed(ItemDraft(item_id="new", title="Purple kettle"))
    Catalogue(opened, own_shop).delete("new")
    assert changed()
    assert not rebuild(own_shop, opened, RebuildOptions(index="HNSW8")).is_taken_over
    led = {"ball-red": [ClickedQuery("cricket", 0.5)]}
    assert not rebuild(own_shop, opened, clicked=lambda: led).is_taken_over
    assert rebuild(own_shop, opened, clicked=lambda: led).is_taken_over
    assert not rebuild(own_shop, opened, RebuildOptions(full=True), clicked=lambda: led).is_taken_over


def test_damaged_files_are_not_taken_over(own_shop: Settings, opened: Database) -> None:
    made = rebuild(own_shop, opened).generation
    (own_shop.generations_dir / made / "fused.npy").write_bytes(b"damaged")
    assert not rebuild(own_shop, opened).is_taken_over
    assert verify_current(own_shop)["sound"] is True


def test_the_language_is_guessed_or_told(own_shop: Settings, opened: Database) -> None:
    assert describe_current(own_shop)["languages"] == ["en"]
    rebuild(own_shop, opened, RebuildOptions(language="de"))
    assert describe_current(own_shop)["languages"] == ["de"]
    rebuild(own_shop.model_copy(update={"language": "sv"}), opened)
    assert describe_current(own_shop)["languages"] == ["sv"]


def test_full_encodes_everything_again(own_shop: Settings, opened: Database) -> None:
    report = rebuild(own_shop, opened, RebuildOptions(full=True))
    assert report.pictures_encoded == 30  # the hostile item has the same picture as the red ball
    assert report.texts_encoded > 30


def test_only_what_changed_is_encoded(own_shop: Settings, opened: Database, tmp_path: Path) -> None:
    Catalogue(opened, own_shop).upsert([ItemDraft(item_id="new", title="Purple teapot")], tmp_path)
    assert rebuild(own_shop, opened).texts_encoded == 1


def test_three_generations_are_kept_and_one_can_go_back(own_shop: Settings, opened: Database) -> None:
    made = [current_id(own_shop), *(rebuild(own_shop, opened).generation for _ in range(3))]
    assert generation_ids(own_shop) == made[1:]
    assert roll_back(own_shop) == made[2]
    assert current_id(own_shop) == made[2]
    assert roll_back(own_shop) == made[1]
    with pytest.raises(NoIndex):
        roll_back(own_shop)
    assert prune(own_shop, keep=1) == [made[2]]  # the current one is never deleted


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_broken_generation_is_not_served_the_one_before_is(own_shop: Settings, opened: Database, damage: str) -> None:
    sound = current_id(own_shop)
    broken = rebuild(own_shop, opened).generation
    file = own_shop.generations_dir / broken / "fused.faiss"
    data = bytearray(file.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    elif damage == "cut":
        file.write_bytes(data[:-1])
    else:
        file.unlink()
    with pytest.raises(GenerationBroken, match=r"fused\.faiss"):
        verify_current(own_shop)
    generation, alarms = open_current(own_shop)
    assert generation.id == sound
    assert "fused.faiss" in alarms[0]


def test_a_sound_generation_verifies(shop: Settings) -> None:
    assert verify_current(shop)["sound"] is True


def test_without_an_index_the_remedy_is_named(settings: Settings) -> None:
    with pytest.raises(NoIndex, match="magpie index rebuild"):
        open_current(settings)


def test_a_current_that_names_nothing_falls_back(own_shop: Settings) -> None:
    sound = current_id(own_shop)
    set_current(own_shop, "999999-gone")
    generation, alarms = open_current(own_shop)
    assert generation.id == sound and alarms


def test_what_a_killed_rebuild_left_is_cleared_away(own_shop: Settings, opened: Database) -> None:
    left_over = own_shop.generations_dir / ".building-dead"
    left_over.mkdir()
    (left_over / "x").write_text("half")
    rebuild(own_shop, opened)
    assert not left_over.exists()


def test_two_rebuilds_at_once_are_refused(own_shop: Settings, opened: Database) -> None:
    with lock_home(own_shop.home, "rebuild"), pytest.raises(HomeLocked):
        rebuild(own_shop, opened)


def test_unknown_options_are_refused_before_anything_is_done(own_shop: Settings, opened: Database) -> None:
    before = generation_ids(own_shop)
    with pytest.raises(BadSetting, match="average"):
        rebuild(own_shop, opened, RebuildOptions(fusion="magic"))
    with pytest.raises(BadSetting, match="no-such-index"):
        rebuild(own_shop, opened, RebuildOptions(index="no-such-index"))
    with pytest.raises(BadSetting, match="deutsch"):
        rebuild(own_shop, opened, RebuildOptions(language="deutsch"))
    assert generation_ids(own_shop) == before


def test_an_empty_catalogue_gives_an_empty_index(settings: Settings, database: Database) -> None:
    report = rebuild(settings, database)
    assert report.items == 0
    assert verify_current(settings)["sound"] is True


def test_an_index_that_misses_much_is_told_of(own_shop: Settings, opened: Database) -> None:
    assert warn_of_recall(rebuild(own_shop, opened).as_dict()) is None
    report = rebuild(own_shop, opened, RebuildOptions(index="PQ1x4"))  # sixteen different vectors for all items
    assert report.recall["text"] < 0.9
    engine = SearchEngine(own_shop, opened)
    assert engine.status()["alarms"] == [warn_of_recall(report.as_dict())]
    assert "--index auto" in str(warn_of_recall(report.as_dict()))
    engine.close()


@pytest.mark.parametrize("name", ["manifest.json", "CURRENT"])
def test_a_flipped_bit_is_noticed_and_the_generation_before_serves(
    own_shop: Settings, opened: Database, name: str
) -> None:
    before = current_id(own_shop)
    made = rebuild(own_shop, opened, RebuildOptions(full=True)).generation
    path = own_shop.current_file if name == "CURRENT" else own_shop.generations_dir / made / name
    sound = path.read_bytes()
    places = [*range(min(len(sound), 40)), *range(40, len(sound), 97)]
    noticed = 0
    for place in places:
        for bit in (1, 64, 128):
            path.write_bytes(sound[:place] + bytes([sound[place] ^ bit]) + sound[place + 1 :])
            generation, alarms = open_current(own_shop)
            assert generation.id in (before, made)
            assert generation.id == made or alarms  # another layout of the same JSON is no damage
            noticed += generation.id != made or bool(alarms)
    assert noticed > 2 * len(places)


def test_an_older_manifest_is_read_and_one_that_lacks_something_is_refused(
    own_shop: Settings, opened: Database
) -> None:
    path = own_shop.generations_dir / str(current_id(own_shop)) / "manifest.json"
    whole = json.loads(path.read_text())
    older = {name: value for name, value in whole.items() if name not in ("checksum", "clicked_items", "log_read_ms")}
    path.write_text(json.dumps(older))
    assert describe_current(own_shop)["clicked_items"] == 0
    assert SearchEngine(own_shop, opened).status()["ready"]
    path.write_text(json.dumps({name: value for name, value in older.items() if name != "dim"}))
    with pytest.raises(GenerationBroken, match="lacks 'dim'"):
        describe_current(own_shop)
