"""Parses written prices; a text that could mean several amounts is refused, or its least is taken and said."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Point = Literal[".", ",", ""]  # the decimal mark of a column; "" where nothing says which

_PLAIN = re.compile(r"\d+(\.\d+)?", re.ASCII)
_SPACES = " \u00a0\u202f\u2009'’"
_NUMBER = re.compile(
    rf"(?<![\w.,])[-−–]?\d(?:[\d.,{_SPACES}]*\d)?(?:[.,][-–—])?|(?<=[^\W\d_])\d(?:[\d.,{_SPACES}]*\d)?", re.ASCII
)
_FREE = {
    "free",
    "gratis",
    "kostenlos",
    "gratuit",
    "gratuito",
    "zdarma",
    "bezpłatny",
    "ingyenes",
    "бесплатно",
    "無料",
    "免费",
}
# cells that say that there is no price; what else holds no number is noted
NO_PRICE = {"", "-", "–", "—", "n/a", "na", "n.a.", "nan", "none", "null", "tbd", "tba", "?", "unknown"}
# words that may stand beside one amount, and leave it clear
_BESIDE = re.compile(
    r"\b(from|ab|od|desde|à partir de|a partir de|vanaf|fra|från|starting at|starts at|only|nur|now|just|price|preis|"
    r"prix|precio|mrp|rrp|uvp|msrp|sale|incl|inkl|excl|exkl|including|excluding|inc|ex|vat|mwst|ust|tax|gst|iva|tva|btw|dph|"
    r"moms|ttc|ht|per|pro|je|each|stück|stk|ea|pcs|piece|unit|item|st|ks|szt|approx|ca|circa|about|от)\b\.?",
    re.IGNORECASE,
)
_AFTER_SLASH = re.compile(r"/\s*[^\W\d]+\.?$")
_FROM = re.compile(r"\b(from|ab|od|desde|partir|vanaf|fra|från|starting|starts|от)\b", re.IGNORECASE)
_RANGE = re.compile(r"\s*(-|–|—|to|bis|à|until|~|〜)\s*", re.IGNORECASE)
_SCIENCE = re.compile(r"\d[eE][+-]?\d")

_COMMA_GROUPS = re.compile(r"\d{1,3}((,\d{2})*,\d{3})+(\.\d+)?", re.ASCII)  # also 1,29,999 as in India
_POINT_GROUPS = re.compile(r"\d{1,3}((\.\d{3})+,\d{1,4}|(\.\d{3}){2,})", re.ASCII)
_SPACE_GROUPS = re.compile(rf"\d{{1,3}}([{_SPACES}]\d{{3}})+([.,]\d{{1,2}})?", re.ASCII)
_COMMA_CENTS = re.compile(r"\d+,\d{1,2}", re.ASCII)
_ONE_GROUP = re.compile(r"[1-9]\d{0,2}([.,])\d{3}", re.ASCII)


@dataclass(frozen=True)
class Price:
    """An amount, its currency's code ("" where none is written), and what is to be said of the text."""

    amount: float
    currency: str
    note: str = ""


@cache
def _currencies() -> tuple[frozenset[str], dict[str, str]]:
    found = json.loads((Path(__file__).parent / "currency_signs.json").read_text("utf-8"))
    return frozenset(found["codes"]), found["signs"]


def find_point(texts: Iterable[str]) -> tuple[Point, bool]:
    """(decimal mark of a column with these texts, whether it is in doubt): what most of the clear ones use."""
    clear: Counter[str] = Counter()
    unclear = 0
    for text in texts:
        for found in re.findall(r"\d[\d.,]*\d", text, re.ASCII):
            if _ONE_GROUP.fullmatch(found):
                unclear += "." in found
            elif _POINT_GROUPS.fullmatch(found) or re.fullmatch(r"\d+,\d+", found):
                clear[","] += 1
            elif "." in found or "," in found:
                clear["."] += 1
    if clear:
        return (",", False) if clear[","] > clear["."] else (".", False)
    return "", bool(unclear)


