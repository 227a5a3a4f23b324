"""Facets worth having: they split what matches into few groups that people can read."""

import math

import pytest
from numpy import arange

from magpie.search.histogram import histogram
from magpie.search.request import FacetValue, Range
from magpie.search.retrieval.facet_use import facet_use, is_code, range_use, useful_fields


def values(*pairs: tuple[str, int]) -> list[FacetValue]:
    return [FacetValue(value, count) for value, count in pairs]


def test_use_is_coverage_times_entropy() -> None:
    assert facet_use("colour", values(("red", 50), ("blue", 50)), 100) == pytest.approx(1 / 3)
    assert facet_use("colour", values(("red", 25), ("blue", 25)), 100) == pytest.approx(0.5 / 3)
    lopsided = -(0.9 * math.log2(0.9) + 0.1 * math.log2(0.1)) / 3
    assert facet_use("colour", values(("red", 90), ("blue", 10)), 100) == pytest.approx(lopsided)
    assert facet_use("size", values(*((f"s{n}", 10) for n in range(20))), 200) == 1.0


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("kind", values(("lamp", 100))),  # a constant
        ("kind", values(("lamp", 1), ("vase", 0))),  # nearly no item has it
        ("sku", values(*((f"A-{n}", 1) for n in range(30)))),
        ("product_id", values(("17", 2), ("18", 2))),
        ("barcode", values(("400", 4), ("401", 4))),
        ("page", values(("https://a.example/1", 50), ("https://a.example/2", 50))),
        ("html", values(("<p>a</p>", 50), ("<b>b</b>", 50))),
        ("photo", values(("a.jpg", 50), ("b.jpg", 50))),
        ("care", values(("Wash it at thirty degrees, dry it flat, iron it.", 6), ("wipe" * 15, 4))),
        ("serial", values(*((f"word {n}", 1) for n in range(30)))),
    ],
)  # fmt: skip
def test_codes_addresses_sentences_and_constants_are_no_facets(name: str, found: list[FacetValue]) -> None:
    assert facet_use(name, found, 100) == 0.0


def test_ranges_are_judged_by_how_many_items_have_them() -> None:
    span = Range(0.0, 9.0, histogram(arange(10.0)))
    assert (range_use("width", span, 20), range_use("ean", span, 20), range_use("width", span, 0)) == (0.5, 0.0, 1.0)
    assert range_use("width", Range(3.0, 3.0, histogram(arange(3.0, 4.0))), 1) == 0.0


@pytest.mark.parametrize(
    "name", ["id", "Product ID", "itemId", "variant_sku", "EAN", "column_7", "image_url", "zip code"]
)
def test_codes_are_known_by_their_names(name: str) -> None:
    assert is_code(name)


@pytest.mark.parametrize("name", ["colour", "kid", "paid", "width", "acid", "Skill", "notes", "barcode scanner"])
def test_other_names_are_no_codes(name: str) -> None:
    assert not is_code(name)


def test_the_most_useful_come_first() -> None:
    facets = {"a": values(("x", 99), ("y", 1)), "b": values(("x", 50), ("y", 50)), "id": values(("1", 1), ("2", 1))}
    assert useful_fields(facets, 100) == ["b", "a"]
