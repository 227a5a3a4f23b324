"""Shelves, cabinets, drawers, coat stands, ladders: what stands along the walls of a room."""

from __future__ import annotations

import numpy as np

from ..design import PLAIN, Design, Kind, View
from ..finish import BLACK_IRON, BRASS, Finish, Part
from ..forms import four_legs, smooth, square_legs
from ..shapes import box, lathe, rod, sphere, spline, tube


def _books(rng: np.random.Generator, width: float, height: float, depth: float) -> list[Part]:
    """A row of books standing from x = 0, filling about `width`."""
    parts, x = [], 0.0
    tones = [
        "brick red",
        "navy blue",
        "ivory",
        "forest green",
        "mustard yellow",
        "slate grey",
        "blush pink",
        "teal",
        "black",
        "terracotta",
    ]
    while True:
        thick = float(rng.uniform(2, 4.5))
        if x + thick > width:
            return parts
        size = height * float(rng.uniform(0.66, 0.9))
        parts.append(
            Part(
                box(thick - 0.15, depth * 0.75, size, 0.3).move(x=x + thick / 2),
                Finish("cardboard", str(rng.choice(tones))),
            )
        )
        x += thick


def _vase_like(rng: np.random.Generator, size: float) -> Part:
    line = smooth(
        [
            [size * 0.2, 0],
            [size * 0.32, size * 0.3],
            [size * 0.28, size * 0.6],
            [size * 0.12, size * 0.8],
            [size * 0.16, size],
        ],
        40,
    )
    return Part(
        lathe(np.concatenate([[[0, 0]], line]), 48),
        Finish(
            "ceramic", str(rng.choice(["white", "teal", "terracotta", "sage green", "navy blue", "mustard yellow"]))
        ),
    )


def shelf(design: Design) -> list[Part]:
    rng = design.rng()
    w, d = rng.uniform(70, 95), rng.uniform(28, 34)
    parts: list[Part] = []
    if design.variant == "ladder":
        h, levels = rng.uniform(165, 185), 5
        frame = design.finish
        for s in (-1, 1):
            parts += [
                Part(box(3, 3, h, 0.6).move(x=s * w / 2, y=d / 2 - 2), frame),
                Part(rod([s * w / 2, -d * 0.75, 1.5], [s * w / 2, d / 2 - 2, h * 0.98], 1.5), frame),
            ]
    else:
        levels = 3 if design.variant == "low" else 5
        h = 36.0 * levels
        frame = BLACK_IRON if design.variant == "industrial" else design.finish
        if design.variant == "industrial":
            parts += [Part(m, frame) for m in square_legs(w, d, h + 3, 2.5)]
        else:
            parts += [Part(box(2.4, d, h + 2, 0.4).move(x=s * (w / 2)), frame) for s in (-1, 1)]
            parts.append(Part(box(w, 1.0, h, 0.2).move(y=d / 2 - 1), frame))
    step = h / levels
    for k in range(levels + (design.variant != "ladder")):
        z = 4 + k * step if design.variant != "ladder" else 12 + k * step * 0.97
        z = min(z, h)
        reach = d if design.variant != "ladder" else d * (1.35 - 0.15 * k)
        parts.append(Part(box(w - 0.4, reach, 2.2, 0.3).move(y=(d - reach) / 2, z=z - 2.2), design.finish))
        if k < levels and rng.random() < 0.8:
            row = _books(rng, w * rng.uniform(0.3, 0.62), min(step * 0.85, 30), d)
            left = rng.random() < 0.5
            shift = -w / 2 + 3 if left else w * 0.5 - 3 - w * 0.62
            parts += [Part(p.mesh.move(x=shift, z=z), p.finish) for p in row]
            if rng.random() < 0.6:
                pot = _vase_like(rng, min(step * 0.6, 20))
                parts.append(Part(pot.mesh.move(x=w * 0.36 if left else -w * 0.36, z=z), pot.finish))
    return parts


def cabinet(design: Design) -> list[Part]:
    rng = design.rng()
    w, d, h, foot, doors = {
        "sideboard": (rng.uniform(140, 170), 42, 62, 16, 3),
        "wardrobe": (rng.uniform(95, 115), 56, 190, 6, 2),
        "cupboard": (rng.uniform(75, 90), 40, 120, 12, 2),
    }[design.variant]
    return _case(design, (w, d, h), foot, columns=doors, rows=1, rng=rng)


def drawers(design: Design) -> list[Part]:
    rng = design.rng()
    wide, rows, columns = {
        "tall": (rng.uniform(48, 58), 5, 1),
        "wide": (rng.uniform(110, 130), 3, 2),
        "classic": (rng.uniform(78, 90), 4, 1),
    }[design.variant]
    return _case(design, (wide, 45, 20.0 * rows + 8), 12, columns, rows, rng, drawer=True)


