"""Formats items for people: labels of fields, values and prices, and the cards of a grid."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from magpie.data.catalogue.items import Value
from magpie.search.request import Hit
from magpie.search.retrieval.facet_use import is_code
from magpie.web.addresses import item_url, picture_url
from magpie.web.api.filter_notation import format_number
from magpie.web.page.state import PageState
from magpie.web.page.texts import Text

_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "INR": "₹", "JPY": "¥", "CNY": "¥", "KRW": "₩"}
_NAMED_FIELDS = ("category", "price")
_UNIT = re.compile(r"(.+)_(mm|cm|m|km|g|kg|mg|lb|lbs|oz|ml|cl|l|in|inch|ft|kw|w|v|mah|gb|mb|mhz|ghz|kcal|min|px)")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")

_WHITE_FROM = 232  # of 255 in each channel: a nearly white picture gets no tint


@dataclass(frozen=True)
class Card:
    """One hit in the grid. `tint` stands in for the picture while it loads."""

    item_id: str
    position: int
    title: str
    price: str
    notes: str
    url: str
    like_url: str
    image: str
    image_set: str
    tint: str


def card_of(hit: Hit, useful: Sequence[str] = ()) -> Card:
    """The card of one hit; below the title it shows values of the `useful` fields, the most useful first."""
    image = picture_url(hit.item_id, hit.image) if hit.image else ""
    return Card(
        item_id=hit.item_id,
        position=hit.position,
        title=hit.title or hit.item_id,
        price=price_label(hit.price, hit.currency),
        notes=_notes(hit.title, hit.category, hit.attributes, useful),
        url=item_url(hit.item_id),
        like_url=PageState(like=hit.item_id).url,
        image=f"{image}&w=320" if image else "",
        image_set=f"{image}&w=320 320w, {image}&w=640 640w" if image else "",
        tint=tint_label(hit.dominant_colour) if hit.image and hit.dominant_colour else "",
    )


def tint_label(tint: tuple[int, int, int]) -> str:
    """A colour as "#a1b2c3"; "" for a nearly white one."""
    return "" if min(tint) >= _WHITE_FROM else "#{:02x}{:02x}{:02x}".format(*tint)


def field_label(name: str, text: Text) -> str:
    """A field's label; `category` and `price` are in the page's language."""
    if name in _NAMED_FIELDS:
        return text(f"field_{name}")
    return plain_label(name)


def plain_label(name: str) -> str:
    """A field's name with spaces for _, - and points, a capital at its beginning if it has none, and its unit in
    brackets: "Weight (kg)" of `weight_kg`, "Sleeve length" of `sleeveLength`."""
    unit = _UNIT.fullmatch(name)
    if unit:
        return f"{plain_label(unit[1])} ({unit[2]})"
    words = _CAMEL.sub(" ", name).lower() if _CAMEL.search(name) and name[:1].islower() else name
    words = words.replace("_", " ").replace("-", " ").replace(".", " ").strip()
    return words[:1].upper() + words[1:] if words.islower() else words


def value_label(value: Value, text: Text) -> str:
    """An attribute's value as text."""
    if isinstance(value, bool):
        return text("yes") if value else text("no")
    if isinstance(value, list):
        return ", ".join(value)
    return format_number(value) if isinstance(value, int | float) else value


def price_label(price: float | None, currency: str) -> str:
    """A price with its currency, "" without a price."""
    if price is None:
        return ""
    amount = f"{price:,.0f}" if float(price).is_integer() else f"{price:,.2f}"
    symbol = _SYMBOLS.get(currency.upper())
    return f"{symbol}{amount}" if symbol else f"{currency} {amount}".strip()


def outward_url(url: str) -> str:
    """The item's own URL if it is http or https with a host, else ""."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.netloc else ""


def _notes(title: str, category: str, attributes: Mapping[str, Value], useful: Sequence[str]) -> str:
    """Up to three short attribute values that the title does not contain, else the category."""
    place = {name: n for n, name in enumerate(useful)}
    names = sorted((name for name in attributes if not is_code(name)), key=lambda name: place.get(name, len(place)))
    said = title.casefold()
    short: list[str] = []
    for value in (attributes[name] for name in names):
        if not isinstance(value, str) or not 2 <= len(value) <= 24 or value.startswith(("http:", "https:")):
            continue
        if value.casefold() not in said and value not in short:
            short.append(value)
    return " · ".join(short[:3]) or (category if len(category) <= 40 else "")
