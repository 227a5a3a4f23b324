"""Misspelt words are put right, right ones are left alone."""

import random
from itertools import pairwise

import pytest
import wordfreq
from hypothesis import given
from hypothesis import strategies as st

from magpie.search.query.language_words import LEAST, log_share, plain
from magpie.search.query.spelling import Slip, Speller, slip_probability

COUNTS = {
    "yellow": 5, "kite": 6, "watch": 9, "umbrella": 2, "backpack": 4, "wooden": 20, "vase": 30, "stool": 25, "mat": 9,
    "coffee": 12, "étagère": 3, "kaivo": 8, "lamp": 40, "xlamp": 1,
}  # fmt: skip
SPELLER = Speller(COUNTS, ("en",))


def corrected(text: str, speller: Speller = SPELLER) -> str:
    """The text with what the speller is sure of; a question mark follows what it is not."""
    for slip in reversed(speller.slips(text, lambda word: word.casefold() in COUNTS)):
        text = text[: slip.start] + slip.right + ("" if slip.is_sure else "?") + text[slip.end :]
    return text


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("yelow kite", "yellow kite"),
        ("wtach", "watch"),
        ("umbrela bakpack", "umbrella backpack"),
        ("coffe", "coffee"),  # wordfreq has it: people misspell it so
        ("woden vaze", "wooden vase"),
        ("etagère etagere", "etagère etagere"),  # the same but for marks
        ("etagare", "étagère"),
        # words of the language, and what looks like a code or a name
        ("tool hat mats trivet", "tool hat mats trivet"),
        ("laptop iphone harmonica", "laptop iphone harmonica"),
        ("kaiser", "kaiser"),  # though a brand is near
        ("vas yelo4 y-elow yelow's", "vas yelo4 y-elow yelow's"),
        ("backyardlamp", "backyardlamp"),  # two words in one
        ("zzxqv 花瓶 محفظة", "zzxqv 花瓶 محفظة"),
        ("", ""),
    ],
)
def test_corrections(typed: str, meant: str) -> None:
    assert corrected(typed) == meant


def test_a_word_that_an_item_has_in_any_form_is_right() -> None:
    assert SPELLER.slips("yelow", lambda word: True) == []
    assert SPELLER.slips("yelow", lambda word: False) == [Slip(0, 5, "yellow", True)]


def test_no_ordinary_word_is_changed() -> None:
    """The 5,000 most frequent words of English, beside a shop of a thousand others."""
    frequent = [word for word in wordfreq.top_n_list("en", 25_000) if word.isalpha() and len(word) > 3]
    speller = Speller(dict.fromkeys(random.Random(1).sample(frequent[5_000:], 1_000), 10), ("en",))
    changed = [word for word in frequent[:5_000] if speller.slips(word, lambda word: False)]
    assert changed == []


def test_most_slips_are_put_right() -> None:
    """One letter doubled or left out, in words of five letters and more that a shop of a thousand words has."""
    rng = random.Random(2)
    words = [word for word in wordfreq.top_n_list("de", 15_000) if word.isalpha() and len(word) > 4]
    speller = Speller(dict.fromkeys(rng.sample(words, 1_000), 10), ("de",))
    right = total = 0
    for word in list(speller._counts)[:300]:
        at = rng.randrange(1, len(word))
        for typed in (word[:at] + word[at:][1:], word[:at] + word[at] + word[at:]):
            total += 1
            right += [slip.right for slip in speller.slips(typed, lambda word: False)] == [word]
    assert right / total > 0.85


def test_the_shares_of_the_kinds_of_slips() -> None:
    """Formulas by Pollock and Zamora's shares, for a word of six letters."""
    assert slip_probability("kettle", "ketle") == pytest.approx(0.34 * 2 / 6)  # either t
    assert slip_probability("kettle", "kettl") == pytest.approx(0.34 / 6)
    assert slip_probability("kettle", "kettlle") == pytest.approx(0.27 * 0.5 / 6)
    assert slip_probability("kettle", "kettlxe") == pytest.approx(0.27 * 0.5 / (26 * 7))
    assert slip_probability("kettle", "kattle") == pytest.approx(0.19 * 0.5 / (5 * 6))  # a vowel for a vowel
    assert slip_probability("kettle", "kerrle") == pytest.approx(0.06 / 36**2)  # two slips
    assert slip_probability("kettle", "kertle") == pytest.approx(0.19 * 0.5 / (5 * 6))  # r is beside t
    assert slip_probability("kettle", "kextle") == pytest.approx(0.19 * 0.5 / (25 * 6))
    assert slip_probability("kettle", "kettel") == pytest.approx(0.125 / 5)
    assert slip_probability("kettle", "ettle") == pytest.approx(0.2 * 0.34 / 6)


def test_shares_of_words_in_languages() -> None:
    assert log_share("house", ["en"]) == pytest.approx(wordfreq.zipf_frequency("house", "en") - 9, abs=0.01)
    assert log_share("haus", ["en", "de"]) > log_share("haus", ["en"]) > LEAST
    assert log_share("zzxqv", ["en"]) == log_share("house", ["xx"]) == LEAST
    assert log_share("etagere", ["fr"]) >= wordfreq.zipf_frequency("étagère", "fr") - 9 - 0.01
    assert plain("ÉTAGÈRE") == "etagere"


@given(st.text(max_size=40))
def test_slips_stand_in_the_text_and_apart(text: str) -> None:
    slips = SPELLER.slips(text, lambda word: False)
    assert all(0 <= slip.start < slip.end <= len(text) and slip.right in COUNTS for slip in slips)
    assert all(a.end <= b.start for a, b in pairwise(slips))


def test_only_as_many_words_are_looked_at_as_a_query_may_have() -> None:
    assert corrected("wtach " * 40) == "watch " * 32 + "wtach " * 8
