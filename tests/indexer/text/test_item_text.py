"""What of an item is encoded and searched: markup, boilerplate and identifiers stay out, nothing telling is lost."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magpie.data.catalogue.catalogue import Item, Value
from magpie.indexer.text.item_text import TextPlan, TextPlanBuilder, clean_text, split_sentences


def item(number: int, title: str, description: str = "", category: str = "", **attributes: Value) -> Item:
    return Item(
        id=number, item_id=str(number), title=title, description=description, category=category, price=None,
        currency="", url="", attributes=attributes, pictures=(), revision=1, updated_at=datetime.now(UTC),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("<b>Red</b>&nbsp;mug &amp; plate", "Red mug & plate"),
        ("cafe\u0301", "caf\u00e9"),
        ("buy buy BUY now", "buy now"),
        ("  a\n\tb ", "a b"),
        ("3 < 4 and 5 > 2", "3 < 4 and 5 > 2"),
    ],
)
def test_clean_text(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean


@given(st.text(max_size=200))
def test_cleaning_twice_changes_nothing_more_than_entities(text: str) -> None:
    once = clean_text(text.replace("&", "").replace("<", ""))
    assert clean_text(once) == once


def test_sentences_that_many_items_share_are_cut() -> None:
    items = [item(n, f"Mug {n}", f"Mug number {n}. Buy online at the best price.") for n in range(100)]
    builder = TextPlanBuilder()
    builder.add(items)
    assert builder.build().read(items[7]).description == "Mug number 7."


def test_identifiers_and_numbers_stay_out_of_the_encoded_text() -> None:
    colours = ["Red", "Blue"]
    items = [item(n, f"Mug {n}", colour=colours[n % 2], sku=f"SKU{n:08}", weight=1.0 * n, new=True) for n in range(100)]
    builder = TextPlanBuilder()
    builder.add(items)
    texts = " ".join(s.text for s in builder.build().read(items[3]).segments())
    assert "Blue" in texts and "new" in texts
    assert "SKU" not in texts and "3.0" not in texts


def test_every_word_is_searchable_even_where_it_is_not_encoded() -> None:
    care = " ".join(f"word{n}" for n in range(40))
    fields = TextPlan().read(item(1, "Mug", "Deep blue.", "Home > Kitchen", sku="SKU77", care=care)).searched_fields()
    assert fields["title"] == "Mug"
    assert "SKU77" in fields["attributes"] and "Kitchen" in fields["category"]
    assert "Deep blue." in fields["body"] and "word39" in fields["body"]


def test_an_item_without_words_has_no_segments() -> None:
    assert TextPlan().read(item(1, "")).segments() == []


def test_a_plan_survives_being_saved(tmp_path: Path) -> None:
    plan = TextPlan(frozenset({1, 2**63}), frozenset({"colour"}))
    plan.save(tmp_path / "plan.json")
    assert TextPlan.load(tmp_path / "plan.json") == plan


def test_sentences_are_split_also_in_chinese() -> None:
    assert split_sentences("红色花瓶。手工制作。") == ["红色花瓶。", "手工制作。"]


def test_what_nearly_all_items_say_and_when_they_were_seen_is_not_encoded() -> None:
    colours = ["red", "blue"]
    items = [
        item(
            n,
            f"Mug {n}",
            colour=colours[n % 2],
            rating="No rating yet" if n % 10 else "five stars",
            seen=f"2026-11-{1 + n % 20:02} 12:00:00 +0000",
        )
        for n in range(100)
    ]
    builder = TextPlanBuilder()
    builder.add(items)
    text = builder.build().read(items[1])
    assert text.values == ("blue",)
    assert text.words == ("blue", "No rating yet")
