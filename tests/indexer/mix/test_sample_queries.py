"""Queries made of a catalogue's own texts: what they ask for, what is withheld, and that few texts make few of them."""

from collections import Counter

import numpy as np
import pytest

from magpie.indexer.mix.measure import measure_mix
from magpie.indexer.mix.sample_queries import SAMPLE, ItemSampler, SampledQuery, sample_queries
from magpie.indexer.mix.signals import SampledItems, SampledWords, measure_signals
from magpie.indexer.mix.verdict import OwnPicture, find_own_pictures
from magpie.indexer.text.item_text import ItemText
from magpie.indexer.vectors import unit_rows

COLOURS, KINDS, DIM = ("red", "blue", "green", "yellow", "black"), ("sofa", "vase", "lamp", "rug"), 24


def text_of(colour: str, kind: str, number: int) -> ItemText:
    about = f"Turned by hand from local timber. Number {number} dries slowly in warm rooms."
    return ItemText(f"Quilby {number} {colour} {kind}", about, (colour, kind), (colour, kind), kind)


@pytest.fixture(scope="module")
def texts() -> list[ItemText]:
    return [text_of(colour, kind, 10 * n) for n in range(6) for colour in COLOURS for kind in KINDS]


@pytest.fixture(scope="module")
def words(texts: list[ItemText]) -> SampledWords:
    return SampledWords(texts)


@pytest.fixture(scope="module")
def queries(texts: list[ItemText], words: SampledWords) -> list[SampledQuery]:
    return sample_queries(texts, words.language, words.knows)


def test_all_kinds_are_asked_and_the_same_texts_give_the_same_queries(
    texts: list[ItemText], words: SampledWords, queries: list[SampledQuery]
) -> None:
    kinds = Counter(query.kind for query in queries)
    assert set(kinds) == {"title", "attributes", "description", "withheld", "company", "synonyms"}
    assert max(kinds.values()) <= 100
    assert queries == sample_queries(texts, words.language, words.knows)


def test_what_is_relevant_has_what_is_asked_for(texts: list[ItemText], queries: list[SampledQuery]) -> None:
    for query in queries:
        assert query.relevant
        if query.kind == "attributes":
            asked = set(query.text.split())
            assert set(query.relevant) == {p for p, text in enumerate(texts) if set(text.values) == asked}


def test_company_and_synonyms_are_words_that_the_catalogue_lacks(
    words: SampledWords, queries: list[SampledQuery]
) -> None:
    for query in queries:
        if query.kind in ("company", "synonyms"):
            assert not all(words.knows(word) for word in query.text.split())


def test_a_withheld_word_is_unknown_to_the_lexical_index(words: SampledWords) -> None:
    asked = SampledQuery("title", "red sofa", (0,))
    scores, known = words.match(asked)
    withheld, less = words.match(SampledQuery("withheld", "red sofa", (0,), withheld="sofa"))
    assert known == 1 and 0 < less < 1
    assert (scores > 0).sum() > (withheld > 0).sum()


def test_a_hidden_description_is_found_by_no_word(texts: list[ItemText], words: SampledWords) -> None:
    asked = SampledQuery("description", "dries slowly", (0,), is_description_hidden=True)
    nothing = np.zeros((len(texts), 2 * DIM), np.float32)
    items = SampledItems(texts, nothing, nothing, nothing[:, :DIM])
    signals = measure_signals(items, [asked], words, lambda some: np.zeros((len(some), DIM)), lambda _: 1.0)
    assert words.match(asked)[0].any() and not signals.words.any()


def test_a_sample_of_many_items_is_bounded_and_leaves_out_those_without_words() -> None:
    sampler = ItemSampler()
    for row in range(SAMPLE + 500):
        sampler.add(row, text_of("red", "sofa", row))
        sampler.add(-1, ItemText("", "", (), (), ""))
    assert len(sampler.rows) == len(sampler.texts) == SAMPLE
    assert min(sampler.rows) >= 0 and max(sampler.rows) >= SAMPLE
    assert all(str(row) in text.title for row, text in zip(sampler.rows, sampler.texts, strict=True))


def encode(some: list[str]) -> np.ndarray:
    """Unit rows that are alike where texts share words."""
    rows = np.zeros((len(some), DIM), np.float32)
    for row, text in zip(rows, some, strict=True):
        for word in text.lower().split():
            row += np.random.default_rng(sum(word.encode())).standard_normal(DIM)
    return unit_rows(rows)


@pytest.mark.parametrize("understood", [True, False])
def test_a_catalogue_is_measured_and_told(texts: list[ItemText], understood: bool) -> None:
    vectors = encode([text.title for text in texts])
    pictures = vectors if understood else vectors[::-1]
    half = np.sqrt(np.float32(0.5))
    fused = np.concatenate([half * vectors, half * pictures], axis=1)
    about = measure_mix(SampledItems(texts, fused, fused, pictures), 0.0, encode, lambda _: 1.0, "mini")
    assert about["own_picture"]["items"] == len(texts)
    assert set(about["weights"]) == {"vectors", "text", "image", "power"}
    assert ("understands these" in about["verdict"]) == understood
    assert ("--model" in about["verdict"]) != understood
    assert about["judgement"]["all"]["mix"] >= about["judgement"]["all"]["words"] - 0.005


def test_a_catalogue_without_texts_has_the_prior_and_says_so() -> None:
    nothing = np.zeros((0, 2 * DIM), np.float32)
    about = measure_mix(SampledItems([], nothing, nothing, nothing[:, :DIM]), 0.0, encode, lambda _: 1.0, "mini")
    assert about["weights"] == {"vectors": 1.0, "text": 1.0, "image": 1.0, "power": 0.0}
    assert about["judgement"] == {} and "Too few items" in about["verdict"]


def test_pictures_of_items_of_the_same_title_count_as_own_ones() -> None:
    titles = [f"thing {n // 2}" for n in range(40)]
    found = find_own_pictures(titles, encode(titles), encode)
    assert found and found.found == 1 and found.items == 40
    assert found.chance == pytest.approx(1 - (1 - 2 / 40) ** 10)
    assert not OwnPicture(100, 0.12, 0.1).is_understood and OwnPicture(100, 1.0, 0.6).is_understood
    assert find_own_pictures(titles, np.zeros((40, DIM), np.float32), encode) is None
