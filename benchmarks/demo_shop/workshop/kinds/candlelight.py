"""Lanterns, candles and what holds them."""

from __future__ import annotations

import numpy as np

from ..design import PLAIN, Design, Kind, View
from ..finish import CORD, Finish, Part
from ..forms import handle, smooth, vessel
from ..mesh import Mesh
from ..shapes import box, cylinder, lathe, rod, sphere, tube

FLAME = Finish("paper", "white", glow=7.0)


def _flame(height: float) -> Mesh:
    return lathe(smooth([[0.02, 0], [0.32, height * 0.3], [0.22, height * 0.6], [0.02, height]], 20), 20)


def lantern(design: Design) -> list[Part]:
    rng = design.rng()
    w, h = rng.uniform(11, 15), rng.uniform(20, 30)
    frame = design.finish.solid()
    parts: list[Part] = []
    if design.variant == "round":
        parts += [Part(cylinder(w * 0.55, 1.6, 0.4), frame), Part(cylinder(w * 0.55, 1.4, 0.4).move(z=h), frame)]
        for a in np.radians(np.arange(0, 360, 60) + 15):
            x, y = np.cos(a) * w * 0.5, np.sin(a) * w * 0.5
            parts.append(Part(rod([x, y, 1], [x, y, h + 0.6], 0.35), frame))
        roof = lathe([[w * 0.5, h + 1.3], [w * 0.2, h + 4], [0, h + 4.2]], 60)
    else:
        parts += [Part(box(w, w, 1.6, 0.3), frame), Part(box(w, w, 1.4, 0.3).move(z=h), frame)]
        for sx in (-1, 1):
            for sy in (-1, 1):
                parts.append(Part(box(1.1, 1.1, h, 0.15).move(sx * (w / 2 - 0.7), sy * (w / 2 - 0.7), 0.5), frame))
        if design.variant == "storm":
            parts += [Part(box(w - 1.5, 0.6, 0.8, 0.1).move(y=s * (w / 2 - 0.7), z=h * 0.5), frame) for s in (-1, 1)]
            parts += [Part(box(0.6, w - 1.5, 0.8, 0.1).move(x=s * (w / 2 - 0.7), z=h * 0.5), frame) for s in (-1, 1)]
        roof = lathe([[w * 0.62, h + 1.3], [w * 0.18, h + 6], [0, h + 6.2]], 4).turn("z", 45)
    ring = tube(
        [[np.cos(t) * w * 0.28, 0, np.sin(t) * w * 0.28] for t in np.linspace(0, 2 * np.pi, 40)[:-1]], 0.3, 12, True
    )
    parts += [Part(roof, frame), Part(ring.move(z=h + 5 + w * 0.25), frame)]
    wax = rng.uniform(0.3, 0.5) * h
    parts += [
        Part(cylinder(w * 0.24, wax, 0.4).move(z=1.5), Finish("wax", "ivory")),
        Part(_flame(2.8).move(z=wax + 1.9), FLAME),
    ]
    turn = float(rng.uniform(15, 35))
    return [Part(p.mesh.turn("z", turn), p.finish) for p in parts]


def candle(design: Design) -> list[Part]:
    rng = design.rng()
    if design.variant == "pillar set":
        sizes = [(3.6, 17.0, -4.2, 0.8), (3.6, 12.0, 3.6, 1.6), (3.6, 7.5, 0.3, -4.2)]
    elif design.variant == "in a glass":
        profile = smooth([[3.9, 0], [4.1, 0.5], [4.1, 5], [4.1, 9]], 40)
        return [
            Part(vessel(profile, 0.25, 0.8), Finish("glass", "clear")),
            Part(cylinder(3.75, 5.6, 0.2).move(z=0.85), design.finish),
            Part(rod([0, 0, 6.3], [0.1, 0, 7.2], 0.12), CORD),
            Part(_flame(2.0).move(z=7.1), FLAME),
        ]
    elif design.variant == "sphere":
        r = rng.uniform(4, 5)
        return [
            Part(sphere(r, 0.96), design.finish),
            Part(rod([0, 0, r * 1.9], [0.1, 0, r * 2.05], 0.14), CORD),
            Part(_flame(2.4).move(z=r * 2.1), FLAME),
        ]
    else:
        sizes = [(rng.uniform(3.2, 4.4), rng.uniform(10, 17), 0.0, 0.0)]
    parts = []
    for r, h, x, y in sizes:
        body = lathe(
            smooth(
                [
                    [r * 0.98, 0],
                    [r, h * 0.03],
                    [r, h * 0.5],
                    [r, h * 0.96],
                    [r * 0.93, h],
                    [r * 0.8, h - 0.25],
                    [r * 0.3, h - 0.5],
                    [0.01, h - 0.5],
                ],
                60,
            ),
            64,
        )
        parts += [
            Part(body.move(x, y), design.finish),
            Part(rod([x, y, h - 0.5], [x + 0.1, y, h + 0.5], 0.14), CORD),
            Part(_flame(2.6).move(x, y, h + 0.4), FLAME),
        ]
    return parts


