"""Tests of completions: their order, their kinds, and that each one finds something."""

from magpie.search.query.autocomplete import Completer

PHRASES = [("black", 9), ("black shoes", 4), ("blue", 12), ("kitchen", 8), ("red", 1), ("shirt", 5), ("shoes", 7)]
ITEMS = {1: "black running shoes", 2: "blue shirt", 3: "red shoes", 4: "kitchen chair"}


def example_of(text: str, typed: str = "", is_search: bool = False) -> int | None:
    """The first of ITEMS that has all words."""
    return next((id_ for id_, title in ITEMS.items() if set(text.split()) <= set(title.split())), None)


def complete(typed: str, limit: int = 8, searched=(), phrases=PHRASES) -> list[str]:
    completer = Completer(phrases, {"black": "colour", "kitchen": "category"})
    return [one.text for one in completer.complete(typed, limit, list(searched), example_of)]


def test_completions_are_ordered_by_frequency() -> None:
    assert complete("bl") == ["blue", "black", "black shoes"]
    assert complete("bl", limit=1) == ["blue"]
    assert complete("  ") == []


def test_what_no_item_has_is_not_offered() -> None:
    assert complete("red sh") == ["red shoes"]  # and not "red shirt"
    del_shirt = [(phrase, n) for phrase, n in PHRASES if phrase != "shirt"]
    assert complete("gone", phrases=[*del_shirt[:3], ("gone", 99), *del_shirt[3:]]) == []


def test_phrases_with_a_later_word_that_begins_so_come_last() -> None:
    assert complete("sho") == ["shoes", "black shoes"]


def test_searches_come_first_and_leave_room_for_the_catalogue() -> None:
    searched = [("black running shoes", 12), ("blue shirt", 9), ("blue whale", 30)]
    assert complete("bl", 4, searched) == ["black running shoes", "blue shirt", "blue", "black"]
    assert complete("bl", 2, searched) == ["black running shoes", "blue"]


def test_a_completion_says_what_it_is() -> None:
    completer = Completer(PHRASES, {"black": "colour", "kitchen": "category"})
    found = completer.complete("black", 2, [("black shoes", 7)], example_of)
    assert [(one.text, one.kind, one.field, one.example) for one in found] == [
        ("black shoes", "search", "", 1),
        ("black", "attribute", "colour", 1),
    ]
    assert completer.complete("kit", 1, [], example_of)[0].kind == "category"
    assert completer.complete("shi", 1, [], example_of)[0].kind == "title"


def test_one_chinese_sign_finds_words_that_hold_it() -> None:
    items = {"花瓶": 1, "竹花盆": 2}
    completer = Completer(sorted([("花瓶", 3), ("竹花盆", 1)]), {})
    assert [one.text for one in completer.complete("花", 8, [], lambda text, typed, is_search: items.get(text))] == [
        "花瓶",
        "竹花盆",
    ]
