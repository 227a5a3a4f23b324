"""Splits a text into tokens: words with what joins their parts (t-shirt, AC/DC), codes, measures, runs of CJK signs.

Catalogue and queries are split alike; `analysis` turns tokens into the terms that the lexical index holds.
"""

import re
import unicodedata
from functools import cache

CJK = "\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
# Thai, Lao, Myanmar and Khmer are written without spaces between words
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_AS_THEY_ARE = (
    "mm cm dm m km ft yd mg g kg oz lb ml cl l gal w kw v mah ah hz khz mhz ghz kb mb gb tb mp lm mm2 cm2 m2 m3 cm3 "
    "rpm psi px db"
)
UNITS = {  # as written: as indexed
    **{unit: unit for unit in _AS_THEY_ARE.split()},
    **dict.fromkeys(("inch", "inches", "zoll"), "inch"),
    **dict.fromkeys(("feet", "foot"), "ft"),
    **dict.fromkeys(("lbs", "pound", "pounds"), "lb"),
    **dict.fromkeys(("ounce", "ounces"), "oz"),
    **dict.fromkeys(("watt", "watts"), "w"),
    **dict.fromkeys(("volt", "volts"), "v"),
    **dict.fromkeys(("litre", "litres", "liter", "liters", "ltr"), "l"),
    **dict.fromkeys(("gram", "grams", "gramm"), "g"),
    **dict.fromkeys(("metre", "metres", "meter", "meters"), "m"),
    **dict.fromkeys(("lumen", "lumens"), "lm"),
    **dict.fromkeys(("gigabyte", "gigabytes"), "gb"),
}
_NUMBER = r"\d+(?:[.,]\d+)*"
_UNIT = "|".join(sorted(UNITS, key=len, reverse=True))
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")
_VULGAR_FRACTION = re.compile("(?<=\\d)(?=[\u00bc-\u00be\u2150-\u215e])")
_INCH_SIGN = re.compile(r"(?<=\d)\s?(?:\"|″|”|'')(?=$|[\s,;x)])")
_POSSESSIVE = re.compile(r"(?<=\w)'s\b")
_SEVERAL = {"⁄": "/", "×": "x", "_": " ", **dict.fromkeys("‐‑‒–−", "-"), **dict.fromkeys("’‘ʼ", "'")}
_AS_ASCII = str.maketrans(_SEVERAL)
_LETTERS_WITH_STROKES = str.maketrans(
    {"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)
_OTHER_MARKS = re.compile("[\u0591-\u05c7\u0640\u064b-\u065f\u0670]")  # Hebrew points, Arabic marks and the tatweel
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The pattern of a token, and that of a run of signs that are written without spaces."""
    marks = "".join(chr(code) for code in range(0x300, 0x1E000) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
    word = rf"[\w{marks}]"
    token = rf"""
        \d+/\d+(?![/\w])                                                   # a fraction
      | [a-z]?{_NUMBER}(?:\s?x\s?{_NUMBER})+(?:[\s-]?(?:{_UNIT})(?!\w))?   # dimensions
      | {_NUMBER}[\s-]?(?:{_UNIT})(?!\w)                                   # a measure
      | {_NUMBER}in(?!\w)
      | \d+(?:[.,]\d+)+(?!\w)
      | {word}+(?:[-'/&.+]{word}+)*(?:\+\+|\#)?                            # a word or a chain of words, C++, C#
    """
    return re.compile(token, re.VERBOSE), re.compile(f"[{CJK}]+|[{UNSPACED}]+")


def split_tokens(text: str) -> list[str]:
    """The tokens of a text in order, by Unicode NFKC in lower case, with their marks; equal ones are one object or
    not, as it comes."""
    token, unspaced = _patterns()
    if text.isascii():
        return token.findall(_without_inch_signs(text.lower().replace("_", " ")))
    folded = unicodedata.normalize("NFKC", _VULGAR_FRACTION.sub(" ", text)).translate(_AS_ASCII).casefold()
    folded = _INVISIBLE.sub("", folded.replace("i\u0307", "i"))
    return token.findall(_without_inch_signs(unspaced.sub(r" \g<0> ", folded)))


def _without_inch_signs(text: str) -> str:
    if '"' in text or "'" in text or not text.isascii():
        text = _POSSESSIVE.sub("", _INCH_SIGN.sub(" inch", text))
    return text


def strip_marks(token: str) -> str:
    """The token with plain letters: accents off Latin and Greek ones, Arabic and Hebrew vowel signs out.

    Marks that make another letter stay (Russian й, Japanese が).
    """
    if token.isascii():
        return token
    kept = []
    for letter in token.translate(_LETTERS_WITH_STROKES):
        base = unicodedata.normalize("NFD", letter)[0]
        is_accented = base < "\u0250" or "\u0370" <= base < "\u0400"
        if is_accented or not "\u0300" <= letter < "\u0370":
            kept.append(base if is_accented else "е" if letter == "ё" else letter)
    return _OTHER_MARKS.sub("", "".join(kept))


def plain_number(number: str) -> str:
    """The number with a decimal point and without thousands commas: "0,75" is "0.75", "1,000" is "1000"."""
    return number.replace(",", "" if _THOUSANDS.fullmatch(number) else ".")
