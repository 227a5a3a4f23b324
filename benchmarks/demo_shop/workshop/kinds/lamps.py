"""Table, floor and pendant lamps."""

from __future__ import annotations

import numpy as np

from ..design import PLAIN, Design, Kind, View
from ..finish import BLACK_IRON, BRASS, CORD, Finish, Part
from ..forms import smooth
from ..mesh import Array, Mesh, merge
from ..shapes import cylinder, lathe, rod, sphere, spline, tube


def shade(profile: Array, thickness: float = 0.25) -> Mesh:
    """An open lampshade: a thin turned wall, both sides."""
    line = np.asarray(profile, float)
    inner = line[::-1] - [thickness, 0]
    return lathe(np.concatenate([line, inner]), 80)


def _shade_finish(rng: np.random.Generator) -> Finish:
    """Linen shades in quiet colours, lit from within."""
    tone = str(rng.choice(["white", "ivory", "oatmeal", "white", "sand"]))
    return Finish("paper", tone, glow=float(rng.uniform(0.25, 0.42)))


def table_lamp(design: Design) -> list[Part]:
    rng = design.rng()
    h, w = rng.uniform(20, 28), rng.uniform(0.9, 1.15)
    cover = _shade_finish(rng)
    if design.variant == "mushroom":
        stem = lathe(
            smooth([[h * 0.34, 0], [h * 0.33, 0.8], [h * 0.16, h * 0.15], [h * 0.13, h * 0.6], [h * 0.16, h]], 50), 72
        )
        dome = smooth([[h * 0.75, h * 0.9], [h * 0.68, h * 1.2], [h * 0.4, h * 1.42], [0.02, h * 1.5]], 50)
        return [
            Part(stem, design.finish),
            Part(shade(dome, 0.4), design.finish.solid()),
            Part(sphere(h * 0.14).move(z=h), Finish("paper", "white", glow=3.0)),
        ]
    if design.variant == "desk":
        top = [h * 0.55, 0, h * 1.35]
        arm = [
            rod([-h * 0.1, 0, 1], [-h * 0.35, 0, h * 0.8], 0.7),
            rod([-h * 0.35, 0, h * 0.8], top, 0.6),
            sphere(1.3).move(-h * 0.35, 0, h * 0.8 - 1.3),
        ]
        cone = shade(
            np.array([[h * 0.34, 0], [h * 0.26, h * 0.22], [h * 0.09, h * 0.38], [h * 0.07, h * 0.5], [0.02, h * 0.52]])
        ).turn("y", -25)
        head = cone.move(top[0] + 1, 0, top[2] - h * 0.42)
        return [
            Part(cylinder(h * 0.32, 1.8, 0.5).move(-h * 0.1), design.finish.solid()),
            Part(merge(arm), BLACK_IRON if design.seed % 2 else BRASS),
            Part(head, design.finish.solid()),
            Part(sphere(h * 0.1).move(top[0], 0, top[2] - h * 0.36), Finish("paper", "white", glow=4.0)),
        ]
    outlines = {
        "urn": [
            [h * 0.26, 0],
            [h * 0.3, 0.8],
            [h * 0.44, h * 0.45],
            [h * 0.36, h * 0.75],
            [h * 0.1, h * 0.96],
            [h * 0.07, h],
        ],
        "gourd": [
            [h * 0.3, 0],
            [h * 0.42, h * 0.2],
            [h * 0.3, h * 0.46],
            [h * 0.24, h * 0.55],
            [h * 0.28, h * 0.72],
            [h * 0.07, h],
        ],
        "column": [[h * 0.36, 0], [h * 0.34, h * 0.06], [h * 0.1, h * 0.12], [h * 0.08, h * 0.5], [h * 0.08, h]],
    }
    base = lathe(np.concatenate([[[0, 0]], smooth(outlines[design.variant], 60) * [w, 1]]), 80)
    low, high = h * 0.62, h * rng.uniform(0.36, 0.55)
    tall = h * rng.uniform(0.5, 0.68)
    drum = shade(np.array([[low, h * 1.06], [high, h * 1.06 + tall]]))
    return [
        Part(base, design.finish),
        Part(cylinder(0.7, h * 0.3, 0.1).move(z=h * 0.97), BRASS),
        Part(drum, cover),
        Part(sphere(h * 0.1).move(z=h * 1.2), Finish("paper", "white", glow=2.0)),
    ]


