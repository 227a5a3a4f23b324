"""Parses written prices; a text that could mean two amounts is refused."""

import re

_SIGNS = {
    "€": "EUR",
    "£": "GBP",
    "₹": "INR",
    "$": "",
    "¥": "",
    "rs": "INR",
    "rs.": "INR",
    "us$": "USD",
    "kr": "",
    "zł": "PLN",
}
_MARKED = re.compile(
    r"(?P<before>[^\d\s.,+-]+\.?)?\s*(?P<amount>[\d.,'’\s\u00a0\u202f]*\d)\s*(?P<after>[^\d\s,+-]+)?", re.ASCII
)
_CODE = re.compile(r"[A-Z]{3}")
_SPACE = r"[ \u00a0\u202f'’]"
_PLAIN = re.compile(r"\d+(\.\d+)?", re.ASCII)
_COMMA_GROUPS = re.compile(r"\d{1,3}((,\d{2})*,\d{3})+(\.\d+)?", re.ASCII)  # also 1,29,999 as in India
_POINT_GROUPS = re.compile(r"\d{1,3}((\.\d{3})+,\d{1,2}|(\.\d{3}){2,})", re.ASCII)
_SPACE_GROUPS = re.compile(rf"\d{{1,3}}({_SPACE}\d{{3}})+([.,]\d{{1,2}})?", re.ASCII)
_COMMA_CENTS = re.compile(r"\d+,\d{1,2}", re.ASCII)


def parse_price(text: str) -> tuple[float, str]:
    """(amount, currency code or "" where none is written). Raises ValueError for anything but one clear amount.

    "1,299.00", "1.299,00", "1 299", "12,50", "€ 5" and "5 USD" are clear; "ten", "5-7" and "-3" are not.
    """
    if _PLAIN.fullmatch(text):  # the usual case, without the slower patterns
        return float(text), ""
    match = _MARKED.fullmatch(text.strip())
    if not match or (match["before"] and match["after"]):
        raise ValueError(f"price {text[:60]!r} is not a number")
    mark = match["before"] or match["after"] or ""
    currency = mark if _CODE.fullmatch(mark) else _SIGNS.get(mark.lower())
    if mark and currency is None:
        raise ValueError(f"price {text[:60]!r} is not a number")
    return _amount(match["amount"], text), currency or ""


def _amount(digits: str, text: str) -> float:
    if _PLAIN.fullmatch(digits):
        return float(digits)
    if _COMMA_GROUPS.fullmatch(digits):
        return float(digits.replace(",", ""))
    if _POINT_GROUPS.fullmatch(digits):
        return float(digits.replace(".", "").replace(",", "."))
    if _SPACE_GROUPS.fullmatch(digits):
        return float(re.sub(_SPACE, "", digits).replace(",", "."))
    if _COMMA_CENTS.fullmatch(digits):
        return float(digits.replace(",", "."))
    raise ValueError(f"price {text[:60]!r} is not a number")
