"""Blocks, tops, balls, stacking rings, dice and cars: what one plays with."""

from __future__ import annotations

import numpy as np

from ..design import PLAIN, Design, Kind, View
from ..finish import BRASS, Finish, Part
from ..forms import smooth
from ..mesh import Mesh, grid_mesh, merge
from ..shapes import (
    box,
    cylinder,
    lathe,
    prism,
    rod,
    rounded_rectangle,
    sphere,
    torus,
)

BRIGHT = ("red", "yellow", "blue", "green", "orange", "turquoise", "pink", "purple", "white")


def _bright(rng: np.random.Generator, count: int) -> list[Finish]:
    return [Finish("painted wood", str(c)) for c in rng.choice(BRIGHT, count, replace=False)]


def building_blocks(design: Design) -> list[Part]:
    """A stack of toy blocks; the main finish colours most of them."""
    rng = design.rng()
    s = 4.0
    tones = [design.finish, design.finish, *_bright(rng, 3)] if design.variant != "plain" else [design.finish] * 5

    def pick() -> Finish:
        return tones[int(rng.integers(len(tones)))]

    def cube(x: float, y: float, z: float, turn: float = 0.0) -> Part:
        return Part(box(s, s, s, 0.3).turn("z", turn).move(x, y, z), pick())

    if design.variant == "castle":
        parts = [Part(box(s, s, s * 2, 0.3).move(x), pick()) for x in (-s * 1.5, s * 1.5)]
        parts += [Part(box(s * 4, s, s, 0.3).move(z=s * 2), pick())]
        for x in (-s * 1.5, s * 1.5):
            parts.append(Part(lathe([[0, 0], [s * 0.5, 0], [0, s * 1.1]], 48).move(x, 0, s * 3), pick()))
        return [
            *parts,
            cube(0, 0, s * 3),
            Part(cylinder(s * 0.45, s, 0.25).move(-s * 3.1, -s * 0.7), pick()),
            Part(sphere(s * 0.5).move(s * 3.2, -s), pick()),
        ]
    rows = [3, 2, 1]
    parts = []
    for level, count in enumerate(rows):
        for k in range(count):
            parts.append(
                cube(
                    (k - (count - 1) / 2) * s * 1.12, float(rng.normal(0, 0.15)), level * s, float(rng.uniform(-12, 12))
                )
            )
    roof = prism(np.array([[-s / 2, 0], [s / 2, 0], [0, s * 0.7]]), s, 0.15).turn("x", 90).move(y=s / 2 - 0.2, z=3 * s)
    return [*parts, Part(roof, pick()), Part(cylinder(s * 0.45, s * 0.9, 0.25).move(s * 2.4, -s * 0.9), pick())]


def spinning_top(design: Design) -> list[Part]:
    rng = design.rng()
    r = rng.uniform(3.4, 5)
    line = [
        [0.12, 0],
        [0.4, r * 0.2],
        [r * 0.9, r * 0.8],
        [r, r * 0.95],
        [r * 0.9, r * 1.1],
        [r * 0.25, r * 1.4],
        [r * 0.14, r * 1.6],
    ]
    body = lathe(np.concatenate([[[0, 0]], smooth(line, 70)]), 80)
    stem = lathe(
        smooth([[r * 0.12, r * 1.5], [r * 0.1, r * 2.1], [r * 0.2, r * 2.3], [r * 0.12, r * 2.45], [0, r * 2.5]], 30),
        40,
    )
    second = Finish("painted wood", str(rng.choice(BRIGHT)))
    parts = [
        Part(body, design.finish),
        Part(stem, design.finish.solid() if design.variant == "classic" else Finish("oak", seed=1)),
        Part(torus(r * 0.99, r * 0.07).move(z=r * 0.88), second),
    ]
    lean = 12 if rng.random() < 0.6 else 38
    parts = [Part(p.mesh.turn("x", -8).turn("y", lean), p.finish) for p in parts]
    low = min(float(p.mesh.points[:, 2].min()) for p in parts)
    return [Part(p.mesh.move(z=-low), p.finish) for p in parts]


