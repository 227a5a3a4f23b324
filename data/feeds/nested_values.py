"""Turns a nested record into flat columns whose values say what they mean: amounts, addresses, names, texts.

Shapes that shops and museums write: `{amount, currency}` becomes "22.50 EUR", `[{src}]` addresses, `[{name, value}]` a
column each, `[{language, value}]` and `{en, de}` the text of one language, `{id, name}` the name.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal

from magpie.data.errors import BadItem

MAX_DEPTH, MAX_VALUES = 40, 20_000
EXACT_INT = 2**53  # beyond, a float column would change the digits
VARIANTS = "variants"  # the column of a record's own list of variants, kept as it is

Flat = dict[str, object]

_AMOUNTS = ("amount", "value", "price", "cents", "min", "low", "gross", "net")
_CURRENCIES = {"currency", "currencycode", "currency_code", "currencyisocode", "pricecurrency", "currency_id"}
_MONEY = {
    *_AMOUNTS,
    *_CURRENCIES,
    "@type",
    "type",
    "formatted",
    "symbol",
    "display",
    "centamount",
    "fractiondigits",
    "max",
    "high",
}
_ADDRESSES: tuple[str, ...] = (
    "src",
    "url",
    "href",
    "@id",
    "id",
    "contenturl",
    "content_url",
    "image_url",
    "imageurl",
    "original",
)
_ADDRESSES += ("large", "full", "source_url", "link", "path", "file", "filename", "image")
_NAMES = ("name", "title", "label", "term", "text", "value", "display_name", "displayname", "preflabel", "node_name",
          "category_name", "categoryname", "description", "fc", "tag", "code")  # fmt: skip
# what stands beside a name and says nothing of the thing itself
_REFERENCES = {"id", "@id", "@type", "type", "slug", "handle", "code", "url", "link", "href", "uri", "position", "lang"}
_REFERENCES |= {"permalink", "sort_order", "order", "count", "language_tag", "language", "path", "parent", "parent_id"}
_REFERENCES |= {"standardized_values", "level", "sameas", "@context"}
_LABELS = ("name", "key", "label", "attribute", "attribute_code", "attribute_name", "trait_type", "property",
           "propertyid", "param_name", "option", "title", "field")  # fmt: skip
_TEXTS = ("html", "rendered", "text", "plain", "raw", "content", "$t", "#text", "_text", "@value")
_LANGUAGE = {"language", "language_tag", "languagetag", "lang", "locale", "@language", "language_code", "xml:lang"}
_VARIANTS = {"variants", "variations", "hasvariant", "product_variants", "skus", "children_products"}
_LANGUAGE_KEYS = frozenset(
    [
        "en",
        "de",
        "fr",
        "es",
        "it",
        "nl",
        "pt",
        "pl",
        "cs",
        "sk",
        "sv",
        "da",
        "nb",
        "nn",
        "fi",
        "ru",
        "uk",
        "ja",
        "zh",
        "ko",
        "tr",
        "ar",
        "he",
        "hu",
        "ro",
        "bg",
        "el",
        "hr",
        "sl",
        "et",
        "lv",
        "lt",
        "ca",
        "eu",
        "gl",
        "cy",
        "ga",
        "def",
        "mul",
        "und",
        "none",
        "@none",
        "english",
        "german",
        "french",
        "spanish",
        "italian",
        "dutch",
        "portuguese",
        "polish",
        "czech",
        "swedish",
        "danish",
        "norwegian",
        "finnish",
        "russian",
        "ukrainian",
        "japanese",
        "chinese",
        "korean",
        "turkish",
        "arabic",
        "hebrew",
        "hungarian",
        "romanian",
        "greek",
        "latin",
        "deutsch",
        "français",
        "español",
        "italiano",
        "nederlands",
        "português",
        "romaji",
    ]
)
_LANGUAGE_KEY = re.compile(r"([a-z]{2})[-_]([a-z]{2}|[a-z]{4})", re.IGNORECASE)
_LANGUAGE_NAMES = {"english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it", "dutch": "nl",
                   "portuguese": "pt", "polish": "pl", "czech": "cs", "swedish": "sv", "danish": "da", "japanese": "ja",
                   "chinese": "zh", "korean": "ko", "russian": "ru", "deutsch": "de", "français": "fr"}  # fmt: skip
_PICTURE_NAME = re.compile(r"\.(jpe?g|png|webp|gif|bmp|tiff?|avif|mp4|webm)(\?|$)", re.IGNORECASE)
_PICTURES = re.compile(r"image|img|picture|photo|thumbnail|media|bild|foto|poster|preview", re.IGNORECASE)


def flatten(record: Mapping[str, object], languages: Sequence[str] = ()) -> Flat:
    """The record with a value or a list of values a column; nested objects get dotted names, those below an object
    `attributes` their own, and pairs of name and value `attributes[name]`.

    Values are texts, numbers, booleans, bytes and lists of these; `variants` stays a list of flat records.
    `languages`, such as ("de", "en"), are those wanted, the first before the others. Raises BadItem for a record that
    is nested too deeply, or that holds too many values.
    """
    flat: Flat = {}
    if all(type(value) in _PLAIN for value in record.values()):
        return dict(record)
    budget = _Budget(MAX_VALUES)
    for name, value in record.items():
        _put(flat, str(name), value, _Wanted(tuple(languages) or ("en",), budget), 0)
    return flat


_PLAIN = (str, int, float, bool, type(None))


class _Budget:
    def __init__(self, most: int) -> None:
        self.left = most

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise BadItem(f"holds more than {MAX_VALUES:,} values")


class _Wanted:
    """The languages wanted, and how many values may still come."""

    def __init__(self, languages: tuple[str, ...], budget: _Budget) -> None:
        self.languages, self.budget = languages, budget


def _put(flat: Flat, name: str, value: object, wanted: _Wanted, depth: int) -> None:
    wanted.budget.spend()
    if depth > MAX_DEPTH:
        raise BadItem("is nested too deeply")
    if isinstance(value, Mapping):
        _put_object(flat, name, {str(key): part for key, part in value.items()}, wanted, depth)
    elif isinstance(value, list | tuple):
        _put_list(flat, name, list(value), wanted, depth)
    else:
        _add(flat, name, plain(value))


def _put_object(flat: Flat, name: str, value: dict[str, object], wanted: _Wanted, depth: int) -> None:
    simple = _meaning_of(name, value, wanted, depth)
    if simple is not _NOTHING:
        _add(flat, name, simple)
        return
    pair = _as_pair(value, wanted) if len(value) == 2 else None
    if pair:
        found = _leaves(pair[1], wanted, depth + 1)
        _add(flat, f"{name}[{pair[0]}]", found[0] if len(found) == 1 else found)
        return
    unit = _with_unit(value)
    if unit:
        _add(flat, f"{name} ({unit[1]})", unit[0])
        return
    keeps_names = name in ("attributes", "_source", "fields", "product", "item", "node")
    for key, part in value.items():
        _put(flat, key if keeps_names else f"{name}.{key}", part, wanted, depth + 1)


def _put_list(flat: Flat, name: str, values: list[object], wanted: _Wanted, depth: int) -> None:
    objects = [{str(k): v for k, v in value.items()} for value in values if isinstance(value, Mapping)]
    if not objects:
        _add(flat, name, [part for value in values for part in _leaves(value, wanted, depth + 1)])
        return
    if name.rsplit(".", 1)[-1].casefold() in _VARIANTS:
        flat[VARIANTS] = [_flat_variant(each, wanted, depth + 1) for each in objects]
        return
    if all(_language_of(each) is not None for each in objects):
        _put_texts(flat, name, objects, wanted, depth)
        return
    if measures := [measure for each in objects if (measure := _with_unit(each))]:
        _add(flat, f"{name} ({measures[0][1]})", measures[0][0])
        return
    pairs = [_as_pair(each, wanted) for each in objects]
    if all(pair is not None for pair in pairs):
        for label, content in filter(None, pairs):
            found = [part for part in _leaves(content, wanted, depth + 1) if part not in ("", None)]
            _add(flat, f"{name}[{label}]", found if len(found) != 1 else found[0])
        return
    simple = [_meaning_of(name, each, wanted, depth) for each in objects]
    if all(found is not _NOTHING for found in simple):
        _add(flat, name, [part for found in simple for part in (found if isinstance(found, list) else [found])])
        return
    columns: Flat = {}
    for each in objects:
        own: Flat = {}
        naming = _named(each)
        for key, part in each.items():
            _put(own, name if naming and key == naming else f"{name}.{key}", part, wanted, depth + 1)
        for key, part in own.items():
            _add(columns, key, part if isinstance(part, list) else [part])
    for key, part in columns.items():
        _add(flat, key, part)


def _flat_variant(variant: Mapping[str, object], wanted: _Wanted, depth: int) -> Flat:
    own: Flat = {}
    for key, part in variant.items():
        if key.casefold() not in _VARIANTS:
            _put(own, key, part, wanted, depth + 1)
    return own


def _leaves(value: object, wanted: _Wanted, depth: int) -> list[object]:
    """The plain values in a value; of an object its meaning, or all that it holds."""
    wanted.budget.spend()
    if depth > MAX_DEPTH:
        raise BadItem("is nested too deeply")
    if isinstance(value, Mapping):
        simple = _meaning_of("", {str(key): part for key, part in value.items()}, wanted, depth)
        if simple is not _NOTHING:
            return simple if isinstance(simple, list) else [simple]
        return [part for each in value.values() for part in _leaves(each, wanted, depth + 1)]
    if isinstance(value, list | tuple):
        return [part for each in value for part in _leaves(each, wanted, depth + 1)]
    return [] if value is None else [plain(value)]


class _Nothing:
    pass


_NOTHING = _Nothing()


def _meaning_of(name: str, value: dict[str, object], wanted: _Wanted, depth: int) -> object:
    """The one value, or the list, that an object stands for; _NOTHING where it is several things."""
    lowered = {key.casefold(): part for key, part in value.items()}
    for find in (_money, _address, _text_by_language, _inner_text, _name):
        found = find(name, lowered, wanted)
        if found is not _NOTHING:
            if isinstance(found, Mapping | list | tuple):
                parts = _leaves(found, wanted, depth + 1)
                return parts[0] if len(parts) == 1 else parts
            return plain(found)
    return _NOTHING


def _money(name: str, value: Mapping[str, object], wanted: _Wanted) -> object:
    code = next((value[key] for key in value if key in _CURRENCIES and isinstance(value[key], str)), None)
    amounts = [key for key in _AMOUNTS if isinstance(value.get(key), str | int | float | Decimal)]
    if code is None or not amounts or not value.keys() <= _MONEY:
        return _NOTHING
    amount = value[amounts[0]]
    if amounts[0] == "cents" and isinstance(amount, int):
        amount = amount / 100
    return f"{amount} {code}"


def _address(name: str, value: Mapping[str, object], wanted: _Wanted) -> object:
    """The address in an object that is a picture: one that looks like it, or that stands where pictures do."""
    for key in _ADDRESSES:
        given = value.get(key)
        if isinstance(given, str) and given:
            is_there = bool(_PICTURES.search(name)) and not ("name" in value and len(value) > 8)
            if (is_there and (key != "id" or "://" in given)) or _PICTURE_NAME.search(given):
                return given
    # sizes of one picture: {"web": {"url"}, "print": {"url"}}, {"thumbnail": …, "hires": …}
    if _PICTURES.search(name):
        sizes = [
            part for part in value.values() if isinstance(part, Mapping) and any(key in part for key in ("url", "src"))
        ]
        if sizes and len(sizes) == len([part for part in value.values() if part is not None]):
            first = max(
                sizes, key=lambda part: _as_int(part.get("width")) if _as_int(part.get("width")) <= 2_000 else 0
            )
            return first.get("url") or first.get("src")
        texts = [part for part in value.values() if isinstance(part, str) and _PICTURE_NAME.search(part)]
        if texts and len(texts) == len(value):
            return value.get("hires") or value.get("large") or value.get("full") or texts[-1]
    return _NOTHING


def _text_by_language(name: str, value: Mapping[str, object], wanted: _Wanted) -> object:
    codes = {key: _language_key(key) for key in value}
    if not value or not all(codes.values()) or any(isinstance(part, Mapping) for part in value.values()):
        return _NOTHING
    chosen = _choose(list(codes.values()), wanted.languages)
    return next(part for key, part in value.items() if codes[key] == chosen)


def _inner_text(name: str, value: Mapping[str, object], wanted: _Wanted) -> object:
    for key in _TEXTS:
        if isinstance(value.get(key), str) and len(value) <= 3 and not any(k in value for k in ("name", "unit")):
            return value[key]
    return _NOTHING


def _name(name: str, value: Mapping[str, object], wanted: _Wanted) -> object:
    """The name in an object that has nothing beside it but numbers, codes and addresses of the named."""
    label = _named(value)
    if label is None:
        return _NOTHING
    others = [key for key in value if key != label and value[key] not in (None, "", [], {})]
    return value[label] if all(_is_reference(key) for key in others) else _NOTHING


def _named(value: Mapping[str, object]) -> str | None:
    return next(
        (
            key
            for label in _NAMES
            for key in value
            if key.casefold() == label and isinstance(value[key], str | int | float)
        ),
        None,
    )


def _is_reference(key: str) -> bool:
    key = key.casefold()
    return key in _REFERENCES or key.endswith(("id", "_url", "url"))


def _as_pair(value: Mapping[str, object], wanted: _Wanted) -> tuple[str, object] | None:
    """(name, value) of an object that gives the value of something named."""
    lowered = {key.casefold(): part for key, part in value.items()}
    for key, part in lowered.items():  # a label may come by language too
        texts = _text_by_language(key, part, wanted) if key in _LABELS and isinstance(part, Mapping) else _NOTHING
        if texts is not _NOTHING:
            lowered[key] = texts[0] if isinstance(texts, list) and texts else texts
    label = next((key for key in _LABELS if isinstance(lowered.get(key), str) and lowered[key]), None)
    contents = ("value", "values", "val", "attribute_value", "option_value", "options", "option", "content", "terms")
    content = next((key for key in contents if key in lowered and key != label), None)
    if label is None or content is None or len(lowered) > 8:
        return None
    if label in ("name", "title") and any(key in lowered for key in ("price", "sku", "src")):
        return None
    return str(lowered[label]).strip()[:150], lowered[content]


def _with_unit(value: Mapping[str, object]) -> tuple[object, str] | None:
    """(number, unit) of `{"value": 8.5, "unit": "pounds"}`."""
    lowered = {key.casefold(): part for key, part in value.items()}
    number, unit = lowered.get("value", lowered.get("amount")), lowered.get("unit", lowered.get("units"))
    is_measure = isinstance(number, int | float | Decimal) and isinstance(unit, str) and len(lowered) <= 4
    return (plain(number), unit[:40]) if is_measure and isinstance(unit, str) else None


def _language_of(value: Mapping[str, object]) -> str | None:
    found: object = next((part for key, part in value.items() if key.casefold() in _LANGUAGE), None)
    return found if isinstance(found, str) and len(value) <= 5 else None


def _put_texts(flat: Flat, name: str, objects: list[dict[str, object]], wanted: _Wanted, depth: int) -> None:
    """Texts with their language: those of the language wanted, or else of the first."""
    codes = [_code(_language_of(each) or "") for each in objects]
    chosen = _choose(codes, wanted.languages)
    texts: list[object] = []
    for each, code in zip(objects, codes, strict=True):
        if code == chosen:
            named = _named(each) or next((key for key in each if key.casefold() in _TEXTS), None)
            texts += _leaves(each[named] if named else None, wanted, depth + 1)
    _add(flat, name, texts if len(texts) != 1 else texts[0])


def _choose(codes: Sequence[str | None], languages: Sequence[str]) -> str | None:
    for wanted in languages:
        for code in codes:
            if code and (code == wanted or code.split("-")[0] == wanted.split("-")[0].split("_")[0].casefold()):
                return code
    return codes[0] if codes else None


def _language_key(key: str) -> str | None:
    if key in _LANGUAGE_KEYS:
        return _LANGUAGE_NAMES.get(key, key)
    match = _LANGUAGE_KEY.fullmatch(key)
    return _code(key) if match and match[1].casefold() in _LANGUAGE_KEYS else None


def _code(language: str) -> str:
    return _LANGUAGE_NAMES.get(language.casefold(), language.replace("_", "-").casefold())


def _add(flat: Flat, name: str, value: object) -> None:
    """Adds a value; where the column has one already, both become a list without repeats."""
    name = name[:300]
    if name not in flat or flat[name] in (None, "", []):
        flat[name] = _unrepeated(value) if isinstance(value, list) else value
    elif value not in (None, "", []):
        both = [*_listed(flat[name]), *_listed(value)]
        flat[name] = _unrepeated(both)


def _unrepeated(values: Iterable[object]) -> list[object]:
    return [value for n, value in dict(enumerate(_keyed(values).values())).items()]


def _keyed(values: Iterable[object]) -> dict[tuple[type, object], object]:
    return {(type(value), value if not isinstance(value, list | dict) else repr(value)): value for value in values}


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def plain(value: object) -> object:
    """The value as the table of a feed keeps it: text, number, boolean or bytes; None for a missing one."""
    if type(value) in _PLAIN:
        return None if isinstance(value, float) and math.isnan(value) else value
    if isinstance(value, Decimal):
        if not value.is_finite():
            return None if value.is_nan() else float(value)
        return int(value) if value == value.to_integral_value() and abs(value) < EXACT_INT else float(value)
    if isinstance(value, datetime) and not value.tzinfo and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value[:1])
    return str(value)


def _as_int(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return 0


def parse_cell(text: str) -> object:
    """The list or object that a cell holds as JSON, as Python or as Ruby writes it; None where it holds none."""
    text = text.strip()
    if not text or text[0] not in "[{" or text[-1] not in "]}" or len(text) > 200_000:
        return None
    readers: tuple[Callable[[str], object], ...] = (json.loads, _ruby, _python)
    for read in readers:
        try:
            found = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        return found if isinstance(found, list | dict) else None
    return None


def _ruby(text: str) -> object:
    if "=>" not in text:
        raise ValueError("no Ruby")
    return json.loads(text.replace("=>", ":").replace(":nil", ":null"))


def _python(text: str) -> object:
    from ast import literal_eval

    return literal_eval(text) if len(text) < 20_000 else None
