"""Misspelt words are put right, right ones are left alone."""

import pytest

from magpie.search.query.spelling import Speller

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


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("blue vse", "blue vase"),
        ("Vse, red lmp!", "vase, red lamp!"),
        ("cat pen led usb hut sky bra ski vga", "cat pen led usb hut sky bra ski vga"),  # though "coat", "open", "lead"
        ("bwl", "bwl"),  # of bowls there are too few
        ("rng", "rng"),  # somebody knows it
        ("vses vs vse2 avse xvse", "vses vs vse2 vase xvse"),
    ],
)
def test_a_short_word_that_lacks_a_vowel_is_put_right_and_right_ones_stay(typed: str, meant: str) -> None:
    words = dict.fromkeys(["vase", "lamp", "coat", "open", "lead", "ring", "scat", "soap", "bora", "vega", "hurt"], 5)
    speller = Speller({**words, "bowl": 4, "rng": 1}, [])
    assert speller.correct(typed) == meant
    assert speller.complete("avse") == "avse"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ye", "yellow"),
        ("a Yel", "a Yellow"),
        ("yellow ki", "yellow kite"),
        ("wat", "watch"),  # there are more of them than of "watches"
        ("ba", "backpack"),  # and than of bags
        ("bag", "bag"),
        ("nav", "nav"),  # that is known, but not here
        ("kites", "kites"),
        ("k", "k"),
        ("2ki", "2ki"),
        ("zzx", "zzx"),
        ("ki yellow ", "ki yellow "),
        ("", ""),
    ],
)
def test_a_word_that_is_being_typed_is_brought_to_its_end(typed: str, meant: str) -> None:
    assert SPELLER.finish(typed) == meant


def test_right_words_are_those_that_somebody_knows() -> None:
    assert SPELLER.right_words("Yellow crimson kites wtach") == {"Yellow", "crimson", "kites"}


def test_words_are_all_that_could_be_misspelt() -> None:
    assert SPELLER.words("Yelow kites 4x4 bag") == {"Yelow", "kites"}
