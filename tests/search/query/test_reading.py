"""A query is read as meant: what is excluded, quoted, a price, a size, company; the rest stays words."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magpie.search.query.query_words import READ, any_of, fold, query_words
from magpie.search.query.spelling import Speller
from magpie.search.request import FilterValue
from tests.support.readings import FACTS, columns_of, facts_of, read


@pytest.mark.parametrize(
    ("query", "words", "excluded"),
    [
        ("blue vase -glass", "blue vase", ["glass"]),
        ("blue vase not glass", "blue vase", ["glass"]),
        ("blue vase, but not glass", "blue vase", ["glass"]),
        ("vases, not blue", "vases", ["blue"]),
        ("vase but not in blue", "vase", ["blue"]),
        ("vase (not blue)", "vase", ["blue"]),
        ("not blue vase", "vase", ["blue"]),
        ("vase -blue -red", "vase", ["blue", "red"]),
        ("vase not red or green", "vase", ["red", "green"]),
        ("vase not red glass", "vase glass", ["red"]),
        ("vase not dark blue", "vase", ["dark blue"]),
        ('vase -"dark blue"', "vase", ["dark blue"]),
        ("vase NOT blue", "vase", ["blue"]),
        ("non-blue vase", "vase", ["blue"]),
        ("a vase that isn't blue", "a vase", ["blue"]),
        ("vase neither blue nor red", "vase", ["blue", "red"]),
        ("dress without long sleeves", "dress", ["long sleeves"]),
        ("dress without sleeves blue", "dress blue", ["sleeves"]),
        ("blue vase with no handle for tulips", "blue vase for tulips", ["handle"]),
        ("Lampe ohne Schirm", "Lampe", ["Schirm"]),
        ("lampe sans pied", "lampe", ["pied"]),
        ("lámpara sin pie", "lámpara", ["pie"]),
        ("花瓶 不要 玻璃", "花瓶", ["玻璃"]),
        ("不要蓝色的花瓶", "花瓶", ["蓝色"]),
        ("-glass", "", ["glass"]),
        # no exclusions
        ("do not disturb sign", "do not disturb sign", []),
        ("no parking sign", "no parking sign", []),
        ("chanel no 5", "chanel no 5", []),
        ("non stick pan", "non stick pan", []),
        ("t-shirt", "t-shirt", []),
        ("not", "not", []),
        ("vase - glass", "vase - glass", []),
    ],
)
def test_exclusions(query: str, words: str, excluded: list[str]) -> None:
    reading = read(query)
    assert (reading.words, list(reading.excluded)) == (words, excluded)


@pytest.mark.parametrize(
    ("query", "words", "bounds"),
    [
        ("lamp under 50", "lamp", {"lte": 50}),
        ("lamps below 50 €", "lamps", {"lte": 50}),
        ("lamp under €50", "lamp", {"lte": 50}),
        ("lamp less than 50 euro", "lamp", {"lte": 50}),
        ("lamp, not more than 50", "lamp", {"lte": 50}),
        ("lamp max 50 €", "lamp", {"lte": 50}),
        ("lamp under $1,299.99", "lamp", {"lte": 1299.99}),
        ("Lampe unter 1.250,50 €", "Lampe", {"lte": 1250.5}),
        ("Lampe bis 30 Euro", "Lampe", {"lte": 30}),
        ("Lampe bis 20,-", "Lampe", {"lte": 20}),
        ("lampe moins de 30 €", "lampe", {"lte": 30}),
        ("50元以下的灯", "灯", {"lte": 50}),
        ("lamp € 50 or less", "lamp", {"lte": 50}),
        ("lamp over 100", "lamp", {"gte": 100}),
        ("lamp from 100 €", "lamp", {"gte": 100}),
        ("lamp between 20 and 60", "lamp", {"gte": 20, "lte": 60}),
        ("lamp between €60 and €20", "lamp", {"gte": 20, "lte": 60}),
        ("lamp from 20 to 60 euro", "lamp", {"gte": 20, "lte": 60}),
        ("lamp 20-60 €", "lamp", {"gte": 20, "lte": 60}),
        ("灯 20到60元", "灯", {"gte": 20, "lte": 60}),
        ("lamp over 20 under 50", "lamp", {"gte": 20, "lte": 50}),
        ("lamp under 50 with shade", "lamp with shade", {"lte": 50}),
        ("lamp that costs less than 50", "lamp", {"lte": 50}),
        ("lamp with a price under 50", "lamp", {"lte": 50}),
        ("lamp between 20 & 60", "lamp", {"gte": 20, "lte": 60}),
        ("lamp under 50 blue", "lamp blue", {"lte": 50}),
        ("under 50 lamp", "lamp", {"lte": 50}),
        ("lamp 40 W under 50", "lamp 40 W", {"lte": 50}),
        ("under 50", "", {"lte": 50}),
        # no prices
        ("under bed storage", "under bed storage", None),
        ("over-door hook", "over-door hook", None),
        ("box under 50 litres", "box under 50 litres", None),
        ("puzzle over 100 pieces", "puzzle over 100 pieces", None),
        ("shoes 20-60", "shoes 20-60", None),
        ("air max 90", "air max 90", None),
        ("wine from 1990", "wine from 1990", None),
        ("20 x 30", "20 x 30", None),
        ("lamp under 50%", "lamp under 50%", None),
    ],
)
def test_prices(query: str, words: str, bounds: dict[str, float] | None) -> None:
    reading = read(query)
    assert (reading.words, reading.bounds.get("price")) == (words, bounds)


def test_an_ambiguous_word_before_a_number_is_a_price_where_no_item_has_the_word() -> None:
    assert read("lamp max 90").bounds == {}  # "Air Max 90" is sold
    without = facts_of(columns_of("Table lamp"))
    assert read("lamp max 90", without).bounds == {"price": {"lte": 90}}


def test_prices_need_prices() -> None:
    assert read("lamp under 50", facts_of(columns_of("Table lamp", price=None))).words == "lamp under 50"


def test_a_currency_filters_where_there_are_several() -> None:
    both = facts_of(columns_of("Lamp", currency="EUR"), columns_of("Lamp", currency="USD"))
    assert read("lamp under $50", both).filters == {"price": {"lte": 50}, "currency": ["USD"]}
    assert read("lamp under 50", both).filters == {"price": {"lte": 50}}
    assert read("lamp under $50").filters == {"price": {"lte": 50}}


@pytest.mark.parametrize(
    ("query", "words", "bounds"),
    [
        ("vase taller than 30 cm", "vase", {"height_cm": {"gte": 30}}),
        ("shelf at least 2 m high", "shelf", {"height_cm": {"gte": 200}}),
        ("shelf 60-80 cm wide", "shelf", {"Width (cm)": {"gte": 60, "lte": 80}}),
        ("shelf between 60 and 80 cm wide", "shelf", {"Width (cm)": {"gte": 60, "lte": 80}}),
        ("width under 10 inches shelf", "shelf", {"Width (cm)": {"lte": 25.4}}),
        ("lamp lighter than 500 g", "lamp", {"weight kg": {"lte": 0.5}}),
        ("lamp under 2 kg under 50 €", "lamp", {"weight kg": {"lte": 2}, "price": {"lte": 50}}),
        ("Regal höher als 1,5 m", "Regal", {"height_cm": {"gte": 150}}),
        # height or width is not said; no column measures volume; no comparison
        ("box under 50 cm", "box under 50 cm", {}),
        ("bottle at least 2 litres", "bottle at least 2 litres", {}),
        ("board 80 cm", "board 80 cm", {}),
        ("rug 160 x 230 cm", "rug 160 x 230 cm", {}),
    ],
)
def test_measures(query: str, words: str, bounds: dict[str, dict[str, float]]) -> None:
    reading = read(query)
    assert (reading.words, reading.bounds) == (words, bounds)


@pytest.mark.parametrize(
    ("query", "filters"),
    [
        ("smaller", {"height_cm": {"lt": 30}}),  # the longest side
        ("wider, in blue", {"Width (cm)": {"gt": 10}}),
        ("cheaper and taller", {"price": {"lt": 20}, "height_cm": {"gt": 30}}),
        ("heavier", {}),
    ],
)
def test_comparisons_with_the_example(query: str, filters: dict[str, FilterValue]) -> None:
    example = {"height_cm": 30.0, "Width (cm)": 10.0, "price": 20.0}
    assert read(query, example=example).filters == filters
    assert read(query).filters == {}


@pytest.mark.parametrize(
    ("query", "words", "phrases"),
    [
        ('"shirt dress"', "shirt dress", ["shirt dress"]),
        ('red "shirt dress"', "red shirt dress", ["shirt dress"]),
        ("„Shirt Dress“ rot", "Shirt Dress rot", ["Shirt Dress"]),
        ("«shirt dress» 「红色」", "shirt dress 红色", ["shirt dress", "红色"]),
        ('12" pipe and 3" pipe', '12" pipe and 3" pipe', []),
        ('"unclosed phrase', '"unclosed phrase', []),
        ('"" lamp', '"" lamp', []),
    ],
)
def test_phrases(query: str, words: str, phrases: list[str]) -> None:
    reading = read(query)
    assert (reading.words, list(reading.phrases)) == (words, phrases)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("I am looking for a vase", "vase"),
        ("show me vases please", "vases"),
        ("Hello, do you have any lamps?", "lamps"),
        ("Ich suche eine Lampe, bitte", "Lampe"),
        ("je cherche une lampe", "lampe"),
        ("请给我看花瓶", "花瓶"),
        ("please", "please"),
        ("looking for", "looking for"),
    ],
)
def test_company_is_left_out(query: str, words: str) -> None:
    assert read(query).words == words


def test_a_size_stays_a_word_without_the_word_for_it() -> None:
    assert (read("t-shirt size M").words, read("t-shirt size 43").words) == ("t-shirt M", "t-shirt size 43")


def test_cheap_is_a_preference_and_no_word() -> None:
    assert (read("cheap lamp").words, read("cheap lamp").prefers_low_prices) == ("lamp", True)
    assert not read("Cheap Trick record").prefers_low_prices  # so one item is called
    assert read("cheap").words == "cheap" and not read("cheap").prefers_low_prices


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("blue glasses", [("blue", "colour", "blue"), ("glasses", "material", "glass")]),
        ("dark blue vases", [("dark blue", "colour", "dark blue"), ("vases", "kind", "vase")]),
        ("shoes, size 42", [("size 42", "size", "42")]),
        ("dress, size: m", [("size: m", "size", "M"), ("dress", "kind", "dress")]),
        ("蓝色花瓶", [("蓝色", "farbe", "蓝色")]),
        ("size 43 m", []),
    ],
)
def test_attribute_values(query: str, values: list[tuple[str, str, str]]) -> None:
    assert [(one.text, one.field, *one.words) for one in read(query).understood if one.kind == "value"] == values


def test_misspelt_words_are_put_right_in_what_is_searched_and_excluded() -> None:
    reading = read("Blue vaze not galss under 50")
    assert (reading.words, reading.excluded) == ("Blue vase", ("glass",))
    assert reading.corrected == "Blue vase not glass under 50"
    plain = read("Blue vaze not galss under 50", correct=False)
    assert (plain.words, plain.excluded, plain.corrected) == ("Blue vaze", ("galss",), "")


def test_an_unsure_correction_is_only_asked_about() -> None:
    speller = Speller({"lamp": 200_000, "shade": 1}, ("en",))
    reading = read("Red shaed", speller=speller)
    assert (reading.words, reading.corrected, reading.did_you_mean) == ("Red shaed", "", "Red shade")


def test_literal_parts_and_unread_queries_are_words() -> None:
    query = "blue vase not glass under 50"
    assert read(query, read=False).words == query and read(query, read=False).understood == ()
    some = read(query, literal=("Under 50",))
    assert (some.words, some.excluded, some.bounds) == ("blue vase under 50", ("glass",), {})
    assert read(query, literal=("under 50", "not glass")).words == query


def test_the_reading_tells_what_it_took() -> None:
    told = read('show me a "shirt dress" -red under 50, taller than 1 m, cheap').understood
    assert [(one.kind, one.text, one.field, one.filter, one.words) for one in told] == [
        ("asking", "show me a", "", None, ()),
        ("phrase", '"shirt dress"', "", None, ("shirt dress",)),
        ("exclusion", "-red", "", None, ("red",)),
        ("price", "under 50", "price", {"lte": 50}, ()),
        ("measure", "taller than 1 m", "height_cm", {"gte": 100}, ()),
        ("preference", "cheap", "price", None, ()),
        ("value", "dress", "kind", None, ("dress",)),
    ]


def test_many_exclusions() -> None:
    reading = read("vase " + " ".join(f"-x{n}" for n in range(300)))
    assert reading.words == "vase" and len(reading.excluded) == 300


PIECES = st.sampled_from(
    ["not", "without", "-", '"', "“", "under", "between", "and", "€", "50", "20-60", "cm", "taller than", "size", "M",
     "blue", "vase", "cheap", "please", "show me", "不要", "蓝色", "的", "İ", "ß", "🙂", READ, "(", ")", "1,2.3"]
)  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=5), max_size=40).map(" ".join) | st.text(max_size=1000), st.booleans())
def test_any_text_is_read_and_what_is_told_stands_in_it(text: str, correct: bool) -> None:
    reading = read(text, correct=correct)
    assert all(one.text in " ".join(text.split()) for one in reading.understood if one.kind not in ("value", "synonym"))
    assert reading.words or reading.narrows or not text.strip()
    again = read(text, correct=correct, literal=tuple(one.text for one in reading.understood if one.text))
    assert len(again.words) <= 2 * len(text) + 10


def test_the_words_that_queries_are_read_by_are_in_lower_case() -> None:
    written = json.dumps(
        {name: each for name, each in query_words().items() if name != "currencies"}, ensure_ascii=False
    )
    assert written == fold(written)


def test_a_word_is_found_whole() -> None:
    pattern = re.compile(any_of(["in", "at least", "以下"]))
    assert [match.group() for match in pattern.finditer("in tin inn at least 50以下的")] == ["in", "at least", "以下"]


def test_facts_follow_the_columns() -> None:
    assert FACTS.has_prices and FACTS.currencies == {"EUR"}
    assert {measure.field: (measure.aspect, measure.unit) for measure in FACTS.measures} == {
        "height_cm": ("height", 1), "Width (cm)": ("width", 1), "weight kg": ("weight", 1000),
    }  # fmt: skip
