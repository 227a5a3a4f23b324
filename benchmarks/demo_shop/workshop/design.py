"""A design: everything that decides how one product looks; and a kind: what the shop can make of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .colours import DYED, NATURAL, SHADES
from .finish import Finish, Part


@dataclass(frozen=True)
class Design:
    """One product: its kind, the shape variant, the finish of its main part, and the seed of its proportions."""

    kind: str
    variant: str
    finish: Finish
    seed: int

    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)


@dataclass(frozen=True)
class View:
    """How a kind likes to be photographed; `wall` is "sweep", "lean" (a wall just behind) or "hang" (no floor)."""

    elevation: tuple[float, float] = (10, 22)
    azimuth: tuple[float, float] = (-25, 25)
    wall: str = "sweep"


@dataclass(frozen=True)
class Kind:
    """What the shop can make: builder, shape variants, materials with their patterns, and the price range in EUR."""

    name: str
    category: str
    build: Callable[[Design], list[Part]]
    variants: tuple[str, ...]
    finishes: dict[str, str]
    price: tuple[float, float]
    view: View = View()
    share: float = 1.0


PLAIN = "plain"
GLAZES = "plain plain stripes dots checks gradient two-tone"
PRINTS = "plain plain stripes dots checks"
# shades a material is never made in, and the few it comes in where dyeing it would be odd
GLASS_SHADES = (
    "clear",
    "clear",
    "clear",
    "green",
    "blue",
    "sky blue",
    "turquoise",
    "orange",
    "red",
    "purple",
    "pink",
    "grey",
    "yellow",
    "aqua",
    "lilac",
    "cobalt blue",
)
FEW_SHADES: dict[str, tuple[str, ...]] = {
    "glass": GLASS_SHADES,
    "marble": ("white", "black", "forest green", "blush pink"),
    "terrazzo": ("white", "light grey", "blush pink", "beige"),
    "leather": ("brown", "chestnut", "black", "chocolate brown", "sand", "olive green"),
    "stoneware": (
        "white",
        "grey",
        "beige",
        "slate grey",
        "sage green",
        "sky blue",
        "blush pink",
        "charcoal black",
        "sand",
        "terracotta",
        "teal",
    ),
    "terracotta": ("terracotta",),
    "wool": (
        "ivory",
        "grey",
        "mustard yellow",
        "forest green",
        "navy blue",
        "brick red",
        "blush pink",
        "oatmeal",
        "teal",
        "plum",
        "slate grey",
    ),
    "paper": ("white", "ivory"),
    "cardboard": ("sand",),
    "wax": (
        "ivory",
        "white",
        "red",
        "mustard yellow",
        "sage green",
        "navy blue",
        "blush pink",
        "terracotta",
        "lilac",
        "black",
    ),
}
SECOND = {"marble": {"white": "grey", "black": "light grey", "forest green": "sage green", "blush pink": "ivory"}}


def all_shades() -> tuple[str, ...]:
    """Every dyed shade, once each, base colours evenly weighted by the caller."""
    return tuple(s for base in DYED for s in SHADES[base])


def draw_finish(kind: Kind, rng: np.random.Generator) -> Finish:
    """A finish the kind may have; colours are drawn base colour first, so that blue does not beat black."""
    names = list(kind.finishes)
    material = names[int(rng.integers(len(names)))]
    pattern = str(rng.choice(kind.finishes[material].split()))
    seed = int(rng.integers(1 << 16))
    if material in NATURAL:
        return Finish(material, NATURAL[material][1], "plain", "white", seed=seed)
    if material in FEW_SHADES:
        shade = str(rng.choice(FEW_SHADES[material]))
    else:
        base = str(rng.choice(DYED))
        shade = str(rng.choice(list(SHADES[base])))
    second = SECOND.get(material, {}).get(shade) or _second_shade(shade, rng)
    if material == "terrazzo":
        second = str(rng.choice(["green", "navy blue", "terracotta", "mustard yellow", "teal", "brick red"]))
        pattern = "terrazzo"
    return Finish(material, shade, pattern, second, seed=seed)


def _second_shade(shade: str, rng: np.random.Generator) -> str:
    """A second colour that reads clearly beside the first: white or ivory, or black or navy on light grounds."""
    light = (
        "white",
        "ivory",
        "beige",
        "sand",
        "oatmeal",
        "light grey",
        "lemon yellow",
        "blush pink",
        "sky blue",
        "aqua",
        "yellow",
    )
    return str(rng.choice(["black", "navy blue", "brick red", "teal"] if shade in light else ["white", "ivory"]))