def ball(design: Design) -> list[Part]:
    rng = design.rng()
    r = rng.uniform(7, 12)
    if design.variant == "beach":
        main = design.finish.solid()
        second = Finish(main.material, "white" if main.colour not in ("white", "ivory") else "sky blue")
        third = Finish(design.finish.material, str(rng.choice(BRIGHT)))
        theta = np.linspace(0, 2 * np.pi, 97)
        phi = np.radians(np.linspace(-90, 90, 49))
        parts = []
        for k in range(6):
            th = theta[k * 16 : k * 16 + 17]
            points = np.stack(
                [
                    np.cos(phi)[:, None] * np.cos(th),
                    np.cos(phi)[:, None] * np.sin(th),
                    np.broadcast_to(np.sin(phi)[:, None], (49, 17)),
                ],
                -1,
            )
            panel = grid_mesh(points * r)
            exact = Mesh(panel.points, panel.faces, panel.points / r, panel.uv, panel.extent)
            parts.append(Part(exact, [main, second, third, second, main, second][k]))
        cap = sphere(r * 0.16, 0.3).move(z=r * 0.97)
        parts.append(Part(cap, second))
        return [Part(p.mesh.turn("x", 38).turn("y", 15).move(z=r), p.finish) for p in parts]
    body = sphere(r).move(z=-r).turn("x", 60).turn("z", 25).move(z=r)
    return [Part(body, design.finish)]


def stacking_rings(design: Design) -> list[Part]:
    rng = design.rng()
    count = 6
    parts = [
        Part(cylinder(5.6, 1.6, 0.6), Finish("oak", seed=3)),
        Part(rod([0, 0, 1], [0, 0, 18.5], 0.9), Finish("oak", seed=3)),
    ]
    tones = [design.finish, *_bright(rng, count - 1)]
    if design.variant == "shaded":
        tones = [design.finish if k % 2 == 0 else Finish(design.finish.material, "white", seed=1) for k in range(count)]
    z = 1.6
    for k in range(count):
        thick = 1.45 - 0.07 * k
        parts.append(Part(torus(4.7 - 0.55 * k - thick * 0.3, thick).move(z=z), tones[k]))
        z += thick * 1.85
    return [*parts, Part(sphere(1.8).move(z=z - 0.1), design.finish)]


def dice(design: Design) -> list[Part]:
    rng = design.rng()
    s = 3.2 if design.variant == "pair" else 4.2
    pips = Finish(
        "plastic",
        "black"
        if design.finish.colour in ("white", "ivory", "yellow", "beige", "light grey", "lemon yellow", "pale ash")
        or design.finish.material in ("brass", "steel", "ash", "oak")
        else "white",
    )
    spots = {
        1: [(0, 0)],
        2: [(-1, -1), (1, 1)],
        3: [(-1, -1), (0, 0), (1, 1)],
        4: [(-1, -1), (1, 1), (-1, 1), (1, -1)],
        5: [(-1, -1), (1, 1), (-1, 1), (1, -1), (0, 0)],
        6: [(-1, -1), (1, 1), (-1, 1), (1, -1), (-1, 0), (1, 0)],
    }

    def die() -> list[Part]:
        marks = []
        for value, (axis, turn) in {
            1: ("x", 0),
            6: ("x", 180),
            2: ("x", 90),
            5: ("x", -90),
            3: ("y", 90),
            4: ("y", -90),
        }.items():
            for u, v in spots[value]:
                disc = sphere(s * 0.1, 0.35).move(z=-s * 0.022)
                marks.append(disc.move(u * s * 0.26, v * s * 0.26, s / 2).turn(axis, turn))
        return [Part(box(s, s, s, s * 0.14).move(z=-s / 2), design.finish), Part(merge(marks), pips)]

    parts = []
    places = (
        [(-s * 0.75, 0.0), (s * 0.75, -s * 0.35)]
        if design.variant == "pair"
        else [(-s * 0.9, s * 0.3), (s * 0.5, s * 0.5), (-0.1 * s, -s * 0.9), (s * 1.4, -s * 0.75), (-s * 1.5, -s * 0.8)]
    )
    for x, y in places:
        axis, quarter, turn = str(rng.choice(["x", "y"])), 90 * int(rng.integers(4)), float(rng.uniform(0, 90))
        parts += [Part(p.mesh.turn(axis, quarter).turn("z", turn).move(x, y, s / 2), p.finish) for p in die()]
    return parts


