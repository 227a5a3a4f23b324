"""Coffee, side and dining tables."""

from __future__ import annotations

import numpy as np

from ..design import PLAIN, Design, Kind, View
from ..finish import BLACK_IRON, BRASS, WOODS, Finish, Part
from ..forms import four_legs, smooth, square_legs
from ..mesh import Mesh
from ..shapes import box, cylinder, lathe, prism, rod, sphere, superellipse


def _frame_for(design: Design) -> Finish:
    """Legs: of the same wood, or metal under stone and glass."""
    if design.finish.material in (*WOODS, "painted wood", "plastic"):
        return design.finish if design.seed % 3 else BLACK_IRON
    return [BLACK_IRON, BRASS, Finish("oak", seed=design.seed)][design.seed % 3]


def _round_top(width: float, depth: float, thick: float, power: float = 2.0) -> Mesh:
    return prism(superellipse(width, depth, power, 96), thick, min(0.6, thick / 3))


def _pedestal(radius: float, height: float) -> Mesh:
    return lathe(
        smooth(
            [
                [radius, 0],
                [radius * 0.9, 1.2],
                [radius * 0.25, 4],
                [radius * 0.16, height * 0.4],
                [radius * 0.18, height * 0.85],
                [radius * 0.5, height],
            ],
            50,
        ),
        72,
    )


def coffee_table(design: Design) -> list[Part]:
    rng = design.rng()
    h = rng.uniform(36, 44)
    frame = _frame_for(design)
    if design.variant == "round":
        r = rng.uniform(38, 45)
        return [
            Part(_round_top(2 * r, 2 * r, 3).move(z=h - 3), design.finish),
            *[Part(m, frame) for m in four_legs(r * 0.95, r * 0.95, h - 2.5, 1.9, 5)],
        ]
    if design.variant == "oval":
        return [
            Part(_round_top(115, 62, 3, 2.4).move(z=h - 3), design.finish),
            *[Part(m, frame) for m in four_legs(70, 34, h - 2.5, 1.9, 6)],
        ]
    if design.variant == "drum":
        r = rng.uniform(32, 40)
        return [Part(cylinder(r, h, 1.2), design.finish)]
    w, d = rng.uniform(95, 120), rng.uniform(52, 62)
    parts = [
        Part(box(w, d, 3.5, 0.8).move(z=h - 3.5), design.finish),
        *[Part(m, frame) for m in square_legs(w - 3, d - 3, h - 3, 4.2)],
    ]
    if design.seed % 2:
        parts.append(
            Part(box(w - 10, d - 8, 2, 0.5).move(z=h * 0.3), frame if frame.material in WOODS else design.finish)
        )
    return parts


def side_table(design: Design) -> list[Part]:
    rng = design.rng()
    h, r = rng.uniform(48, 58), rng.uniform(19, 24)
    frame = _frame_for(design)
    top = Part(_round_top(2 * r, 2 * r, 2.4).move(z=h - 2.4), design.finish)
    if design.variant == "pedestal":
        return [top, Part(_pedestal(r * 0.7, h - 2.2), frame)]
    if design.variant == "tripod":
        legs = [
            rod(
                [np.cos(a) * r * 0.95, np.sin(a) * r * 0.95, 1.2],
                [np.cos(a) * r * 0.35, np.sin(a) * r * 0.35, h - 2],
                1.2,
                1.6,
            )
            for a in np.radians([30, 150, 270])
        ]
        return [top, *[Part(m, frame) for m in legs]]
    w = r * 1.9
    parts = [
        Part(box(w, w * 0.85, 2.4, 0.6).move(z=h - 2.4), design.finish),
        *[Part(m, frame) for m in square_legs(w - 1, w * 0.85 - 1, h - 2, 3.2)],
    ]
    parts += [
        Part(box(w - 4, w * 0.85 - 4, 12, 0.5).move(z=h - 14.4), design.finish),
        Part(sphere(1.3).move(y=-w * 0.425 + 1.2, z=h - 9.7), BRASS),
    ]
    return parts


def dining_table(design: Design) -> list[Part]:
    rng = design.rng()
    h = 75.0
    frame = _frame_for(design)
    if design.variant == "round":
        r = rng.uniform(52, 65)
        return [
            Part(_round_top(2 * r, 2 * r, 3.4).move(z=h - 3.4), design.finish),
            Part(_pedestal(r * 0.52, h - 3), frame),
        ]
    if design.variant == "oval":
        w = rng.uniform(165, 200)
        return [
            Part(_round_top(w, 95, 3.4, 2.6).move(z=h - 3.4), design.finish),
            *[Part(m, frame) for m in four_legs(w * 0.62, 56, h - 3, 2.8, 8)],
        ]
    w, d = rng.uniform(160, 200), rng.uniform(84, 95)
    parts = [Part(box(w, d, 4, 0.8).move(z=h - 4), design.finish)]
    if design.variant == "trestle":
        for s in (-1, 1):
            for turn in (-1, 1):
                parts.append(
                    Part(rod([s * w * 0.36, turn * d * 0.36, 2.5], [s * w * 0.36, -turn * d * 0.2, h - 4], 2.7), frame)
                )
        return [*parts, Part(rod([-w * 0.36, 0, h * 0.5], [w * 0.36, 0, h * 0.5], 2.2), frame)]
    parts += [Part(box(w - 12, d - 12, 8, 0.5).move(z=h - 12), frame)]
    return parts + [Part(m, frame) for m in square_legs(w - 4, d - 4, h - 4, 7)]


WOODEN = {"oak": PLAIN, "walnut": PLAIN, "ash": PLAIN}
KINDS = (
    Kind(
        "coffee table",
        "Furniture",
        coffee_table,
        ("round", "oval", "drum", "rectangular"),
        {**WOODEN, "marble": PLAIN, "terrazzo": PLAIN, "concrete": PLAIN, "painted wood": PLAIN},
        (89, 620),
        View((16, 26), (15, 35)),
        1.2,
    ),
    Kind(
        "side table",
        "Furniture",
        side_table,
        ("pedestal", "tripod", "drawer"),
        {**WOODEN, "marble": PLAIN, "terrazzo": PLAIN, "painted wood": PLAIN},
        (49, 260),
        View((14, 22), (15, 30)),
    ),
    Kind(
        "dining table",
        "Furniture",
        dining_table,
        ("round", "oval", "trestle", "rectangular"),
        {**WOODEN, "marble": PLAIN, "painted wood": PLAIN},
        (240, 1800),
        View((13, 20), (18, 36)),
    ),
)
