"""A small catalogue's facts, by which tests read queries."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from magpie.data.catalogue.attribute_types import Kind
from magpie.data.catalogue.items import Item, Value
from magpie.indexer.indexes.attribute_columns import Columns
from magpie.indexer.indexes.attribute_columns_builder import ColumnsBuilder
from magpie.indexer.text.query_words import phrase_of
from magpie.search.query.catalogue_facts import CatalogueFacts, gather_facts
from magpie.search.query.reading import Reading, ReadingOptions, read_query
from magpie.search.query.spelling import Speller
from magpie.search.query.synonyms import by_forms

KINDS: dict[str, Kind] = {"height_cm": "number", "Width (cm)": "number", "weight kg": "number", "year": "number"}


def columns_of(*titles: str, price: float | None = 20.0, currency: str = "EUR", **attributes: Value) -> Columns:
    """The columns of items with these titles, each with these attributes."""
    builder = ColumnsBuilder(KINDS)
    for number, title in enumerate(titles):
        builder.add(
            Item(
                id=number, item_id=str(number), title=title, description="", category="Things", price=price,
                currency=currency, url="", attributes=attributes, pictures=(), revision=1, updated_at=datetime.now(UTC),
            )
        )  # fmt: skip
    return builder.build()


SHOP = columns_of(
    "Blue glass vase", "Table lamp", "Do not disturb sign", "No parking sign", "Shirt dress", "Cheap Trick record",
    "Air Max 90", colour=["blue", "red", "green", "black", "dark blue"], material=["glass", "metal", "wooden"],
    kind=["vase", "lamp", "dress"], farbe=["蓝色", "玻璃"], size=["42", "M", "XL"], height_cm=30, year=2020,
    **{"Width (cm)": 10, "weight kg": 2},
)  # fmt: skip


def stems(text: str) -> Sequence[str]:
    """The stems of an English text's words."""
    phrase = phrase_of(text)
    return phrase.sequences[0] if phrase else ()


def facts_of(*columns: Columns) -> CatalogueFacts:
    """The facts of these columns."""
    words = {word for each in columns for name in each.names for word in re.findall(r"\w+", str(each[name]).lower())}
    segments = [gather_facts(each, stems) for each in columns]

    def knows(text: str) -> bool:
        return words.issuperset(stems(text))

    return CatalogueFacts(
        segments, knows, knows, stems, by_forms([["vase", "flower pot", "urn"], ["tv", "lamp"]], stems)
    )


FACTS = facts_of(SHOP)
SPELLER = Speller({"vase": 30, "lamp": 20, "glass": 12, "blue": 9, "wooden": 5, "carpet": 5, "shade": 2}, ("en",))


def read(text: str, facts: CatalogueFacts = FACTS, speller: Speller = SPELLER, **options: object) -> Reading:
    """The reading of a query by these facts."""
    return read_query(text, facts, speller, ReadingOptions(**options))  # type: ignore[arg-type]
