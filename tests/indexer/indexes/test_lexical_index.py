"""The lexical index: stems, joined and split words, codes, phrases, scripts, and a score that means the same for every
query and whichever index an item is in."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from magpie.indexer.indexes.collection_statistics import SIDE_BY_SIDE, CollectionStatistics
from magpie.indexer.indexes.fast_arrays import best_first
from magpie.indexer.indexes.lexical_index import LexicalIndex, LexicalMatches
from magpie.indexer.indexes.lexical_index_builder import FIELD_WEIGHTS, SATURATION, LexicalIndexBuilder
from magpie.indexer.text.query_words import QueryWords, analyse_query, phrase_of, spellings_of

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
    "Candlestick in brass",  # 9
    "Table cloth",  # 10
    "WH-1000XM4 headset",  # 11
    "AC/DC adapter",  # 12
    "AC motor",  # 13
    "Learning C++",  # 14
    "Learning C#",  # 15
    "Copper pipe ½ inch",  # 16
    "Copper pipe 2 inch",  # 17
    "İstanbul tile",  # 18
    "حذاء جلدي أسود",  # 19
    "เสื้อเชิ้ตผ้าฝ้ายสีขาว",  # 20
    "Wall board 80 cm",  # 21
    "Wall board 8 cm",  # 22
    "Book shelves",  # 23
    "黑铁落地灯",  # 24
]


def build(titles: Sequence[str], like: LexicalIndex | None = None, language: str = "en") -> LexicalIndex:
    builder = LexicalIndexBuilder(like, language)
    for title in titles:
        builder.add({"title": title, "body": "a thing of beauty" if title == TITLES[6] else ""})
    return builder.finish()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> LexicalIndex:
    folder: Path = tmp_path_factory.mktemp("lexical") / "words"
    build(TITLES).save(folder)
    return LexicalIndex.open(folder)


def statistics_of(*indexes: LexicalIndex, dead: Sequence[int] = ()) -> CollectionStatistics:
    """The statistics of these indexes; `dead` are rows of the first."""
    masks = [np.zeros(index.num_rows, bool) for index in indexes]
    masks[0][list(dead)] = True
    return CollectionStatistics(zip(indexes, masks, strict=True))


def matches_of(index: LexicalIndex, query: str | QueryWords) -> LexicalMatches:
    words = analyse_query(query, index.languages) if isinstance(query, str) else query
    return index.match(statistics_of(index).look_up(words))


def found(index: LexicalIndex, query: str | QueryWords) -> list[int]:
    """The matching rows, the best first."""
    matches = matches_of(index, query)
    return matches.rows[best_first(matches.scores, matches.rows)].tolist()


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("shoe", 7),
        ("RUNNING shoe", 0),
        ("t-shirt", 1),
        ("t shirt", 1),
        ("tshirt", 1),
        ("花瓶", 3),
        ("灯", 24),
        ("落地灯", 24),
        ("mens socks", 5),
        ("cafe creme", 8),
        ("women's shoes", 0),
        ("candle sticks", 9),
        ("tablecloth", 10),
        ("bookshelf", 23),
        ("book shelf", 23),
        ("xm4", 11),
        ("wh1000", 11),
        ("wh1000xm4", 11),
        ("wh 1000xm4", 11),
        ("wh-1000 xm4", 11),
        ("acdc", 12),
        ("ac-dc adapter", 12),
        ("c++", 14),
        ("c#", 15),
        ("pipe 1/2 inch", 16),
        ("½ inch pipe", 16),
        ("2 inch pipe", 17),
        ("ISTANBUL", 18),
        ("الحذاء", 19),
        ("ผ้าฝ้าย", 20),
        ("80cm board", 21),
        ("8 cm board", 22),
    ],
)
def test_the_first_row_is_what_was_meant(index: LexicalIndex, query: str, first: int) -> None:
    assert found(index, query)[0] == first


def test_a_word_is_not_taken_for_another(index: LexicalIndex) -> None:
    assert found(index, "match") == []  # one edit away from "watch"
    assert set(found(index, "watch")) == {2, 4}


def test_the_score_is_bm25f_over_what_can_be_attained(index: LexicalIndex) -> None:
    n = len(TITLES)
    idf = {df: math.log(1 + (n - df + 0.5) / (df + 0.5)) for df in (1, 2)}
    length, average = 2, index.average_lengths["title"]  # "black watch"
    once = FIELD_WEIGHTS["title"] / (1 - 0.5 + 0.5 * length / average)

    def saturated(frequency: float) -> float:
        return frequency * (SATURATION + 1) / (frequency + SATURATION)

    impact = saturated(once) / saturated(FIELD_WEIGHTS["title"])
    scores = dict(zip(*rows_and_scores(matches_of(index, "black watch")), strict=True))
    assert scores[2] == pytest.approx(impact + SIDE_BY_SIDE, rel=2e-3)  # both words, in half precision
    umbrella = dict(zip(*rows_and_scores(matches_of(index, "black umbrella")), strict=True))
    assert umbrella[6] == pytest.approx(impact * idf[1] / (idf[1] + idf[2]), rel=2e-3)  # one of two


def rows_and_scores(matches: LexicalMatches) -> tuple[list[int], list[float]]:
    return matches.rows.tolist(), matches.scores.tolist()


def test_words_that_no_item_has_take_no_part(index: LexicalIndex) -> None:
    alone, beside = matches_of(index, "umbrella"), matches_of(index, "zzxqv umbrella")
    assert rows_and_scores(alone) == rows_and_scores(beside)
    assert (alone.unknown, beside.unknown) == ((), ("zzxqv",))
    assert alone.known_share == 1 and 0 < beside.known_share < 0.5
    assert len(matches_of(index, "zzxqv wqkjhd").rows) == 0


def test_stop_words_count_little_beside_others_and_fully_alone() -> None:
    index = build(["IT", "The Who", "The band", "A novel in it", "A record"])
    assert found(index, "it")[0] == 0
    assert found(index, "the who") == [1, 2]
    assert found(index, "who record")[0] == 4
    assert 1 not in found(index, "the record")


def test_a_word_in_the_title_counts_more_than_in_the_description() -> None:
    builder = LexicalIndexBuilder(language="en")
    builder.add({"title": "Oak chair", "body": "goes with a table"})
    builder.add({"title": "Oak table", "body": "goes with a chair"})
    assert found(builder.finish(), "table") == [1, 0]


def test_phrases_are_needed_and_excluded_exactly() -> None:
    index = build(["Red shirt dress", "Red dress shirt", "Dress, shirt", "Glass vase", "Ceramic vase"])
    phrase, glass = phrase_of("shirt dress"), phrase_of("glass")
    assert phrase and glass
    assert found(index, QueryWords(phrases=(phrase,))) == [0]
    assert found(index, analyse_query("red").with_phrases([phrase])) == [0]
    assert found(index, analyse_query("vase").with_phrases(excluded=[glass])) == [4]


def test_what_is_excluded_may_stand_in_the_body() -> None:
    builder = LexicalIndexBuilder()
    builder.add({"title": "Blue vase", "body": "Looks like cut glass."})
    builder.add({"title": "Vase", "attributes": "cut glass\nblue", "body": "For tulips."})
    index, glass = builder.finish(), phrase_of("cut glass")
    assert glass and found(index, QueryWords(phrases=(glass,))) == [0, 1]
    assert found(index, analyse_query("vase").with_phrases(excluded=[glass])) == [0]
    assert index.having(glass, in_body=False).tolist() == [False, True]


def test_all_spellings_of_a_word_are_excluded() -> None:
    shirt = spellings_of("tshirt")
    index = build(["Blue T-shirt", "Blue tshirt", "Blue t shirt", "Blue shirt"])
    assert shirt and found(index, analyse_query("blue").with_phrases(excluded=[shirt])) == [3]


def test_no_phrase_goes_across_values() -> None:
    builder = LexicalIndexBuilder(language="en")
    builder.add({"title": "Lamp", "attributes": "dark blue\nglass"})
    index = builder.finish()
    dark, across = phrase_of("dark blue"), phrase_of("blue glass")
    assert dark and across
    assert found(index, QueryWords(phrases=(dark,))) == [0]
    assert found(index, QueryWords(phrases=(across,))) == []


def test_a_word_that_is_being_typed_may_go_on(index: LexicalIndex) -> None:
    assert found(index, "umbr") == []
    assert found(index, analyse_query("umbr", is_prefix=True)) == [6]
    assert found(index, analyse_query("blue t-sh", is_prefix=True))[0] == 1


def test_a_score_does_not_depend_on_the_index_that_an_item_is_in(index: LexicalIndex) -> None:
    changed = build([TITLES[2]], like=index)
    apart = statistics_of(index, changed, dead=[2]).look_up(analyse_query("black watch strap"))
    together = statistics_of(index).look_up(analyse_query("black watch strap"))
    assert [word.idf for word in apart.words] == [word.idf for word in together.words]
    before = dict(zip(*rows_and_scores(index.match(together)), strict=True))
    assert rows_and_scores(changed.match(apart)) == ([0], [before[2]])


def test_german_compounds_are_found_by_their_parts() -> None:
    titles = ["Gartenstuhl aus Teakholz", "Bürostuhl mit Rollen", "Weingläser, sechs Stück", "Esstisch", "Stuhl"]
    index = build(titles, language="")
    assert index.language_codes == ("de",)
    assert found(index, "Stühle") == [4, 0, 1]  # the whole word before the head of a compound
    assert found(index, "Glas") == [2]
    assert found(index, "Garten Stuhl")[0] == 0


def test_an_item_of_another_language_is_stemmed_by_its_own() -> None:
    builder = LexicalIndexBuilder(language="en")
    for k in range(20):
        builder.add({"title": f"Table {k}"})
    builder.add({"title": "Chaises hautes"}, language="fr")
    index = builder.finish()
    assert index.language_codes == ("en", "fr")
    assert found(index, "chaise haute") == [20]


def test_the_words_of_the_items_are_counted(index: LexicalIndex) -> None:
    words = dict(index.words())
    assert words["learning"] == 2 and words["café"] == 1 and "80" not in words


ODD = ["", "   ", "!!!", '"', "a:b AND (", "\0", "x" * 1000, "☃ " * 400, "- + /", "1/2/3 4x"]


@pytest.mark.parametrize("query", ODD)
def test_odd_queries_are_harmless(index: LexicalIndex, query: str) -> None:
    matches = matches_of(index, query)
    assert len(matches.rows) == len(matches.scores)


def test_an_empty_index_matches_nothing() -> None:
    assert found(build([]), "anything") == []