def parse_price(text: str, point: Point = "") -> Price | None:
    """The price that a text says; None where it says that there is none. Raises ValueError for an unclear one.

    "1,299.00", "1.299,00", "1 299", "12,50", "€ 5", "599 Kč", "from 899" and "$1,299.00 USD" are clear; of "5-7" the
    least is taken; "ten" and "-3" are no prices. `point` is the decimal mark of the text's column.
    """
    if _PLAIN.fullmatch(text) and point != ",":  # the usual case, without the slower patterns
        return Price(float(text), "")
    stripped = text.strip()
    if stripped.casefold() in NO_PRICE:
        return None
    if stripped.casefold() in _FREE:
        return Price(0.0, "")
    found = list(_NUMBER.finditer(stripped))
    if not found or len(found) > 2 or len(stripped) > 80 or _SCIENCE.search(stripped):
        raise ValueError(f"price {text[:60]!r} is not a number")
    between = stripped[found[0].end() : found[-1].start()] if len(found) == 2 else ""
    rest = stripped[: found[0].start()] + " " + between + " " + stripped[found[-1].end() :]
    note = ""
    if len(found) == 2:
        without_signs = " ".join(word for word in between.split() if _currency_of(word) is None)
        second = found[1][0]
        if not _RANGE.fullmatch(f" {without_signs} ") and not (not between and second[0] in "-–−"):
            raise ValueError(f"price {text[:60]!r} is not a number")
        rest = _RANGE.sub(" ", rest)
        note = f"price {text[:60]!r} is a range, of which the least is taken"
    elif _FROM.search(stripped):
        note = f"price {text[:60]!r} is the least of several"
    amounts = [_amount(each[0].lstrip("-–−") if n else each[0], text, point) for n, each in enumerate(found)]
    return Price(min(amounts), _code_in(rest, text), note)


def _code_in(rest: str, text: str) -> str:
    """The currency's code among the words beside an amount. Raises ValueError for words that say something else."""
    rest = _AFTER_SLASH.sub("", rest.strip())
    codes = set()
    for word in _BESIDE.sub(" ", rest).replace("(", " ").replace(")", " ").replace("*", " ").replace(":", " ").split():
        code = _currency_of(word)
        if (
            code is None
            and word.strip(".,;/-–+%")
            and not (len(word) > 1 and _currency_of(word.strip(".,;/")) is not None)
        ):
            raise ValueError(f"price {text[:60]!r} is not a number")
        codes.add(code if code is not None else _currency_of(word.strip(".,;/")) or "")
    codes.discard("")
    if len(codes) > 1 or "%" in rest:
        raise ValueError(f"price {text[:60]!r} is not a number")
    return codes.pop() if codes else ""


def _currency_of(word: str) -> str | None:
    """The code that a sign or a code stands for, "" for a sign of several currencies, None for no sign."""
    codes, signs = _currencies()
    return word.upper() if word.upper() in codes and (word.isupper() or len(word) == 3) else signs.get(word.casefold())


def _amount(digits: str, text: str, point: Point) -> float:
    digits = re.sub(r"[.,][-–—]$", "", digits)
    if digits[0] in "-–−":
        raise ValueError(f"price {text[:60]!r} is not a number")
    if one := _ONE_GROUP.fullmatch(digits):
        return float(digits.replace(",", ".")) if point == one[1] else float(digits.replace(one[1], ""))
    if _PLAIN.fullmatch(digits):
        return float(digits)
    if _COMMA_GROUPS.fullmatch(digits):
        return float(digits.replace(",", ""))
    if _POINT_GROUPS.fullmatch(digits):
        return float(digits.replace(".", "").replace(",", "."))
    if _SPACE_GROUPS.fullmatch(digits):
        return float(re.sub(f"[{_SPACES}]", "", digits).replace(",", "."))
    if _COMMA_CENTS.fullmatch(digits) or (point == "," and re.fullmatch(r"\d+,\d+", digits)):
        return float(digits.replace(",", "."))
    raise ValueError(f"price {text[:60]!r} is not a number")
