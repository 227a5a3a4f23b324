"""Misspelt words are put right, right ones are left alone."""

import pytest

from search.spelling import Speller

FREQUENCIES = {"yellow": 5, "kite": 6, "watch": 9, "watches": 3, "umbrella": 2, "backpack": 4, "bag": 3}
SPELLER = Speller(FREQUENCIES, ["crimson", "navy blue"])


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("yelow kite", "yellow kite"),
        ("wtach", "watch"),
        ("umbrela bakpack", "umbrella backpack"),
        ("Crimson kites", "Crimson kites"),
        ("navy watch", "navy watch"),
        ("zzxqv", "zzxqv"),
        ("bga 42 4x4", "bga 42 4x4"),
        ("", ""),
    ],
)
def test_correct(typed: str, meant: str) -> None:
    assert SPELLER.correct(typed) == meant


def test_right_words_are_those_that_somebody_knows() -> None:
    assert SPELLER.right_words("Yellow crimson kites wtach") == {"Yellow", "crimson", "kites"}


def test_words_are_all_that_could_be_misspelt() -> None:
    assert SPELLER.words("Yelow kites 4x4 bag") == {"Yelow", "kites"}
