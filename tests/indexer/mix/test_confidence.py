"""What is known of a query: its words by rarity, its head, and a logistic model without negative weights."""

import numpy as np
import pytest

from magpie.indexer.mix.confidence import FEATURES, evidence_of, fit_confidence, head_of
from magpie.indexer.text.query_words import Languages, analyse_query


@pytest.mark.parametrize(
    ("text", "language", "head"),
    [
        ("leather armchair", "en", "armchair"),
        ("shelves for old books", "en", "shelves"),
        ("a lamp on my desk", "en", "lamp"),
        ("iphone 15", "en", "iphone"),
        ("lampe de bureau", "fr", "lampe"),
        ("table basse", "fr", "table"),
        ("Lampe mit Schirm", "de", "lampe"),
    ],
)
def test_the_head_is_the_word_that_the_others_describe(text: str, language: str, head: str) -> None:
    found = head_of(analyse_query(text, Languages((language,))).words, language)
    assert found is not None and found.text == head


def test_a_number_alone_has_no_head() -> None:
    assert head_of(analyse_query("4711").words, "en") is None
    assert evidence_of(analyse_query("4711"), (), "en", 1.0, 0.5).tolist() == [1.0, 0.0, 1.0, 0.5]


def test_rare_words_tell_more_than_usual_ones() -> None:
    words = analyse_query("good harmonica")
    without_rare, without_usual = (evidence_of(words, [one], "en", 0.5, 0.2) for one in ("harmonica", "good"))
    assert 0 < without_rare[0] < 0.5 < without_usual[0] < 1
    assert (without_rare[1], without_usual[1]) == (0, 1)
    assert without_rare[2] == pytest.approx(0.5 * without_rare[0])


def test_the_model_learns_what_tells_and_leaves_out_what_misleads() -> None:
    rng = np.random.default_rng(0)
    present, absent = rng.random((200, len(FEATURES))), rng.random((60, len(FEATURES)))
    present[:, 0] += 1.0
    absent[:, 3] += 1.0  # what is absent is nearer: no reason to be sure of it
    model = fit_confidence(present, absent)
    assert model.weights["known"] > 1 and model.weights["near"] == 0 and min(model.weights.values()) >= 0
    assert (model.probability(present) > 0.5).mean() > 0.9 and (model.probability(absent) < 0.5).mean() > 0.9
