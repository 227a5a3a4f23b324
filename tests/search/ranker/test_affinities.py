"""What the words of queries tell of items: learned from clicks whose rates are known, for queries that nobody asked."""

import numpy as np
import pytest
from scipy import sparse

from magpie.search.ranker.affinities import Affinities, Table, query_terms
from magpie.search.ranker.affinity_fit import Shown, learn_affinities, most_likely
from magpie.search.ranker.attribute_tags import NO_TAGS, Tags, guess_tags
from magpie.search.ranker.first_stage_arrays import PLACES

KEYS = ["red shoes", "red shirts", "blue shoes", "blue shirts", "red hats"]
TAGS = [("colour", "crimson"), ("colour", "azure"), ("brand", "best")]
RED, BLUE, LOVED = 1, 2, 3  # items that fit red queries, blue queries, and one that everybody likes


def learn(looks: float = 200.0) -> Affinities:
    return learn_all(looks)[0]


def learn_all(looks: float = 200.0, turned: bool = False) -> tuple[Affinities, Table]:
    """Every query showed all three items; what fits is clicked three times as often, what is loved always."""
    query, item = np.repeat(np.arange(len(KEYS)), 3), np.tile([RED, BLUE, LOVED], len(KEYS))
    is_red = np.array([key.startswith("red") for key in KEYS])[query]
    rate = np.where(item == LOVED, 2.0, np.where((item == RED) == is_red, 1.5, 0.5))
    rank = (np.arange(len(query)) + turned * query) % 3
    place = np.column_stack([np.log1p(rank), -rank / 10, np.zeros((len(query), 2))])
    tagged = (np.arange(len(query)), np.where(item == RED, 0, np.where(item == BLUE, 1, 2)), np.ones(len(query)))
    shown = Shown(query, item, place, rate * looks, np.full(len(query), looks), TAGS, tagged)
    return learn_affinities(KEYS, shown, [np.ones(len(query), bool), query < 4])


def test_words_tell_what_fits_queries_that_nobody_asked() -> None:
    red, blue, loved = learn().of_query("red gloves", np.array([RED, BLUE, LOVED]), 0)
    assert red > 0.2
    assert blue < -0.2
    assert red > loved


def test_appeal_is_what_an_item_has_whatever_is_asked() -> None:
    _, appeal = learn_all(turned=True)
    red, blue, loved = appeal.at(np.array([RED, BLUE, LOVED]), 0, 0)
    assert loved > max(red, blue) + 0.2
    assert appeal.at(np.array([99]), 0, 0) == 0


def test_what_everybody_likes_is_not_credited_to_a_word() -> None:
    learned = learn()
    by_word = [learned.of_query(word, np.array([LOVED]), 0)[0] for word in ("red", "blue")]
    assert abs(by_word[0] - by_word[1]) < 0.2
    assert max(abs(value) for value in by_word) < 0.3


def test_unknown_words_and_items_tell_nothing() -> None:
    learned = learn()
    assert learned.of_query("gloves", np.array([RED, BLUE]), 0) == pytest.approx([0, 0])
    assert learned.of_query("red", np.array([99]), 0) == pytest.approx([0])
    assert learned.of_query("hats", np.array([RED]), 1) == pytest.approx([0])  # only the fifth query says hats


def test_little_is_believed_of_few_looks() -> None:
    some, many = (learn(looks).of_query("red", np.array([RED]), 0)[0] for looks in (0.5, 500.0))
    assert 0 < some < many / 2


def test_words_tell_what_attributes_fit_though_nobody_saw_the_item() -> None:
    items = Tags(["colour", "colour", "brand"], ["crimson", "azure", "best"], np.arange(3), np.arange(3))
    likely = guess_tags(items, np.eye(3, dtype=np.float32))
    for key, sign in (("red gloves", 1), ("blue gloves", -1)):
        crimson, azure, best = learn().of_tags(key, likely, 3, 0)[0]
        assert sign * crimson > 0.05 and sign * azure < -0.05
        assert abs(best) < 0.05
    assert learn().of_tags("gloves", likely, 3, 0)[0] == pytest.approx(np.zeros(3))
    assert learn().of_tags("red", guess_tags(NO_TAGS, np.eye(3, dtype=np.float32)), 3, 0)[0] == pytest.approx(0)


def test_the_promise_of_a_place_always_falls() -> None:
    places = np.column_stack([np.log1p(np.arange(5)), -np.arange(5) / 10, -np.arange(5) / 5, np.arange(5) / 5])
    nothing = Table(1, np.zeros(0, np.int64), np.zeros((1, 0)))
    upside_down = Affinities([], [], nothing, nothing, np.array([[2.0, -3.0, -1.0, 1.0]]))
    assert places.shape[1] == len(PLACES)
    assert (np.diff(upside_down.of_places(places, 0)) < 0).all()


def test_the_regression_finds_what_scipy_finds() -> None:
    from scipy.optimize import minimize

    chance = np.random.default_rng(1)
    design = sparse.csr_matrix(chance.normal(size=(40, 12)))
    offset, variances, clicks = chance.normal(size=40), chance.uniform(0.1, 2, 12), chance.poisson(2.0, 40)

    def loss(found: np.ndarray) -> float:
        logs = offset + design @ found
        return float(np.exp(logs).sum() - clicks @ logs + 0.5 * (found**2 / variances).sum())

    wanted = minimize(loss, np.zeros(12), method="BFGS", options={"gtol": 1e-6})
    found = most_likely(design, offset, clicks, variances, np.zeros(12))
    assert loss(found) == pytest.approx(wanted.fun, abs=0.01)
    assert found == pytest.approx(wanted.x, abs=0.02)


def test_terms_are_words_and_their_pairs_in_any_order() -> None:
    assert query_terms("shoes for the red dress") == query_terms("red dress shoe")
    assert sum(weight > 1 for weight in query_terms("red dress shoes").values()) == 3
    assert query_terms("") == {}
