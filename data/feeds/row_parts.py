"""Reads one row by the plan: its fields, attributes, options and pictures, with notes on what could not be used."""

import json
import math
import os.path
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from magpie.data.catalogue.items import MAX_NAME_CHARS, MAX_NUMBER, ItemDraft, Value
from magpie.data.feeds.cell_values import read_nested, split_list, strip_html
from magpie.data.feeds.column_plan import Plan
from magpie.data.feeds.nested_values import EXACT_INT, VARIANTS
from magpie.data.feeds.picture_paths import fill_pattern, placed, split_pictures
from magpie.data.feeds.prices import parse_price
from magpie.data.feeds.table import Row
from magpie.data.feeds.yes_and_no import NO, YES

# how data frames, databases and spreadsheets write that there is nothing
_NOTHING = {"nan", "NaN", "NAN", "null", "NULL", "N/A", "n/a", "#N/A", "<NA>", "NaT", "\\N", "undefined"}
_TRUE = YES | {"1", "instock", "in stock", "in_stock", "limitedavailability"}
_FALSE = NO | {"0", "outofstock", "out of stock", "out_of_stock"}
_OF_A_VARIANT = (
    "price",
    "sale_price",
    "compare_at_price",
    "sku",
    "id",
    "available",
    "inventory_quantity",
    "quantity",
    "stock",
)
_PATH_SIGNS = re.compile(r"\s*(?:>>?|›|»|→|\s\|\s)\s*")
_SLASHES = re.compile(r"\s*[>›»/]+\s*")
_SPECIAL = re.compile(r"[<>&|›»→/\\\[{]").search  # HTML, paths of categories, JSON
_SEVERAL = re.compile(r"[|,;\n\r\[{]|(?:^|\0)/").search  # several pictures in a cell, or one below the root
_PLAIN_PRICE = re.compile(r"\d{1,14}(\.\d+)?", re.ASCII).fullmatch
MAX_FEW = 100  # values that a merged attribute may list


