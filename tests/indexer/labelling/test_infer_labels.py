"""Inferred attribute values: how sure they are is measured, what was given goes before them, and they can be undone."""

from pathlib import Path

import numpy as np
import pytest

from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.catalogue.inferred_labels import count_labels, replace_labels
from magpie.data.database.connection import open_database
from magpie.data.errors import BadSetting
from magpie.data.feeds.export_catalogue import export_catalogue
from magpie.data.settings import Settings
from magpie.indexer.labelling.infer_labels import LabelRequest, label_items
from magpie.indexer.labelling.value_classifier import ValueClassifier
from magpie.indexer.vectors import unit_rows
from magpie.search.engine import SearchEngine
from magpie.search.request import SearchRequest
from magpie.web.api.answer_search import hit_as_dict
from tests.support.shop import COLOURS, HOSTILE_ID, draw

RNG = np.random.default_rng(0)
NAMES = unit_rows(RNG.standard_normal((4, 24)).astype(np.float32))


def drawn(count: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Vectors near the names of their values, and the truth; every tenth has a value that nobody asked for."""
    of_value = RNG.integers(0, 4, count)
    truth = np.eye(4, dtype=bool)[of_value]
    vectors = NAMES[of_value] + noise * unit_rows(RNG.standard_normal((count, 24)).astype(np.float32))
    vectors[::10], truth[::10] = RNG.standard_normal((len(truth[::10]), 24)), False
    return unit_rows(vectors), truth


@pytest.mark.parametrize("noise", [0.8, 1.6])
def test_confidence_is_the_share_that_is_right(noise: float) -> None:
    classifier = ValueClassifier.fit(NAMES, *drawn(1500, noise))
    vectors, truth = drawn(4000, noise)
    guesses = classifier.guess(vectors)
    is_right = truth[np.arange(len(truth)), guesses.best]
    assert abs(guesses.confidence.mean() - is_right.mean()) < 0.03
    sure = guesses.confidence >= 0.8
    assert is_right[sure].mean() >= 0.8
    measured = classifier.is_right[classifier.measured.confidence >= 0.8].mean()
    assert measured == pytest.approx(is_right[sure].mean(), abs=0.05)
    assert guesses.confidence.max() < 1


def test_with_few_known_items_the_names_decide() -> None:
    classifier = ValueClassifier.fit(NAMES, *drawn(0, 1.0))
    vectors, truth = drawn(400, 0.5)
    guesses = classifier.guess(vectors)
    known = truth.any(axis=1)
    assert truth[np.arange(400), guesses.best][known].mean() > 0.95
    assert len(classifier.is_right) == 0


def add_unlabelled(catalogue: Catalogue, folder: Path) -> None:
    """A picture of a blue box that nothing is said of, and one that says its colour."""
    draw("box", "blue", folder / "new.jpg")
    catalogue.upsert([ItemDraft("plain", "Thing", pictures=("new.jpg",))], folder)


@pytest.fixture
def labelled(own_shop: Settings, tmp_path: Path):
    """The shop with one more item, indexed, and its colours filled in: settings, catalogue, report."""
    from magpie.indexer.rebuild import rebuild

    database = open_database(own_shop)
    catalogue = Catalogue(database, own_shop)
    add_unlabelled(catalogue, tmp_path)
    rebuild(own_shop, database)
    report = label_items(own_shop, database, LabelRequest("colour", tuple(COLOURS), 0.3))
    yield own_shop, catalogue, report
    database.close()


def test_a_missing_colour_is_inferred_marked_and_filtered_by(labelled) -> None:
    settings, catalogue, report = labelled
    assert report.labelled + report.unsure == 3
    assert report.known["items"] == 30 and report.known["precision"] is None  # too few to measure
    label = catalogue.get("plain").inferred["colour"]
    assert label.value == "Blue" and label.confidence >= 0.3  # spelt as the catalogue does
    assert catalogue.get("plain").attributes == {}
    answer = SearchEngine(settings, catalogue.database).search(SearchRequest(filters={"colour": ["blue"]}, k=20))
    hits = {hit.item_id: hit_as_dict(hit) for hit in answer.hits}
    assert len(hits) >= 6
    assert hits["plain"]["attributes"]["colour"] == "Blue"
    assert hits["plain"]["inferred"] == {"colour": label.confidence}
    assert "inferred" not in hits["box-blue"]


def test_a_given_value_replaces_the_inferred_one(labelled, tmp_path: Path) -> None:
    _, catalogue, _ = labelled
    catalogue.upsert([ItemDraft("plain", "Thing", attributes={"colour": "Teal"}, pictures=("new.jpg",))], tmp_path)
    item = catalogue.get("plain")
    assert item.attributes == {"colour": "Teal"} and item.inferred == {}
    catalogue.upsert([ItemDraft("plain", "Thing", pictures=("new.jpg",))], tmp_path)
    assert catalogue.get("plain").inferred == {}  # gone for good, not only hidden


def test_labels_survive_an_import_that_does_not_answer_them(labelled, tmp_path: Path) -> None:
    _, catalogue, _ = labelled
    catalogue.upsert([ItemDraft("plain", "Renamed", pictures=("new.jpg",))], tmp_path)
    assert catalogue.get("plain").inferred["colour"].value == "Blue"


def test_labels_are_undone_and_never_exported(labelled, tmp_path: Path) -> None:
    settings, catalogue, report = labelled
    export_catalogue(catalogue, tmp_path / "all.jsonl")
    assert '"inferred"' not in (tmp_path / "all.jsonl").read_text()
    engine = SearchEngine(settings, catalogue.database)
    assert "plain" in [h.item_id for h in engine.search(SearchRequest(filters={"colour": ["Blue"]}, k=20)).hits]
    before = catalogue.revision()
    assert replace_labels(catalogue.database, "colour", {}) == report.labelled
    assert catalogue.revision() == before + report.labelled
    assert count_labels(catalogue.database) == {}
    engine.refresh()
    assert "plain" not in [h.item_id for h in engine.search(SearchRequest(filters={"colour": ["Blue"]}, k=20)).hits]


def test_labelling_again_changes_only_what_differs(labelled) -> None:
    settings, catalogue, report = labelled
    before = catalogue.revision()
    label_items(settings, catalogue.database, LabelRequest("colour", tuple(COLOURS), 0.3))
    assert catalogue.revision() == before
    again = label_items(settings, catalogue.database, LabelRequest("colour", tuple(COLOURS), 1.0))
    assert again.labelled == 0 and count_labels(catalogue.database) == {}
    assert catalogue.get(HOSTILE_ID).inferred == {}
    assert catalogue.revision() == before + report.labelled


@pytest.mark.parametrize(
    ("request_", "culprit"),
    [
        (LabelRequest("price", ("1", "2")), "price"),
        (LabelRequest("year", ("2010", "2011")), "number"),
        (LabelRequest("colour", ("red", "Red")), "different"),
        (LabelRequest("colour", ("red", " ")), "empty"),
        (LabelRequest("colour", ("red", "blue"), 1.5), "1.5"),
    ],
)
def test_what_cannot_be_inferred_is_refused(shop: Settings, request_: LabelRequest, culprit: str) -> None:
    database = open_database(shop)
    with pytest.raises(BadSetting, match=culprit):
        label_items(shop, database, request_)
    database.close()
