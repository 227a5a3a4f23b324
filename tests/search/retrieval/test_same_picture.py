"""A picture finds itself: near-identical pictures lead, others keep their order, a shop's own pictures are first."""

import io
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from magpie.data.database.connection import open_database
from magpie.data.settings import Settings
from magpie.indexer.indexes.vector_index import Neighbours
from magpie.search.engine import SearchEngine
from magpie.search.request import SearchRequest
from magpie.search.retrieval.same_picture import SamePicture
from tests.support.shop import COLOURS, KINDS, draw

NEAR = Neighbours(np.array([4, 2, 7]), np.array([0.8, 0.7, 0.6], np.float32))


def similarities(rows: np.ndarray) -> np.ndarray:
    return np.full(len(rows), 0.3, np.float32)


def lifted(rows: list[int], cosines: list[float], reach: float = 0.1) -> Neighbours:
    pictures = Neighbours(np.array(rows), np.array(cosines, np.float32))
    return SamePicture(reach, best=0.8).lift(NEAR, pictures, similarities)


def test_the_same_picture_leads_by_a_little() -> None:
    found = lifted([7, 4], [1.0, 0.5])
    assert found.rows.tolist() == [7, 4, 2]
    np.testing.assert_allclose(found.scores, [0.8 + 0.1, 0.8, 0.7], atol=1e-6)


def test_a_picture_half_as_near_is_lifted_half_as_far() -> None:
    found = lifted([7], [0.95])
    np.testing.assert_allclose(found.scores[found.rows == 7], 0.6 + 0.5 * (0.8 - 0.6 + 0.1), atol=1e-6)


def test_an_item_that_was_no_neighbour_comes_in_and_others_keep_their_order() -> None:
    found = lifted([9], [0.999])
    assert found.rows.tolist() == [9, 4, 2, 7]
    assert found.scores[0] == pytest.approx(0.3 + 0.99 * (0.8 - 0.3 + 0.1), abs=1e-4)


def test_pictures_beyond_reach_change_nothing() -> None:
    assert lifted([7, 9], [0.89, 0.2]) is NEAR


@pytest.fixture(scope="module")
def engine(shop: Settings) -> Iterator[SearchEngine]:
    database = open_database(shop)
    opened = SearchEngine(shop, database)
    yield opened
    opened.close()
    database.close()


ALTERED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "unchanged": lambda picture: picture,
    "smaller": lambda picture: picture.resize((48, 60)),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.2),
    "turned": lambda picture: picture.rotate(6, Image.Resampling.BICUBIC, fillcolor="white"),
    "cut": lambda picture: picture.crop((4, 5, 92, 115)),
}


@pytest.mark.parametrize("how", ALTERED)
def test_the_pictures_of_a_shop_find_their_own_items(engine: SearchEngine, how: str, tmp_path) -> None:
    first, among_three = [], []
    for kind in KINDS[1:]:  # there is another item with the picture of the red ball
        for colour in COLOURS:
            data = io.BytesIO()
            picture = Image.open(draw(kind, colour, tmp_path / "thing.jpg"))
            ALTERED[how](picture).save(data, "JPEG", quality=92 if how == "unchanged" else 60)
            found = engine.search(SearchRequest(picture=data.getvalue(), k=3, facets=False)).hits
            first.append(found[0].item_id == f"{kind}-{colour}")
            among_three.append(f"{kind}-{colour}" in [hit.item_id for hit in found])
    assert np.mean(first) == 1 if how == "unchanged" else np.mean(among_three) >= 0.9


def test_a_picture_with_words_is_still_changed_by_them(engine: SearchEngine, tmp_path) -> None:
    picture = draw("kite", "red", tmp_path / "kite.jpg").read_bytes()
    found = engine.search(SearchRequest(text="blue", picture=picture, k=1, facets=False)).hits
    assert found[0].item_id == "kite-blue"
