"""Degrades a feed with known attributes for indexing, and draws queries on the attributes with grades for every item.

The engine gets titles that lost words (most of those that name an attribute), and attributes of which many are missing
and some are wrong. Grades come from the original feed.
"""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

NAMED = ("gender", "type", "colour", "usage", "brand")  # what queries may ask for
_LOST_NAMING, _LOST_OTHER = 0.55, 0.10  # chances of a word of the title
_MISSING, _WRONG = 0.40, 0.05  # chances of an attribute
_RARE_BRAND = 8  # items; brands with fewer are one, that nobody asks for
_FEWEST_OF_TYPE = 40
OTHER = "other"
_NOT_ASKED = {"brand": {OTHER, ""}, "colour": {"", "NA"}, "usage": {"", "NA", "Casual", "Home"}, "gender": {""}}
_SHARES = {  # of 100 queries: what they ask for beside the type
    ("colour",): 24,
    ("gender",): 14,
    ("brand",): 18,
    ("usage",): 8,
    ("gender", "colour"): 16,
    ("brand", "colour"): 10,
    ("gender", "usage"): 6,
    ("brand", "gender"): 4,
}
_OTHER_WORDS = {  # that people have for a type
    "Tshirts": "t-shirt tee tshirts",
    "Casual Shoes": "sneakers casual_shoes",
    "Sports Shoes": "running_shoes trainers sports_shoes",
    "Trousers": "pants trousers",
    "Handbags": "handbag purse",
    "Backpacks": "backpack rucksack",
    "Watches": "watch wristwatch",
    "Sunglasses": "shades sunglasses",
    "Sweatshirts": "hoodie sweatshirt",
    "Heels": "heels stilettos",
    "Flip Flops": "flip_flops slippers",
    "Perfume and Body Mist": "perfume fragrance",
    "Dresses": "dress gown",
    "Jackets": "jacket coat",
    "Tops": "top blouse",
}
_FAMILIES = (
    ("Blue", "Navy Blue", "Turquoise Blue", "Teal"),
    ("Red", "Maroon", "Burgundy", "Rust"),
    ("Green", "Olive", "Sea Green", "Lime Green", "Fluorescent Green", "Khaki"),
    ("Brown", "Coffee Brown", "Mushroom Brown", "Tan", "Bronze", "Copper"),
    ("White", "Off White", "Cream", "Beige", "Skin", "Nude"),
    ("Grey", "Grey Melange", "Charcoal", "Silver", "Steel"),
    ("Pink", "Magenta", "Rose", "Peach"),
    ("Purple", "Lavender", "Mauve"),
    ("Yellow", "Mustard", "Gold"),
)
_FAMILY_OF = {colour: family[0] for family in _FAMILIES for colour in family}
_GENDERS = re.compile(r"(men|women|mens|womens|men's|women's|boys|girls|boy's|girl's|unisex|kids|kid's)", re.I)


@dataclass(frozen=True)
class AttributeQuery:
    """What is typed, and what it means: a type, the type's wider category, and further attributes."""

    text: str
    type: str
    subcategory: str
    wanted: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrueFeed:
    """The rows of a feed as it was, with the brand read off the title, and `column(name)` of all."""

    rows: list[dict[str, str]]

    def column(self, name: str) -> np.ndarray:
        """(n,) values."""
        return np.array([row[name] for row in self.rows])

    @cached_property
    def families(self) -> np.ndarray:
        """(n,) the family of each item's colour."""
        return np.array([_FAMILY_OF.get(row["colour"], row["colour"]) for row in self.rows])

    @cached_property
    def place_of(self) -> dict[str, int]:
        return {row["id"]: place for place, row in enumerate(self.rows)}

    def grades(self, query: AttributeQuery, places: Sequence[int]) -> np.ndarray:
        """(n,) 3: the type, and all else as asked. 2: the type, and half of the rest or more. 1: the type, or another
        of the same category with all of the rest. A colour of the same family and Unisex are half right."""
        return np.array([_grade(query, self.rows[place]) for place in places])


