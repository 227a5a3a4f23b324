"""Turns a token into the terms of the lexical index: the sequence that phrases are matched with, and further terms.

Further terms are joined spellings ("tshirt" of "t-shirt"), pieces of codes ("xm4" of "WH-1000XM4"), measures ("80cm"),
pairs of signs in scripts without spaces, and the parts of compounds ("stuhl" of "gartenstuhl").
"""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from magpie.indexer.text.languages import stem
from magpie.indexer.text.tokens import CJK, UNITS, UNSPACED, plain_number

HEAD_WEIGHT = 0.6
MODIFIER_WEIGHT = 0.3
PIECE_WEIGHT = 0.5
BASE_WEIGHT = 0.3  # "c" of "c++"
_LONGEST_TERM = 60
_MOST_RUNS = 8
_SEPARATORS = re.compile(r"[-'/&.+]")
_RUN = re.compile(r"\d+|[^\W\d]+")
_SIGN = re.compile(f"[{CJK}]|[{UNSPACED}]")
# a letter with the vowels and tones above, below and after it; of Thai and Lao, Khmer, Myanmar
_CLUSTER = re.compile(
    r"[เ-ไເ-ໄ]?.[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u17b4-\u17d3\u102b-\u103e]*"
)
_FRACTION = re.compile(r"\d+/\d+")
_MEASURE = re.compile(rf"(\d+(?:[.,]\d+)*)[\s-]?({'|'.join(sorted((*UNITS, 'in'), key=len, reverse=True))})")
_DIMENSIONS = re.compile(r"([a-z]?\d+(?:[.,]\d+)*(?:\s?x\s?\d+(?:[.,]\d+)*)+)(?:[\s-]?([a-z]+[23]?))?")
_SIGNED = re.compile(r"(\w+)(\+\+|#)")


@dataclass(frozen=True)
class TokenTerms:
    """The terms of one token: `sequence` in the order of its parts, `others` with the weight of their occurrence."""

    sequence: tuple[str, ...]
    others: tuple[tuple[str, float], ...] = ()


def analyse_token(
    token: str, language: str, split_compound: Callable[[str], tuple[str, str] | None] | None = None
) -> TokenTerms:
    """The terms of one token of `split_tokens`, in a language; with `split_compound` those of its parts, too."""
    if len(token) > 2 * _LONGEST_TERM and not is_run_of_signs(token):
        return TokenTerms(())
    if is_run_of_signs(token):
        signs = signs_of(token)
        return TokenTerms(signs, tuple((a + b, 1.0) for a, b in itertools.pairwise(signs)))
    if (token[0].isdigit() or "x" in token) and (number := _of_number(token)):
        return number
    if signed := _SIGNED.fullmatch(token):
        return TokenTerms((token,), ((stem(signed[1], language), BASE_WEIGHT),))
    return _of_words(token, language, split_compound)


def is_run_of_signs(token: str) -> bool:
    """Whether a token is of a script without spaces between words."""
    return bool(_SIGN.match(token))


def signs_of(run: str) -> tuple[str, ...]:
    """The signs of a run in a script without spaces, each with its marks."""
    return tuple(_CLUSTER.findall(run)) if re.match(f"[{UNSPACED}]", run) else tuple(run)


def measure_of(token: str) -> tuple[str, str] | None:
    """Number and unit of a measure ("80 cm", "8-inch"), as they are indexed; None for any other token."""
    found = _MEASURE.fullmatch(token)
    return (plain_number(found[1]), UNITS.get(found[2], "inch")) if found else None


def dimensions_of(token: str) -> tuple[list[str], str] | None:
    """The numbers of dimensions ("4 x 40 mm") and their unit, "" without one; None for any other token."""
    found = _DIMENSIONS.fullmatch(token)
    if not found:
        return None
    return [plain_number(n) for n in re.split(r"\s?x\s?", found[1])], UNITS.get(found[2] or "", found[2] or "")


def _of_number(token: str) -> TokenTerms | None:
    if _FRACTION.fullmatch(token):
        return TokenTerms((token,))
    if measure := measure_of(token):
        return TokenTerms(measure, (("".join(measure), 1.0),))
    if dimensions := dimensions_of(token):
        numbers, unit = dimensions
        joined = ["x".join(numbers)]
        if len(numbers) > 2:
            joined += ["x".join(pair) for pair in itertools.pairwise(numbers)]
        sequence = [part for number in numbers for part in ("x", number)][1:]
        with_unit = [number + unit for number in numbers] if unit else []
        return TokenTerms((*sequence, *([unit] if unit else [])), tuple((term, 1.0) for term in (*joined, *with_unit)))
    return TokenTerms((plain_number(token),)) if re.fullmatch(r"[\d.,]+", token) else None


def _of_words(token: str, language: str, split_compound: Callable[[str], tuple[str, str] | None] | None) -> TokenTerms:
    parts = parts_of(token)
    sequence = tuple(stem(part, language)[:_LONGEST_TERM] for part in parts)
    others: dict[str, float] = {}
    if len(parts) == 1 and split_compound and (compound := split_compound(token)):
        others = {stem(compound[0], language): MODIFIER_WEIGHT, stem(compound[1], language): HEAD_WEIGHT}
        if deeper := split_compound(compound[1]):
            others.setdefault(stem(deeper[1], language), HEAD_WEIGHT * HEAD_WEIGHT)
    if any(letter.isdigit() for letter in token):
        others |= dict.fromkeys(code_pieces("".join(parts)), PIECE_WEIGHT)
    if len(parts) > 1:
        others |= dict.fromkeys(joined_spellings(parts, language), 1.0)
    for term in sequence:
        others.pop(term, None)
    return TokenTerms(sequence, tuple((term[:_LONGEST_TERM], weight) for term, weight in others.items()))


def parts_of(token: str) -> list[str]:
    """The words that a token joins: "t" and "shirt" of "t-shirt"."""
    return [part for part in _SEPARATORS.split(token) if part]


@lru_cache(maxsize=10_000)
def code_pieces(code: str) -> tuple[str, ...]:
    """The pieces of a code that people ask for: neighbouring runs of letters or digits together, long ones alone."""
    runs = _RUN.findall(code)[:_MOST_RUNS]
    spans = ((at, end) for at in range(len(runs)) for end in range(at + 1, len(runs) + 1))
    pieces = ("".join(runs[at:end]) for at, end in spans if end - at > 1 or len(runs[at]) > 2)
    return tuple(dict.fromkeys(pieces))


def joined_spellings(parts: list[str], language: str) -> list[str]:
    """The terms of a chain of words in one word: of all of it, and of neighbours."""
    pairs = [a + b for a, b in itertools.pairwise(parts)] if len(parts) > 2 else []
    return [stem(joined, language) for joined in ("".join(parts), *pairs) if len(joined) <= _LONGEST_TERM]