def toy_car(design: Design) -> list[Part]:
    rng = design.rng()
    length, w = 13.0, 6.0
    tyre, hub = Finish("rubber", "black"), Finish("oak", seed=2)
    if design.variant == "train":
        parts = [
            Part(box(length, w, 1.2, 0.4).move(z=1.6), hub),
            Part(cylinder(2.3, 7.5, 0.6).turn("y", 90).move(x=-5.6, z=5.0), design.finish),
            Part(box(4.2, w * 0.92, 7, 0.6).move(x=4, z=2.6), design.finish),
            Part(box(5.2, w + 0.8, 0.9, 0.4).move(x=4, z=9.5), _bright(rng, 1)[0]),
            Part(cylinder(0.75, 3, 0.2, 1.05).move(x=-3.6, z=6.8), Finish("painted wood", "black")),
            Part(sphere(0.9).move(x=-0.6, z=6.6), BRASS),
        ]
        wheels, radius = [(-4.4, 1.7), (-0.6, 1.7), (4, 1.7)], 1.7
    else:
        tall = 3.4 if design.variant == "car" else 4.6
        low = prism(rounded_rectangle(length, 3.6, 1.4), w, 0.4).turn("x", 90).move(y=w / 2, z=3.0)
        x0, x1 = (-2.6, 4.4) if design.variant == "car" else (-5.6, -1.2)
        cabin = (
            prism(np.array([[x0 - 0.6, 0], [x1 + 0.8, 0], [x1 - 0.6, tall], [x0 + 0.9, tall]]), w * 0.9, 0.35)
            .turn("x", 90)
            .move(y=w * 0.45, z=4.4)
        )
        parts = [Part(low, design.finish), Part(cabin, design.finish)]
        for s in (-1, 1):
            glass = box(x1 - x0 - 1.8, 0.3, tall * 0.5, 0.1).move(
                x=(x0 + x1) / 2 + 0.1, y=s * w * 0.455, z=4.4 + tall * 0.33
            )
            parts.append(Part(glass, Finish("plastic", "sky blue")))
        if design.variant == "truck":
            parts.append(Part(box(7.2, w, 4.2, 0.3).move(x=2.6, z=4.4), _bright(rng, 1)[0]))
        parts += [
            Part(sphere(0.55).move(x=-length / 2 - 0.05, y=s * 1.8, z=2.7), Finish("plastic", "lemon yellow"))
            for s in (-1, 1)
        ]
        wheels, radius = [(-3.8, 1.9), (3.8, 1.9)], 1.9
    for x, r in wheels:
        for s in (-1, 1):
            side = 0 if s > 0 else -1.5
            parts += [
                Part(cylinder(r, 1.5, 0.35).turn("x", -90).move(x, s * w / 2 + side, radius), tyre),
                Part(cylinder(r * 0.55, 1.8, 0.2).turn("x", -90).move(x, s * w / 2 + side - 0.15, radius), hub),
            ]
    return [Part(p.mesh.turn("z", 24), p.finish) for p in parts]


KINDS = (
    Kind(
        "building blocks",
        "Toys",
        building_blocks,
        ("pyramid", "castle", "plain"),
        {"painted wood": PLAIN, "oak": PLAIN, "ash": PLAIN, "walnut": PLAIN},
        (12, 49),
        View((12, 22), (-28, 28)),
    ),
    Kind(
        "spinning top",
        "Toys",
        spinning_top,
        ("classic", "two-wood"),
        {
            "painted wood": "plain stripes dots",
            "lacquer": "plain stripes",
            "brass": PLAIN,
            "walnut": PLAIN,
            "steel": PLAIN,
        },
        (6, 28),
        View((14, 24)),
        0.8,
    ),
    Kind(
        "ball",
        "Toys",
        ball,
        ("play", "beach"),
        {"rubber": "dots stripes checks stripes plain", "plastic": "dots stripes stripes"},
        (5, 35),
        View((10, 20)),
        0.9,
    ),
    Kind(
        "stacking rings",
        "Toys",
        stacking_rings,
        ("rainbow", "shaded"),
        {"painted wood": PLAIN, "plastic": PLAIN},
        (11, 34),
        View((10, 20)),
        0.8,
    ),
    Kind(
        "dice",
        "Toys",
        dice,
        ("pair", "set of five"),
        {
            "plastic": PLAIN,
            "ceramic": PLAIN,
            "oak": PLAIN,
            "walnut": PLAIN,
            "brass": PLAIN,
            "steel": PLAIN,
            "marble": PLAIN,
        },
        (5, 32),
        View((24, 36), (-20, 20)),
        0.8,
    ),
    Kind(
        "toy car",
        "Toys",
        toy_car,
        ("car", "truck", "train"),
        {"painted wood": PLAIN, "oak": PLAIN, "plastic": PLAIN, "walnut": PLAIN, "lacquer": PLAIN},
        (9, 45),
        View((12, 22), (-10, 25)),
    ),
)