@dataclass
class Part:
    """What one row says of an item."""

    line: int
    item_id: str = ""
    title: str = ""
    description: str = ""
    category: str = ""
    price: float | None = None
    currency: str = ""
    url: str = ""
    attributes: dict[str, Value] = field(default_factory=dict)
    options: dict[str, list[str]] = field(default_factory=dict)
    pictures: list[str] = field(default_factory=list)
    stock: float | None = None
    in_stock: bool | None = None
    variant_id: str = ""
    variants: list[dict[str, object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class PartReader:
    """Reads rows by one plan; picture paths start from `folder` below `root`."""

    def __init__(self, plan: Plan, root: Path, folder: str = "") -> None:
        self._plan, self._root, self._folder = plan, root, folder
        self._ids = plan.roles.get("id", [])
        self._one = {role: columns[0] for role, columns in plan.roles.items() if columns}
        self._variants = next((n for n, name in enumerate(plan.columns) if name == VARIANTS), None)
        self._numbers = {name: n for n, name in enumerate(plan.columns)}
        self._skipped = {value.casefold() for value in plan.profile.skip_values}
        self._attributes = [(n, name, self._reader(n)) for n, name in plan.attributes]
        self._is_plain = not (
            plan.options
            or plan.pairs
            or self._variants is not None
            or plan.roles.get("stock")
            or plan.roles.get("in_stock")
        )
        self._short_words = plan.profile.category_roots
        several = any(len(columns) > 1 for role, columns in plan.roles.items() if role != "image")
        rules = plan.hidden or plan.only_inside or plan.continued_by or plan.lists or plan.ways
        self._is_simple = self._is_plain and not (
            several or rules or folder or plan.picture_pattern or "id" not in self._one
        )
        self._places = [
            self._one.get(role, -1) for role in ("id", "title", "description", "category", "price", "currency", "url")
        ]
        self._pictures = plan.roles.get("image", [])

    def id_of(self, row: Row) -> str:
        """The id that the row gives, "" where it gives none."""
        values = row.values
        for n in self._ids:
            value = values[n] if n < len(values) else None
            if type(value) is str and value:
                return value.strip()
            if value not in (None, ""):
                return id_text(value)
        if self._plan.id_from:
            return made_id(self._plan, row)
        return ""

    def simple_draft(self, row: Row) -> ItemDraft | None:
        """The draft of a row of texts whose columns need no more than to be copied; None where one needs a closer look.

        It is what `read` gives, in a third of the time: most rows of most feeds are such.
        """
        if not self._is_simple or row.note:
            return None
        values: list[Any] = [*row.values, ""]  # the last stands for columns that are not there
        if len(values) <= len(self._plan.columns):
            values += [""] * (len(self._plan.columns) + 1 - len(values))
        attributes: dict[str, Value] = {}
        try:
            item_id, title, description, category, price, currency, url = [values[n].strip() for n in self._places]
            for n, name, _ in self._attributes:
                if (text := values[n]) and (text := text.strip()) and text not in _NOTHING:
                    attributes[name] = text
            pictures = [text for n in self._pictures if (text := values[n].strip())]
        except AttributeError:  # a number, or nothing
            return None
        if not item_id or _SPECIAL(f"{title}{description}{category}") or (pictures and _SEVERAL("\0".join(pictures))):
            return None
        amount = None
        if price:
            if not _PLAIN_PRICE(price) or self._plan.point == ",":
                return None
            amount = float(price)
        return ItemDraft(
            item_id,
            title,
            description,
            category,
            amount,
            currency,
            url,
            attributes,
            tuple(dict.fromkeys(pictures)),
            row.line,
        )

    def read(self, row: Row, is_continuation: bool = False) -> Part:
        """What the row says."""
        plan, values = self._plan, row.values
        part = Part(row.line, self.id_of(row))
        if row.note:
            part.notes.append(row.note)
        part.title = _text(_at(values, self._one.get("title")), " ") if "title" in self._one else ""
        if len(plan.roles.get("title", ())) > 1 and not part.title:
            part.title = _text(self._first(values, "title"), " ")
        if "<" in part.title or "&" in part.title:
            part.title = strip_html(part.title).replace("\n", " ")
        description = _text(self._first(values, "description"), "\n")
        part.description = (
            strip_html(description) if "<" in description or "&" in description or "\\n" in description else description
        )
        part.category = self._category(values)
        part.url = _text(self._first(values, "url"), "\n").split("\n")[0]
        self._put_price(part, values)
        for n, name, read in self._attributes:
            value = values[n] if n < len(values) else None
            if value is None or value == "":
                continue
            if type(value) is str and read is None:
                if (text := value.strip()) and text not in _NOTHING:
                    part.attributes[name] = text
            else:
                self._put_attribute(part, name, value, read)
        for n in plan.roles.get("image", ()):
            if value := _at(values, n):
                self._put_pictures(part, value, plan.lists.get(n, ""))
        if plan.picture_pattern:
            for path in fill_pattern(
                plan.picture_pattern, plan.columns, part.item_id, lambda name: _at(values, self._numbers.get(name))
            ):
                part.pictures.append(path)
        if not self._is_plain:
            self._put_options(part, values, is_continuation)
            self._put_stock(part, values)
            part.variant_id = _text(self._first(values, "variant_id"), " ")
            if self._variants is not None and isinstance(given := _at(values, self._variants), list):
                self._put_variants(part, [each for each in given if isinstance(each, dict)])
        return part

    def is_hidden(self, row: Row) -> bool:
        """Whether the row says that it is not to be shown."""
        return any(_word(_at(row.values, n)) in hiding for n, hiding in self._plan.hidden)

    def is_only_inside(self, row: Row) -> bool:
        """Whether the row is shown as a part of another only."""
        return any(_word(_at(row.values, n)) in values for n, values in self._plan.only_inside)

    def continues(self, row: Row) -> bool:
        """Whether the row continues the item above it."""
        return any(_word(_at(row.values, n)) in values for n, values in self._plan.continued_by)

    def _reader(self, n: int) -> Callable[[str], Value | None] | None:
        separator = self._plan.lists.get(n)
        if separator:
            return lambda text: cast(Value, split_list(text, separator)[:MAX_FEW]) or None
        way = self._plan.ways.get(n)
        if way is None:
            return None
        return way.read if way.read is not None else _nested

    def _first(self, values: Sequence[object], role: str) -> object:
        for n in self._plan.roles.get(role, ()):
            value = _at(values, n)
            if value not in (None, "", []) and not (isinstance(value, str) and not value.strip()):
                return value
        return None

    def _category(self, values: Sequence[object]) -> str:
        for n in self._plan.roles.get("category", ()):
            value = _at(values, n)
            if value in (None, "", []):
                continue
            found = self._category_of(value, self._plan.lists.get(n, ""))
            if found:
                return found
        return ""

    def _category_of(self, value: object, separator: str) -> str:
        """The path of a category, its parts joined by " > "; of several the deepest."""
        profile = self._plan.profile
        if isinstance(value, str) and value.strip()[:1] in ("[", "{"):
            nested = read_nested("category", value.strip())
            value = next((part for part in nested.values() if part), "") if nested else value
        given = [str(part) for part in value] if isinstance(value, list) else [str(value)]
        for mark in separator or profile.category_separators:
            given = [part for text in given for part in text.split(mark)]
        if len(given) == 1 and given[0].strip().isdecimal() and len(self._plan.roles["category"]) > 1:
            return ""
        holds_paths = any("/" in text or _PATH_SIGNS.search(text) for text in given)
        if profile.category_is_path or (isinstance(value, list) and not separator and not holds_paths):
            return self._joined(given)
        paths = [self._joined((_SLASHES if self._has_slashes(text) else _PATH_SIGNS).split(text)) for text in given]
        return max(paths, key=lambda path: path.count(" > "), default="")

    def _has_slashes(self, text: str) -> bool:
        plan = self._plan
        is_path = plan.has_category_slashes or plan.profile.category_roots or plan.profile.category_separators
        return bool(is_path) or text.strip()[:1] == "/"

    def _joined(self, names: Iterable[str]) -> str:
        found = [strip_html(name.strip()) for name in names if name.strip()]
        while len(found) > 1 and found[0] in self._short_words:
            found.pop(0)
        return " > ".join(found)

    def _put_price(self, part: Part, values: Sequence[object]) -> None:
        columns = self._plan.roles.get("price", [])
        if len(columns) > 1 and "sale_only_if" in self._one and _word(_at(values, self._one["sale_only_if"])) in _FALSE:
            columns = columns[1:]
        for n in columns:
            value = _at(values, n)
            if value is None or value == "":
                continue
            for each in value if isinstance(value, list) else [value]:
                amount, currency = self._price_of(part, each, n)
                if amount is not None and (not part.price or 0 < amount < part.price):
                    part.price, part.currency = amount, currency or part.currency
            if part.price:
                break
        if "currency" in self._one:
            given = self._first(values, "currency")
            part.currency = _text(given[0] if isinstance(given, list) and given else given, " ") or part.currency

    def _price_of(self, part: Part, value: object, n: int) -> tuple[float | None, str]:
        """(amount, currency) of a cell; an amount that is unclear is noted and left out."""
        column = self._plan.columns[n]
        if isinstance(value, str):
            try:
                found = parse_price(value, self._plan.point)
            except ValueError as error:
                part.notes.append(f"{column}: {error}, and is left empty")
                return None, ""
            if found is None:
                return None, ""
            if found.note:
                part.notes.append(f"{column}: {found.note}")
            amount, currency = found.amount, found.currency
        elif isinstance(value, bool) or not isinstance(value, int | float):
            part.notes.append(f"{column}: price {str(value)[:60]!r} is not a number, and is left empty")
            return None, ""
        else:
            amount, currency = value, ""
        if not (-1e300 < amount < 1e300 and 0 <= amount < 1e15):
            part.notes.append(f"{column}: price {str(value)[:60]!r} is not an amount of money, and is left empty")
            return None, ""
        return float(amount), currency

    def _put_attribute(self, part: Part, name: str, value: object, read: Callable[[str], Value | None] | None) -> None:
        if isinstance(value, str):
            text = value.strip()
            if not text or text in _NOTHING:
                return
            if read is _nested:
                self._put_nested(part, name, text)
            else:
                found = read(text) if read else text
                if found not in (None, "", []):
                    part.attributes[name] = found
        elif isinstance(value, bytes):
            part.notes.append(f"attribute {name!r} is binary, which is not taken")
        elif is_beyond_numbers(value):
            part.notes.append(f"attribute {name!r} holds a number beyond {MAX_NUMBER:.1e}, which is not taken")
        elif (cleaned := clean(value)) is not None:
            part.attributes[name] = cleaned

    def _put_nested(self, part: Part, name: str, text: str) -> None:
        found = read_nested(name, text)
        if found is None:
            part.attributes[name] = text
            return
        for key, value in found.items():
            inner = key[len(name) :].strip("[].") if key != name and key.startswith(name) else key
            value = value[:MAX_FEW] if isinstance(value, list) else value
            cleaned = clean(value)
            if cleaned is not None and inner and len(inner) < MAX_NAME_CHARS:
                part.attributes.setdefault(_free(inner), cleaned)

    def _put_pictures(self, part: Part, value: object, separator: str) -> None:
        if isinstance(value, str):
            if separator == " ":
                paths = value.split()
            else:
                paths = (
                    split_pictures(value)
                    if not separator
                    else [path for piece in split_pictures(value) for path in split_list(piece, separator)]
                )
        elif isinstance(value, list):
            paths = [path for each in value if isinstance(each, str) for path in split_pictures(each)]
            if any(not isinstance(each, str) for each in value):
                part.notes.append("a picture is not given as a path, which is not taken")
        else:
            part.notes.append("a picture is not given as a path, which is not taken")
            return
        for path in paths:
            if path[:1] == "/" or self._folder:
                is_absolute = path[:1] == "/" and path[:2] != "//" and os.path.lexists(path)
                path = path if is_absolute else placed(path if path[:2] == "//" else path.lstrip("/"), self._folder)
            part.pictures.append(path)

    def _put_options(self, part: Part, values: Sequence[object], is_continuation: bool) -> None:
        for name_at, value_at in self._plan.options:
            value, name = _text(_at(values, value_at), "|"), _text(_at(values, name_at), " ")
            if value and value.casefold() not in self._skipped:
                # rows of further variants name the option in the first row only
                separator = self._plan.lists.get(value_at, "|" if "|" in value else ", ")
                part.options[name or f"\0{name_at}"] = split_list(value.replace(", ", separator[0]), separator[0])
        for n, pairs in self._plan.pairs:
            if pairs.only_in_continuation and not is_continuation:
                continue
            for name, value in pairs.pattern.findall(_text(_at(values, n), ",")):
                found = [
                    each.strip() for each in (value.split(pairs.values) if pairs.values else [value]) if each.strip()
                ]
                if found and name.strip():
                    part.options.setdefault(name.strip(), []).extend(
                        each for each in found if each not in part.options.get(name.strip(), [])
                    )

    def _put_stock(self, part: Part, values: Sequence[object]) -> None:
        stock = _text(self._first(values, "stock"), " ")
        if stock:
            try:
                number = float(stock)
                part.stock = number if math.isfinite(number) and abs(number) < EXACT_INT else None
            except ValueError:
                part.stock = None
        part.in_stock = truth(self._first(values, "in_stock"))

    def _put_variants(self, part: Part, variants: Sequence[dict[str, object]]) -> None:
        """Takes from a record's own variants their options, prices, pictures and stock."""
        columns = self._plan.columns
        options = [_BRACKETS.sub(r"\1", name) for name in columns if name.startswith("options[")]
        for variant in variants[:2_000]:
            lowered = {name.casefold(): value for name, value in variant.items() if value not in (None, "", [])}
            kept = Part(part.line)
            for name in ("price", "sale_price", "offers.price", "offers", "price.amount"):
                if name in lowered and kept.price is None:
                    kept.price, kept.currency = self._variant_price(kept, lowered[name])
            kept.variant_id = _text(lowered.get("sku") or lowered.get("id"), " ")
            for name, value in lowered.items():
                if (name.startswith("option") and name[6:].isdecimal()) and str(value).casefold() not in self._skipped:
                    at = int(name[6:]) - 1
                    kept.options[options[at] if at < len(options) else "option"] = [str(value)]
                elif "[" in name and name.endswith("]"):
                    kept.options[_BRACKETS.sub(r"\1", name)] = [
                        str(each) for each in (value if isinstance(value, list) else [value])
                    ]
                elif name in ("image", "images", "featured_image", "image_url", "image_link", "picture"):
                    self._put_pictures(kept, value, "")
                elif name in (
                    "color",
                    "colour",
                    "size",
                    "material",
                    "style",
                    "flavor",
                    "flavour",
                    "pattern",
                    "scent",
                    "finish",
                ):
                    kept.options[name] = [str(each) for each in (value if isinstance(value, list) else [value])]
            kept.in_stock = truth(
                next(
                    (
                        lowered[name]
                        for name in ("available", "in_stock", "availability", "offers.availability")
                        if name in lowered
                    ),
                    None,
                )
            )
            kept.stock = next(
                (
                    float(cast(float, lowered[name]))
                    for name in ("inventory_quantity", "quantity", "stock", "qty")
                    if isinstance(lowered.get(name), int | float)
                ),
                None,
            )
            part.variants.append(as_variant(kept))
            part.pictures += kept.pictures
            for option, found in kept.options.items():
                own = part.options.setdefault(option, [])
                own += [each for each in found if each not in own]
            if kept.price is not None and (part.price is None or (not part.price and kept.price)):
                part.price, part.currency = kept.price, part.currency or kept.currency
            elif kept.price and part.price and kept.price < part.price:
                part.price = kept.price
            if kept.in_stock is not None:
                part.in_stock = bool(part.in_stock) or kept.in_stock
            if kept.stock is not None:
                part.stock = (part.stock or 0) + kept.stock
        for option, found in list(part.options.items()):
            if option in options and option in part.attributes and found:
                part.attributes.pop(option)

    def _variant_price(self, kept: Part, value: object) -> tuple[float | None, str]:
        if isinstance(value, list):
            value = value[0] if value else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return (float(value), "") if 0 <= value < 1e15 else (None, "")
        try:
            found = parse_price(str(value), self._plan.point)
        except ValueError:
            return None, ""
        return (found.amount, found.currency) if found and found.amount < 1e15 else (None, "")


_BRACKETS = re.compile(r"^[^\[]*\[(.*)\]$")


def as_variant(part: Part) -> dict[str, object]:
    """A variant as its item keeps it: its id, price, option values, pictures and stock, without what it lacks."""
    found: dict[str, object] = {
        "id": part.variant_id,
        "price": part.price,
        "options": {name: values[0] if len(values) == 1 else values for name, values in part.options.items()},
        "pictures": list(dict.fromkeys(part.pictures)),
        "stock": part.stock,
        "in_stock": part.in_stock,
    }
    return {name: value for name, value in found.items() if value not in (None, "", [], {})}


def made_id(plan: Plan, row: Row) -> str:
    """The id of a row whose feed has no column for it, made from the columns that the plan says."""
    from hashlib import blake2b

    parts = [str(_at(row.values, n) or "").strip() for n in plan.id_from]
    if not any(parts):
        return ""
    if (
        len(parts) == 1
        and len(parts[0]) <= 80
        and parts[0].isprintable()
        and plan.columns[plan.id_from[0]].casefold() == "sku"
    ):
        return parts[0]
    return f"row-{blake2b(json.dumps(parts).encode(), digest_size=10).hexdigest()}"


def id_text(value: object) -> str:
    """The text of an id, "" for what is none."""
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        value = int(value) if abs(value) < EXACT_INT and value.is_integer() else value
    return str(value).strip()


def truth(value: object) -> bool | None:
    """Whether a cell says yes or no; None where it says neither."""
    word = _word(value).rpartition("/")[2]
    return True if word in _TRUE else False if word in _FALSE else None


def clean(value: object) -> Value | None:
    """The value as an attribute stores it, None where it is empty."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= EXACT_INT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        found = [_shown(part) for each in value[:1_000] if (part := clean(each)) is not None]
        return found or None
    return None


def is_beyond_numbers(value: object) -> bool:
    """Whether it is, or holds, a number that no column can: infinite, or of hundreds of digits."""
    if isinstance(value, list):
        return any(is_beyond_numbers(part) for part in value)
    return isinstance(value, int | float) and value == value and not -MAX_NUMBER <= value <= MAX_NUMBER


def _nested(text: str) -> Value | None:
    return text


def _free(name: str) -> str:
    from magpie.data.catalogue.items import KNOWN_FIELDS

    return f"feed_{name}" if name.lower() in KNOWN_FIELDS else name


def _at(values: Sequence[object], n: int | None) -> object:
    return values[n] if n is not None and n < len(values) else None


def _word(value: object) -> str:
    if isinstance(value, list):
        value = value[0] if value else None
    return "" if value is None else str(value).strip().casefold()


def _text(value: object, joint: str) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return joint.join(_shown(part) for each in value if (part := clean(each)) is not None)
    cleaned = clean(value)
    return "" if cleaned is None else _shown(cleaned)


def _shown(value: Value) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
