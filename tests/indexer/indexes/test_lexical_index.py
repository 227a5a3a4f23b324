"""The lexical index: stems, typos, joined words, CJK, filters, and a score that means the same for every query."""

from pathlib import Path

import numpy as np
import pytest

from magpie.indexer.indexes.lexical_index import LexicalIndex, LexicalIndexBuilder

TITLES = [
    "Red running shoes for women",  # 0
    "Blue T-shirt",  # 1
    "Black watch",  # 2
    "红色花瓶",  # 3
    "Watches and more, black leather strap",  # 4
    "Men's grey socks",  # 5
    "Turquoise umbrella",  # 6
    "Shoe polish",  # 7
    "Café crème mug",  # 8
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> LexicalIndex:
    folder: Path = tmp_path_factory.mktemp("lexical") / "new"
    builder = LexicalIndexBuilder(folder)
    for title in TITLES:
        builder.add({"title": title, "body": "a thing of beauty" if title == TITLES[6] else ""})
    builder.finish()
    return LexicalIndex.open(folder)


def found(index: LexicalIndex, query: str) -> list[int]:
    return list(index.search(query, 10).rows)


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("shoe", 7),
        ("RUNNING shoe", 0),
        ("t-shirt", 1),
        ("t shirt", 1),
        ("tshirt", 1),
        ("花瓶", 3),
        ("mens socks", 5),
        ("turqoise", 6),
        ("umbrela", 6),
        ("wtach", 2),
        ("cafe creme", 8),
        ("women's shoes", 0),
    ],
)
def test_the_first_row_is_what_was_meant(index: LexicalIndex, query: str, first: int) -> None:
    assert found(index, query)[0] == first


def test_a_word_known_to_be_right_is_not_taken_for_another(index: LexicalIndex) -> None:
    assert found(index, "match") == [2, 4]  # one edit away from "watch"
    assert len(index.search("match", 10, right=["match"]).rows) == 0
    assert list(index.search("watch", 10, right=["watch"]).rows) == [2, 4]


def test_an_item_with_all_words_scores_one_or_little_more(index: LexicalIndex) -> None:
    matches = index.search("black watch", 10)
    assert list(matches.rows[:2]) == [2, 4] or list(matches.rows[:2]) == [4, 2]
    assert all(1.0 <= s <= 1.2 for s in matches.scores[:2])


def test_half_of_the_words_score_their_share_of_idf(index: LexicalIndex) -> None:
    n = len(TITLES)
    idf = {df: np.log(1 + (n - df + 0.5) / (df + 0.5)) for df in (1, 2)}
    share = idf[1] / (idf[1] + idf[2])  # umbrella is in one title, black in two
    score = dict(zip(*vars_of(index.search("black umbrella", 10)), strict=True))[6]
    assert share <= score <= share + 0.2


def vars_of(matches):  # rows and scores as plain lists
    return list(matches.rows), list(matches.scores)


def test_a_word_in_the_body_counts_half(index: LexicalIndex) -> None:
    score = index.search("beauty", 10).scores[0]
    assert 0.5 <= score <= 0.5 + 0.1


def test_unknown_words_are_named_and_find_nothing(index: LexicalIndex) -> None:
    matches = index.search("zzxqv wqkjhd", 10)
    assert len(matches.rows) == 0
    assert set(matches.unknown) == {"zzxqv", "wqkjhd"}


def test_a_filter_looks_as_deep_as_it_must(index: LexicalIndex) -> None:
    allowed = np.zeros(len(TITLES), bool)
    allowed[7] = True
    assert list(index.search("shoe", 1, allowed).rows) == [7]
    allowed[:] = False
    allowed[0] = True
    assert list(index.search("shoe", 1, allowed).rows) == [0]


@pytest.mark.parametrize("query", ["", "   ", "!!!", "the and of", '"', "a:b AND (", "\0", "x" * 1000, "☃ " * 400])
def test_odd_queries_are_harmless(index: LexicalIndex, query: str) -> None:
    assert len(index.search(query, 10).rows) == len(index.search(query, 10).scores)