def _case(
    design: Design,
    size: tuple[float, float, float],
    foot: float,
    columns: int,
    rows: int,
    rng: np.random.Generator,
    drawer: bool = False,
) -> list[Part]:
    """A carcass on legs with a grid of fronts, gaps between them, and knobs or bars."""
    w, d, h = size
    metal = [BRASS, BLACK_IRON, Finish("oak", seed=3)][design.seed % 3]
    parts = [
        Part(box(w, d, h, 0.8).move(z=foot), design.finish),
        Part(box(w + 2, d + 2, 2.4, 0.8).move(z=foot + h), design.finish),
    ]
    cell_w, cell_h = (w - 3) / columns, (h - 3) / rows
    for c in range(columns):
        for r in range(rows):
            x, z = -w / 2 + 1.5 + (c + 0.5) * cell_w, foot + 1.5 + r * cell_h
            parts.append(
                Part(
                    box(cell_w + 0.8, 0.6, cell_h + 0.8, 0.05).move(x=x, y=-d / 2 - 0.1, z=z - 0.4),
                    Finish("soil", "#120c08"),
                )
            )
            parts.append(
                Part(box(cell_w - 1.0, 1.8, cell_h - 1.0, 0.4).move(x=x, y=-d / 2 - 0.6, z=z + 0.5), design.finish)
            )
            at = z + cell_h / 2
            knob_x = [x] if drawer else [x + (cell_w / 2 - 6) * (1 if c % 2 == 0 else -1)]
            if drawer and cell_w > 70:
                knob_x = [x - cell_w * 0.25, x + cell_w * 0.25]
            for kx in knob_x:
                grip = (
                    sphere(1.9).move(kx, -d / 2 - 3, at - 1.9)
                    if design.seed % 2
                    else box(14 if drawer else 1.6, 1.6, 1.6 if drawer else 14, 0.6).move(
                        kx, -d / 2 - 2.8, at - (0.8 if drawer else 7)
                    )
                )
                parts.append(Part(grip, metal))
    legs = Finish("oak", seed=2) if design.finish.material == "painted wood" else design.finish
    return parts + [Part(m, legs) for m in four_legs(w - 12, d - 10, foot + 1, 2.2, 1.5)]


def coat_stand(design: Design) -> list[Part]:
    rng = design.rng()
    h = rng.uniform(165, 180)
    parts = [Part(rod([0, 0, 4], [0, 0, h], 2.3, 1.8), design.finish), Part(sphere(2.8).move(z=h), design.finish)]
    if design.variant == "bentwood":
        foot = [[[0, 0, 26], [14, 0, 20], [24, 0, 6], [28, 0, 1.3]]]
        hook = [[0, 0, h - 22], [9, 0, h - 24], [15, 0, h - 12], [13, 0, h - 2]]
    else:
        foot = [[[0, 0, 16], [14, 0, 9], [26, 0, 1.5]]]
        hook = [[0, 0, h - 18], [8, 0, h - 12], [15, 0, h - 5]]
    for k in range(4):
        parts += [Part(tube(spline(f, 30), 1.5).turn("z", 90 * k + 20), design.finish) for f in foot]
        parts.append(Part(tube(spline(hook, 30), 1.2).turn("z", 90 * k + 20), design.finish))
        low = spline([[0, 0, h - 50], [7, 0, h - 50], [11, 0, h - 42]], 20)
        parts.append(Part(tube(low, 1.0).turn("z", 90 * k + 65), design.finish))
    return parts


def step_ladder(design: Design) -> list[Part]:
    rng = design.rng()
    w, h = rng.uniform(38, 44), rng.uniform(70, 95)
    steps = 3 if h < 84 else 4
    parts: list[Part] = []
    for s in (-1, 1):
        parts += [
            Part(rod([s * w / 2, -h * 0.3, 1.6], [s * w * 0.42, 0, h], 1.7), design.finish),
            Part(rod([s * w / 2, h * 0.32, 1.6], [s * w * 0.42, 2, h], 1.7), design.finish),
        ]
    for k in range(1, steps + 1):
        t = k / steps
        parts.append(
            Part(
                box(w * (1 - 0.16 * t) - 0.5, 14 if k < steps else 22, 2.4, 0.5).move(
                    y=-h * 0.3 * (1 - t) + (2 if k < steps else 3), z=h * t - 1.5
                ),
                design.finish,
            )
        )
    parts.append(Part(rod([-w * 0.46, h * 0.17, h * 0.45], [w * 0.46, h * 0.17, h * 0.45], 1.1), design.finish))
    return parts


WOODEN = {"oak": PLAIN, "walnut": PLAIN, "ash": PLAIN}
KINDS = (
    Kind(
        "shelf",
        "Furniture",
        shelf,
        ("bookcase", "industrial", "ladder", "low"),
        {**WOODEN, "painted wood": PLAIN},
        (69, 480),
        View((5, 11), (14, 28)),
        1.2,
    ),
    Kind(
        "cabinet",
        "Furniture",
        cabinet,
        ("sideboard", "wardrobe", "cupboard"),
        {**WOODEN, "painted wood": PLAIN},
        (180, 1200),
        View((7, 13), (16, 30)),
    ),
    Kind(
        "chest of drawers",
        "Furniture",
        drawers,
        ("tall", "wide", "classic"),
        {**WOODEN, "painted wood": PLAIN},
        (140, 780),
        View((10, 16), (16, 30)),
    ),
    Kind(
        "coat stand",
        "Furniture",
        coat_stand,
        ("bentwood", "modern"),
        {**WOODEN, "black iron": PLAIN, "painted wood": PLAIN, "brass": PLAIN},
        (49, 220),
        View((3, 8)),
        0.7,
    ),
    Kind(
        "step ladder",
        "Furniture",
        step_ladder,
        ("folding",),
        {**WOODEN, "painted wood": PLAIN, "steel": PLAIN},
        (39, 160),
        View((10, 16), (28, 45)),
        0.6,
    ),
)
