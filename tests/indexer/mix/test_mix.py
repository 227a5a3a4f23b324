"""The mix: weights of a query, the prior of silent texts, the fit on signals, and that it never loses to a part."""

import numpy as np
import pytest

from magpie.indexer.mix.fit import MARGIN, PARTS, Fitted, fit_mix, ndcg_of, scores_of
from magpie.indexer.mix.mix import EVEN, Mix, mix_of, prior_mix, silence_of
from magpie.indexer.mix.signals import Signals

ITEMS, QUERIES = 200, 160


def made_signals(words: float, text: float, image: float, seed: int = 0) -> Signals:
    """One relevant item a query, which each signal raises by so much above noise from 0 to 1."""
    rng = np.random.default_rng(seed)
    relevant = np.zeros((QUERIES, ITEMS), bool)
    relevant[np.arange(QUERIES), rng.integers(0, ITEMS, QUERIES)] = True
    noise = rng.random((3, QUERIES, ITEMS)).astype(np.float32)
    raised = [each + relevant * np.float32(by) for each, by in zip(noise, (words, text, image), strict=True)]
    known = np.ones(QUERIES)
    return Signals(*raised, relevant, known, known, np.array(["title", "company"] * (QUERIES // 2)))


def test_even_weights_are_one_each() -> None:
    weights = EVEN.of_query(known_words=1.0, known_by_encoder=1.0)
    assert (weights.words, weights.text, weights.image, weights.vectors) == (1, 1, 1, 1)


def test_words_that_no_item_has_lower_the_words_only_where_texts_are_silent() -> None:
    assert EVEN.of_query(0.5, 1.0).words == 1
    assert Mix(power=3.0).of_query(0.5, 1.0).words == pytest.approx(0.5**3)


def test_words_that_the_encoder_does_not_know_lower_the_vectors() -> None:
    weights = Mix(text=1.5, image=0.5).of_query(1.0, 0.5)
    assert (weights.words, weights.text, weights.image) == (1, 0.75, 0.25)
    assert EVEN.of_query(1.0, 0.0).vectors > 0  # they still order what no word finds


def test_silent_texts_leave_the_answer_to_the_vectors() -> None:
    assert prior_mix(0.0) == EVEN
    silent = prior_mix(1.0)
    assert silent.vectors == pytest.approx(2 * 4 / 5) and silent.words == pytest.approx(2 / 5) and silent.power == 3


def test_texts_are_silent_only_where_the_encoder_understands_the_pictures() -> None:
    assert silence_of(0.0, typical_agreement=2.5) == 1
    assert silence_of(0.0, typical_agreement=0.5) == 0
    assert silence_of(0.7, typical_agreement=2.5) == 0
    assert silence_of(None, typical_agreement=1.0) == 0


def test_a_generation_of_an_older_magpie_has_the_prior() -> None:
    manifest = {"text_weighing": {"typical": 2.6}, "fusion_weights": {"text": 0.007}}
    assert mix_of(manifest) == prior_mix(silence_of(0.007, 2.6))
    assert mix_of({"text_weighing": {"typical": 2.6}}) == EVEN
    assert mix_of(manifest | {"mix": {"weights": {"vectors": 0.5}}}) == Mix(vectors=0.5)


def test_scores_are_the_weighted_sums_of_the_signals() -> None:
    signals, mix = made_signals(1, 1, 1), Mix(vectors=0.5, text=1.5, image=0.5)
    expected = 1.5 * signals.words + 0.5 * 1.5 * signals.text + 0.5 * 0.5 * signals.image
    np.testing.assert_allclose(scores_of(signals, mix), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("words", "text", "image"), [(1.5, 0.0, 0.0), (0.0, 1.5, 0.0), (0.0, 0.0, 1.5), (1.0, 1.0, 0.0), (0.6, 0.6, 0.6)]
)
def test_a_mix_is_never_behind_its_best_part(words: float, text: float, image: float) -> None:
    fitted = fit_mix(made_signals(words, text, image), EVEN, silence=0.0)
    again = made_signals(words, text, image, seed=1)  # other queries of the same kind
    reached = ndcg_of(again, fitted.mix).mean()
    assert reached >= max(ndcg_of(again, part).mean() for part in PARTS.values()) - 4 * MARGIN


def test_a_signal_of_noise_gets_little_weight() -> None:
    fitted = fit_mix(made_signals(1.2, 0.0, 0.0), EVEN, silence=0.0)
    assert fitted.mix.vectors <= 0.2 and fitted.mix.vectors > 0
    assert fit_mix(made_signals(0.0, 0.5, 0.5), EVEN, silence=0.0).mix.vectors >= 1.6


def test_with_few_queries_and_with_silent_texts_the_prior_stays() -> None:
    signals, prior = made_signals(1.5, 0.0, 0.0), prior_mix(0.9)
    assert fit_mix(signals.take(np.arange(10)), prior, silence=0.0) == Fitted(prior, {})
    assert fit_mix(signals, prior, silence=0.9).mix == prior


def test_the_judgement_names_each_kind_and_its_best_part() -> None:
    judged = fit_mix(made_signals(1.5, 0.0, 0.0), EVEN, silence=0.0).judgement
    assert set(judged) == {"all", "title", "company"}
    assert judged["all"]["best_part"] == "words" and judged["all"]["queries"] == QUERIES / 2
    assert judged["title"]["words"] > judged["title"]["text"]
