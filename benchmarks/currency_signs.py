"""Writes data/feeds/currency_signs.json from the Unicode CLDR: `python -m benchmarks.currency_signs` (needs Babel).

A sign stands for a currency where no other one in use is written so: "Kč" is CZK, while "$" and "kr" are several.
"""

import json
import re
from collections import defaultdict
from pathlib import Path

from babel import Locale
from babel.core import get_global
from babel.localedata import locale_identifiers

TARGET = Path(__file__).parent.parent / "data" / "feeds" / "currency_signs.json"


def collect() -> dict[str, object]:
    """{"codes": all currencies of today, "signs": {sign in lower case: code, "" where several are written so}}."""
    in_use = {
        code
        for currencies in get_global("territory_currencies").values()
        for code, _, end, is_tender in currencies
        if end is None and is_tender
    }
    written: dict[str, set[str]] = defaultdict(set)
    for identifier in locale_identifiers():
        locale = Locale.parse(identifier)
        for code, sign in locale.currency_symbols.items():
            sign = sign.strip("\u200e\u200f\u00a0 ").casefold()
            if code in in_use and sign and not re.search(r"[\d\s()]", sign) and sign.upper() not in in_use:
                written[sign].add(code)
    euro = {"eur", "euro", "euros"}
    signs = {sign: codes.pop() if len(codes) == 1 else "" for sign, codes in written.items() if sign not in in_use}
    signs |= {
        "€": "EUR",
        "£": "GBP",
        "rs": "INR",
        "rs.": "INR",
        "円": "JPY",
        "元": "CNY",
        "원": "KRW",
        "руб": "RUB",
        "руб.": "RUB",
    }
    signs |= dict.fromkeys(euro, "EUR") | {
        "zł": "PLN",
        "zl": "PLN",
        "kc": "CZK",
        "fr": "CHF",
        "fr.": "CHF",
        "sfr.": "CHF",
        ",-": "",
    }
    signs |= {
        "lei": "RON",
        "đ": "VND",
        "лв": "BGN",
        "лв.": "BGN",
        "tl": "TRY",
        "грн": "UAH",
        "грн.": "UAH",
        "dhs": "AED",
    }
    signs |= {"$": "", "¥": "", "kr": "", "kr.": ""}
    in_use |= {"BGN", "HRK"}  # in feeds of yesterday
    # single letters are units more often than currencies ("0.7 m")
    signs = {
        sign: code
        for sign, code in signs.items()
        if sign == "r" or not (len(sign) == 1 and sign.isascii() and sign.isalpha())
    }
    return {"codes": sorted(in_use), "signs": dict(sorted(signs.items()))}


if __name__ == "__main__":
    TARGET.write_text(json.dumps(collect(), ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")