def floor_lamp(design: Design) -> list[Part]:
    rng = design.rng()
    h = rng.uniform(135, 155)
    cover = _shade_finish(rng)
    drum = shade(np.array([[24, h], [rng.uniform(15, 23), h + 28]]), 0.4)
    bulb = Part(sphere(4).move(z=h + 8), Finish("paper", "white", glow=2.0))
    if design.variant == "tripod":
        legs = [
            rod([np.cos(a) * 34, np.sin(a) * 34, 1.5], [np.cos(a) * 2, np.sin(a) * 2, h - 8], 1.4, 1.7)
            for a in np.radians([-60, 60, 180])
        ]
        return [Part(m, design.finish) for m in legs] + [
            Part(cylinder(3.4, 9, 0.6).move(z=h - 12), BRASS),
            Part(drum, cover),
            bulb,
        ]
    if design.variant == "arc":
        path = spline([[0, 0, 2], [-4, 0, 80], [20, 0, 150], [75, 0, 168], [112, 0, 140]], 70)
        dome = shade(smooth([[20, 0], [18, 9], [10, 16], [0.05, 19]], 40), 0.4).move(112, 0, 121)
        base = cylinder(17, 5, 0.8)
        foot = Finish("marble", "white", "plain", "grey", seed=design.seed)
        return [
            Part(base, foot),
            Part(tube(path, 1.3), design.finish),
            Part(dome, design.finish.solid()),
            Part(sphere(6).move(112, 0, 120), Finish("paper", "white", glow=3.0)),
        ]
    if design.variant == "reading":
        parts = [
            Part(cylinder(14, 2.5, 0.6), design.finish),
            Part(rod([0, 0, 2], [0, 0, h], 1.1), design.finish),
            Part(rod([0, 0, h - 4], [22, 0, h + 6], 0.8), design.finish),
        ]
        cone = shade(np.array([[11, 0], [4, 16], [3, 20], [0.05, 20.5]]), 0.3).turn("y", -30).move(26, 0, h - 14)
        return [
            *parts,
            Part(cone, design.finish.solid()),
            Part(sphere(3).move(25, 0, h - 10), Finish("paper", "white", glow=4.0)),
        ]
    return [
        Part(cylinder(14, 2.5, 0.6), design.finish),
        Part(rod([0, 0, 2], [0, 0, h + 4], 1.2), design.finish),
        Part(drum, cover),
        bulb,
    ]


def pendant_lamp(design: Design) -> list[Part]:
    rng = design.rng()
    r = rng.uniform(15, 22)
    outlines = {
        "dome": [
            [r, 0],
            [r * 0.97, r * 0.2],
            [r * 0.7, r * 0.65],
            [r * 0.2, r * 0.85],
            [r * 0.12, r * 1.05],
            [0.05, r * 1.06],
        ],
        "cone": [[r, 0], [r * 0.6, r * 0.45], [r * 0.18, r * 0.9], [r * 0.1, r * 1.1], [0.05, r * 1.1]],
        "bell": [
            [r * 0.8, 0],
            [r * 0.62, r * 0.25],
            [r * 0.55, r * 0.7],
            [r * 0.35, r * 1.0],
            [r * 0.1, r * 1.15],
            [0.05, r * 1.16],
        ],
    }
    cord = rod([0, 0, r], [0, 0, r * 3.4], 0.3)
    parts = [Part(cord, CORD)]
    if design.variant == "globe":  # a ball, open below, where the bulb looks out
        turn = np.radians(np.linspace(-48, 84, 40))
        line = np.stack([np.cos(turn), np.sin(turn)], -1) * r * 0.8 + np.array([0.0, r * 0.2])
        bulb = sphere(r * 0.3).move(z=-r * 0.62)
    else:
        line = smooth(outlines[design.variant], 50) if design.variant != "cone" else np.array(outlines["cone"])
        bulb = sphere(r * 0.2).move(z=r * 0.08)
    parts += [Part(shade(line, 0.35), design.finish), Part(bulb, Finish("paper", "white", glow=3.0))]
    parts.append(Part(cylinder(r * 0.09, r * 0.25, 0.2).move(z=r * 0.95), BLACK_IRON))
    return parts


METAL = {"brass": PLAIN, "black iron": PLAIN, "copper": PLAIN, "steel": PLAIN}
KINDS = (
    Kind(
        "table lamp",
        "Lighting",
        table_lamp,
        ("urn", "gourd", "column", "mushroom", "desk"),
        {
            "ceramic": "plain plain stripes dots gradient",
            "brass": PLAIN,
            "marble": PLAIN,
            "oak": PLAIN,
            "walnut": PLAIN,
            "stoneware": PLAIN,
            "black iron": PLAIN,
        },
        (39, 240),
        View((6, 14)),
        1.4,
    ),
    Kind(
        "floor lamp",
        "Lighting",
        floor_lamp,
        ("tripod", "arc", "reading", "column"),
        {"brass": PLAIN, "black iron": PLAIN, "steel": PLAIN, "oak": PLAIN, "walnut": PLAIN},
        (89, 460),
        View((4, 10)),
        1.2,
    ),
    Kind(
        "pendant lamp",
        "Lighting",
        pendant_lamp,
        ("dome", "cone", "bell", "globe"),
        {**METAL, "enamel": PLAIN, "rattan": PLAIN, "ceramic": PLAIN},
        (45, 290),
        View((-12, -3), (-25, 25), "air"),
        1.2,
    ),
)
