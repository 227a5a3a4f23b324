"""What a surface is made of, named as the shop names it; materials.py turns it into a renderer's model."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .mesh import Mesh

WOODS = ("oak", "walnut", "ash", "bamboo")
METALS = ("brass", "copper", "steel", "black iron")
CLOTHS = ("linen", "wool", "cotton", "velvet")


@dataclass(frozen=True)
class Finish:
    """A material with its colour shade, pattern and the pattern's second shade.

    `glow` is the radiance it gives off (lamp shades and flames); `seed` picks the grain or the veins.
    """

    material: str
    colour: str = "white"
    pattern: str = "plain"
    second: str = "white"
    glow: float = 0.0
    seed: int = 0

    def solid(self) -> Finish:
        """The finish without its print, for handles, lids and rims."""
        return replace(self, pattern="plain", glow=0.0)


@dataclass(frozen=True)
class Part:
    """A mesh with its finish."""

    mesh: Mesh
    finish: Finish


BLACK_IRON = Finish("black iron", "black")
BRASS = Finish("brass", "gold")
STEEL = Finish("steel", "silver")
CORD = Finish("plastic", "black")
SOIL = Finish("soil", "#2b1d14")


def leg_finish(seed: int) -> Finish:
    """What stands under upholstery and paint: oak, walnut, black iron or brass."""
    return [Finish("oak", seed=seed), Finish("walnut", seed=seed), BLACK_IRON, BRASS][seed % 4]