def candle_holder(design: Design) -> list[Part]:
    rng = design.rng()
    h = rng.uniform(12, 24)
    tone = Finish("wax", str(rng.choice(["ivory", "white", "terracotta", "sage green", "navy blue"])))

    def lit(x: float, z: float) -> list[Part]:
        return [
            Part(rod([x, 0, z - 1], [x, 0, z + 14], 1.05, 0.85), tone),
            Part(rod([x, 0, z + 14.6], [x, 0, z + 15.5], 0.12), CORD),
            Part(_flame(2.6).move(x, 0, z + 15.4), FLAME),
        ]

    if design.variant == "chamberstick":
        dish = vessel(smooth([[5, 0], [6.5, 0.3], [7.6, 1.6]], 24), 0.35)
        return [
            Part(dish, design.finish),
            Part(cylinder(1.7, 3.4, 0.3).move(z=0.3), design.finish),
            Part(handle([7.2, 7.0], [1.5, 0.9], 3.4, 0.4, 0.7), design.finish),
            *lit(0, 4),
        ]
    if design.variant == "candelabra":
        parts = [Part(lathe(smooth([[7, 0], [6.4, 0.8], [1.6, 2.4], [0.9, 5], [0.9, h]], 40), 72), design.finish)]
        arms = [[np.cos(t) * 9, 0, h + 3 + np.sin(t) * 8] for t in np.radians(np.linspace(180, 360, 40))]
        parts.append(Part(tube(arms, 0.6), design.finish))
        for x in (-9, 0, 9):
            z = h + (3 if x else 0)
            parts += [
                Part(lathe([[0.5, z - 0.5], [1.9, z + 0.4], [1.5, z + 1.8], [0, z + 1.8]], 40).move(x), design.finish),
                *lit(x, z + 1.6),
            ]
        return parts
    stem = lathe(
        smooth(
            [
                [5, 0],
                [4.6, 0.7],
                [1.4, 2],
                [0.8, h * 0.35],
                [1.5, h * 0.5],
                [0.8, h * 0.65],
                [0.9, h * 0.86],
                [2.1, h * 0.93],
                [1.7, h],
            ],
            80,
        ),
        72,
    )
    return [Part(stem, design.finish), *lit(0, h)]


KINDS = (
    Kind(
        "lantern",
        "Lighting",
        lantern,
        ("square", "round", "storm"),
        {"black iron": PLAIN, "brass": PLAIN, "oak": PLAIN, "painted wood": PLAIN, "copper": PLAIN},
        (19, 95),
        View((8, 16), (-5, 5)),
    ),
    Kind(
        "candle",
        "Decor",
        candle,
        ("pillar", "pillar set", "in a glass", "sphere"),
        {"wax": "plain plain plain stripes two-tone gradient"},
        (6, 38),
        View((10, 20)),
    ),
    Kind(
        "candle holder",
        "Decor",
        candle_holder,
        ("candlestick", "chamberstick", "candelabra"),
        {"brass": PLAIN, "black iron": PLAIN, "ceramic": PLAIN, "oak": PLAIN, "steel": PLAIN, "glass": PLAIN},
        (12, 110),
        View((8, 16)),
    ),
)
