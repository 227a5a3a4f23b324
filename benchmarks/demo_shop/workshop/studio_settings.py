"""What the photographer is told: the backdrops, and the settings of one shot."""

from __future__ import annotations

from dataclasses import dataclass

BACKDROPS = {
    "paper white": "#e9e6e0",
    "dove grey": "#cfd0d1",
    "warm sand": "#dcd1c1",
    "pale sage": "#c9d0c2",
    "mist blue": "#c5d0d8",
}


@dataclass(frozen=True)
class Shot:
    """How one product is photographed. Angles in degrees; wall is None or the distance behind the product in cm."""

    azimuth: float = 20.0
    elevation: float = 16.0
    wall: float | None = None
    floor: bool = True
    backdrop: str = "paper white"
    light_turn: float = 0.0
    fill: float = 0.78
    field_of_view: float = 24.0
    exposure: float = 1.0
    window: bool = False