def read_true_feed(path: Path) -> TrueFeed:
    """The rows that have a title."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row | {"brand": _brand(row["title"])} for row in csv.DictReader(file) if row["title"]]
    counts = Counter(row["brand"] for row in rows)
    for row in rows:
        if counts[row["brand"]] < _RARE_BRAND:
            row["brand"] = OTHER
    return TrueFeed(rows)


def _brand(title: str) -> str:
    """The words before the gender, or the first word."""
    words = title.split()[:3]
    end = next((place for place, word in enumerate(words) if _GENDERS.fullmatch(word)), None)
    return " ".join(words[:1] if end is None else words[:end]).lower()


def write_poorer_feed(feed: TrueFeed, path: Path, seed: int = 7) -> None:
    """The feed as the engine gets it."""
    chance = np.random.default_rng(seed)
    values = {name: feed.column(name).astype(object) for name in NAMED}
    for name in NAMED:
        wrong = chance.random(len(feed.rows)) < _WRONG
        values[name][wrong] = chance.choice(np.unique(values[name].astype(str)), int(wrong.sum()))
        values[name][chance.random(len(feed.rows)) < _MISSING] = ""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "title", *NAMED, "year", "image"])
        for place, row in enumerate(feed.rows):
            told = [values[name][place] for name in NAMED]
            writer.writerow([row["id"], _poorer_title(row, chance), *told, row["year"], row["image"]])


def _poorer_title(row: dict[str, str], chance: np.random.Generator) -> str:
    naming = {word[:5] for name in NAMED[:-1] for word in row[name].lower().split()}
    words = row["title"].split()
    risks = [_LOST_NAMING if word.lower().strip("'s")[:5] in naming else _LOST_OTHER for word in words]
    return " ".join(word for word, risk in zip(words, risks, strict=True) if chance.random() > risk)


def draw_queries(feed: TrueFeed, number: int, seed: int) -> list[AttributeQuery]:
    """So many different ones, each with at least one answer; kinds of which there are thousands are asked for less
    often than their share of the items."""
    chance = np.random.default_rng([7, seed])
    of_type = Counter(row["type"] for row in feed.rows)
    templates = [names for names, share in _SHARES.items() for _ in range(share)]
    found: dict[str, AttributeQuery] = {}
    while len(found) < number:
        row = feed.rows[int(chance.integers(len(feed.rows)))]
        names, kind = templates[int(chance.integers(len(templates)))], row["type"]
        if of_type[kind] < _FEWEST_OF_TYPE or chance.random() > (60 / of_type[kind]) ** 0.5:
            continue
        if any(row[name] in _NOT_ASKED[name] for name in names):
            continue
        said = [_said(name, row[name]) for name in sorted(names, key=("brand", "gender", "colour", "usage").index)]
        words = _OTHER_WORDS.get(kind, "").split()
        said.append(str(chance.choice(words)).replace("_", " ") if words and chance.random() < 0.6 else kind.lower())
        text = " ".join(said)
        found.setdefault(text, AttributeQuery(text, kind, row["subcategory"], {name: row[name] for name in names}))
    return list(found.values())


def _said(name: str, value: str) -> str:
    return {"Men": "mens", "Women": "womens"}.get(value, value.lower()) if name == "gender" else value.lower()


def _grade(query: AttributeQuery, row: dict[str, str]) -> int:
    fits = [_fit(name, value, row[name]) for name, value in query.wanted.items()]
    if row["type"] == query.type:
        return 3 if min(fits, default=1.0) >= 1 else 2 if np.mean(fits) >= 0.5 else 1
    return int(row["subcategory"] == query.subcategory and min(fits, default=1.0) >= 1)


def _fit(name: str, wanted: str, value: str) -> float:
    if value == wanted:
        return 1.0
    if name == "gender":
        return 0.5 if value == "Unisex" else 0.0
    alike = name == "colour" and _FAMILY_OF.get(value, value) == _FAMILY_OF.get(wanted, wanted)
    return 0.5 if alike else 0.0
