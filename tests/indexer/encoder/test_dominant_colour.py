"""The colour that stands in for a picture: found while indexing, kept as long as its vector."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.database.connection import Database
from magpie.data.settings import Settings
from magpie.indexer.encoder.dominant_colour import find_dominant_colours
from magpie.indexer.encoder.embedding_cache import EmbeddingCache
from magpie.indexer.generations.store import open_current
from magpie.indexer.rebuild import RebuildOptions, rebuild
from magpie.search.engine import SearchEngine
from magpie.search.request import SearchRequest
from magpie.web.app import create_app
from magpie.web.page.cards import tint_label

pytestmark = pytest.mark.slow

NAVY, OLIVE = (0, 0, 128), (128, 128, 0)
colours = st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))


@pytest.fixture
def engine(database: Database, settings: Settings, catalogue: Catalogue, tmp_path: Path) -> Iterator[SearchEngine]:
    """Searches two items: a rug whose picture is navy, and a word without a picture."""
    put(catalogue, tmp_path, "rug", NAVY)
    catalogue.upsert([ItemDraft("word", "Only a word")], tmp_path)
    rebuild(settings, database)
    opened = SearchEngine(settings, database)
    yield opened
    opened.close()


def put(catalogue: Catalogue, folder: Path, name: str, colour: tuple[int, int, int]) -> None:
    Image.new("RGB", (60, 80), colour).save(folder / f"{name}.png")
    catalogue.upsert([ItemDraft(name, name.title(), pictures=(f"{name}.png",))], folder)


def tints(engine: SearchEngine) -> dict[str, tuple[int, int, int] | None]:
    engine.refresh()
    return {hit.item_id: hit.dominant_colour for hit in engine.search(SearchRequest()).hits}


@given(st.lists(colours, min_size=1, max_size=4), st.integers(1, 90), st.integers(1, 90))
def test_a_picture_of_one_colour_has_that_tint(each: list[tuple[int, int, int]], height: int, width: int) -> None:
    pixels = np.broadcast_to(np.array(each, np.uint8)[:, None, None], (len(each), height, width, 3))
    assert find_dominant_colours(pixels).tolist() == [list(colour) for colour in each]


@given(colours, colours)
def test_the_tint_is_of_what_is_seen_most(first: tuple[int, int, int], second: tuple[int, int, int]) -> None:
    pixels = np.empty((1, 80, 64, 3), np.uint8)
    pixels[:, :30], pixels[:, 30:] = second, first
    (tint,) = find_dominant_colours(pixels).tolist()
    if all(one >> 6 == other >> 6 for one, other in zip(first, second, strict=True)):  # one cell of colour: a mixture
        assert all(min(pair) <= value <= max(pair) for value, *pair in zip(tint, first, second, strict=True))
    else:
        assert tuple(tint) == first


def test_what_is_nearly_white_needs_no_tint() -> None:
    assert (tint_label((232, 250, 255)), tint_label((231, 250, 255))) == ("", "#e7faff")


def test_an_item_s_tint_is_there_before_its_picture_was_ever_sent(
    engine: SearchEngine, settings: Settings, tmp_path: Path
) -> None:
    assert tints(engine) == {"rug": NAVY, "word": (255, 255, 255)}
    client = create_app(settings).test_client()
    for address, tinted in (("/?q=rug", 1), ("/item?id=rug", 1), ("/item?id=word", 1)):
        page = client.get(address).get_data(as_text=True)
        assert page.count('class="tint"') == page.count('fill="#000080"') == tinted, address


def test_a_rebuild_that_decodes_nothing_has_the_tints_that_were_kept(
    engine: SearchEngine, settings: Settings, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "rug.png").unlink()
    assert rebuild(settings, database).pictures_encoded == 0
    assert tints(engine)["rug"] == NAVY


def test_a_live_item_has_its_tint_and_a_changed_picture_another(
    engine: SearchEngine, catalogue: Catalogue, settings: Settings, database: Database, tmp_path: Path
) -> None:
    for number in range(3):  # segments of few are merged
        put(catalogue, tmp_path, f"new-{number}", (10 * number, 200, 0))
        tints(engine)
    put(catalogue, tmp_path, "rug", OLIVE)
    expected = {"rug": OLIVE, "new-0": (0, 200, 0), "new-1": (10, 200, 0), "new-2": (20, 200, 0)}
    assert tints(engine) == {**expected, "word": (255, 255, 255)}
    assert rebuild(settings, database).pictures_encoded == 0
    assert tints(engine) == {**expected, "word": (255, 255, 255)}


def test_an_index_from_before_there_were_tints_is_served_without(
    settings: Settings, engine: SearchEngine, database: Database, picture: Callable[..., Path]
) -> None:
    generation, _ = open_current(settings)
    (generation.folder / "tints.npy").unlink()
    assert generation.dominant_colours.tolist() == [[255, 255, 255]] * 2
    rebuild(settings, database, RebuildOptions(full=True))
    assert tints(engine)["rug"] == NAVY


def test_a_video_has_the_tint_of_its_first_frame(tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path, "abc", 8)
    cache.put_dominant_colours(["aa", "bb", "bb"], np.array([NAVY, OLIVE, NAVY], np.uint8))
    assert {key: tuple(tint) for key, tint in cache.get_dominant_colours(["aa", "bb", "cc"]).items()} == {
        "aa": NAVY,
        "bb": OLIVE,
    }
    cache.close()
