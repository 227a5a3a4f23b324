"""From designs to the shop's feed: one record an item, with its true attributes beside what the shop says."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .colours import NATURAL, base_of
from .design import Design
from .faults import Faults, item_id, plant_faults
from .kinds import KINDS
from .lexicon import BRANDS, SERIES, STYLES
from .range import COUNT, SEED, draw_range
from .text import LANGUAGES, Facts, english_description, english_title, foreign_description, foreign_title

COLUMNS = (
    "id",
    "title",
    "description",
    "category",
    "kind",
    "material",
    "colour",
    "pattern",
    "style",
    "price",
    "currency",
    "year",
    "brand",
    "width_cm",
    "height_cm",
    "depth_cm",
    "image",
)
FOREIGN_SHARE = 0.06
DEAR = ("brass", "marble", "walnut", "velvet", "leather", "copper", "terrazzo", "wool", "lacquer")


@dataclass(frozen=True)
class Record:
    """One item: the row of the feed, and the true attributes that judgments are made from."""

    row: dict[str, str]
    truth: Facts


def build_shop(count: int = COUNT, seed: int = SEED) -> tuple[list[Record], Faults]:
    """The whole shop, and the faults planted in it. Builds each item's geometry to measure it (about 12 ms an item)."""
    designs = draw_range(count, seed)
    faults = plant_faults(designs, seed)
    return [build_record(number, design, faults, seed) for number, design in enumerate(designs)], faults


def build_record(number: int, design: Design, faults: Faults, seed: int = SEED) -> Record:
    """The n-th item's row and truth; its words depend on nothing but the seed and its own number."""
    name = item_id(number)
    rng = np.random.default_rng((seed, number))
    kind = KINDS[design.kind]
    width, depth, height = measure(design)
    truth = Facts(
        kind=design.kind,
        variant=design.variant,
        material=design.finish.material,
        colour=true_colour(design),
        shade=true_shade(design),
        pattern=true_pattern(design),
        style=_style(design, rng),
        brand=str(rng.choice(BRANDS[kind.category])),
        series=str(rng.choice(SERIES)),
        height_cm=height,
        width_cm=width,
    )
    title, description = _words(name, truth, faults, rng)
    row = {
        "id": name,
        "title": title,
        "description": "" if name in faults.no_description else description,
        "category": kind.category,
        "kind": truth.kind,
        "material": truth.material,
        "colour": truth.colour,
        "pattern": truth.pattern,
        "style": truth.style,
        "price": f"{_price(design, rng):.2f}",
        "currency": "EUR",
        "year": str(int(rng.integers(2017, 2027))),
        "brand": truth.brand,
        "width_cm": f"{width:.1f}",
        "height_cm": f"{height:.1f}",
        "depth_cm": f"{depth:.1f}",
        "image": "" if name in faults.no_picture else f"images/{name}.jpg",
    }
    return Record(row, truth)


def _words(name: str, truth: Facts, faults: Faults, rng: np.random.Generator) -> tuple[str, str]:
    if name in faults.wrong_colour:
        return english_title(truth, rng, faults.wrong_colour[name], must_colour=True), english_description(truth, rng)
    if rng.random() < FOREIGN_SHARE:
        language = str(rng.choice(LANGUAGES))
        return foreign_title(truth, language), foreign_description(truth, language)
    return english_title(truth, rng, truth.shade), english_description(truth, rng)


def measure(design: Design) -> tuple[float, float, float]:
    """Width, depth and height of the product as photographed, in centimetres, to the millimetre."""
    parts = KINDS[design.kind].build(design)
    low = np.min([p.mesh.points.min(axis=0) for p in parts], axis=0)
    high = np.max([p.mesh.points.max(axis=0) for p in parts], axis=0)
    width, depth, height = (round(float(x), 1) for x in high - low)
    return width, depth, height


def true_colour(design: Design) -> str:
    """The base colour that a customer would filter by."""
    material = design.finish.material
    return NATURAL[material][0] if material in NATURAL else base_of(design.finish.colour)


def true_shade(design: Design) -> str:
    return design.finish.colour


def true_pattern(design: Design) -> str:
    """The pattern one sees: prints as drawn, and what the material itself shows."""
    material, pattern = design.finish.material, design.finish.pattern
    if design.kind == "ball" and design.variant == "beach":
        return "stripes"
    if design.kind == "basket":
        return "woven"
    if design.kind == "table lamp" and design.variant == "desk":
        pattern = "plain"  # neither its foot nor its head is printed
    own = {"marble": "marbled", "terrazzo": "terrazzo", "stoneware": "speckled", "rattan": "woven"}
    return own.get(material, pattern)


def _style(design: Design, rng: np.random.Generator) -> str:
    fitting = [style for style, materials in STYLES.items() if design.finish.material in materials]
    return str(rng.choice(fitting or ["modern"]))


def _price(design: Design, rng: np.random.Generator) -> float:
    """A price in the kind's range, dearer for dear materials, ending as prices do."""
    low, high = KINDS[design.kind].price
    place = float(rng.beta(1.6, 2.4)) + (0.15 if design.finish.material in DEAR else 0.0)
    price = low * (high / low) ** min(place, 1.0)
    if price >= 200:
        return round(price / 10) * 10 - 1.0
    return (
        round(price) - float(rng.choice([0.0, 0.05, 0.1, 0.5]))
        if price >= 20
        else round(price * 2) / 2 - float(rng.choice([0.0, 0.05, 0.01]))
    )


def write_feed(records: list[Record], path: Path) -> None:
    """Writes catalog.csv beside its place, then renames it."""
    beside = path.with_suffix(".part")
    with beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(record.row for record in records)
    beside.replace(path)
