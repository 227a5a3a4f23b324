"""The shop's kinds of product, by department; their order is part of what the seed draws."""

from __future__ import annotations

from ..design import Kind
from . import (
    candlelight,
    cookware,
    furniture,
    glassware,
    kitchen,
    lamps,
    ornaments,
    seating,
    tables,
    tableware,
    textiles,
    toys,
    upholstery,
    walls,
)

KINDS: dict[str, Kind] = {
    kind.name: kind
    for department in (
        tableware,
        glassware,
        cookware,
        kitchen,
        lamps,
        candlelight,
        seating,
        upholstery,
        tables,
        furniture,
        textiles,
        walls,
        toys,
        ornaments,
    )
    for kind in department.KINDS
}
