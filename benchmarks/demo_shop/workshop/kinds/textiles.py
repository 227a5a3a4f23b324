"""Cushions, rugs, throws, baskets and boxes: what is woven, and what one keeps things in."""

from __future__ import annotations

import numpy as np

from ..design import PLAIN, PRINTS, Design, Kind, View
from ..finish import BRASS, Finish, Part
from ..forms import smooth
from ..mesh import Array, Mesh, grid_mesh, merge
from ..shapes import box, cylinder, lathe, pillow, prism, rod, rounded_rectangle, sphere, superellipse, tube


def cushion(design: Design) -> list[Part]:
    rng = design.rng()
    if design.variant == "round":
        r = rng.uniform(20, 24)
        body = lathe(
            smooth(
                [[0.02, 0], [r * 0.6, 0.3], [r * 0.97, 5], [r, 7], [r * 0.97, 9], [r * 0.6, 13.6], [0.02, 13.2]], 60
            ),
            120,
            lambda th, t: 1 - 0.02 * np.abs(np.sin(12 * th)),
        )
        flat = Mesh(body.points, body.faces, body.normals, body.points[:, :2] + r, (2 * r, 2 * r), False)
        return [
            Part(flat.turn("x", 74).move(z=r), design.finish),
            Part(sphere(1.3, 0.5).turn("x", 74).move(y=-12.4, z=r + 3.2), design.finish.solid()),
        ]
    w, h = {"square": (45.0, 45.0), "lumbar": (62.0, 38.0), "tasselled": (45.0, 45.0)}[design.variant]
    w, h = w * rng.uniform(0.94, 1.08), h * rng.uniform(0.96, 1.05)
    parts = [Part(pillow(w, h, rng.uniform(14, 18)), design.finish)]
    if design.variant == "tasselled":
        for sx in (-1, 1):
            for sy in (-1, 1):
                tassel = (
                    lathe(smooth([[0.1, 0], [0.9, 0.6], [0.6, 1.4], [1.2, 5], [1.3, 7], [0.05, 7]], 30), 30)
                    .turn("y", 90)
                    .turn("z", np.degrees(np.arctan2(sy, sx)))
                )
                parts.append(
                    Part(tassel.move(sx * w * 0.485, sy * h * 0.485, 0), Finish("linen", design.finish.second))
                )
    turned = [Part(p.mesh.turn("x", 76).turn("y", float(rng.uniform(-4, 4))), p.finish) for p in parts]
    low = min(float(p.mesh.points[:, 2].min()) for p in turned)
    return [Part(p.mesh.move(z=-low), p.finish) for p in turned]


def rug(design: Design) -> list[Part]:
    rng = design.rng()
    if design.variant == "round":
        r = rng.uniform(60, 80)
        return [Part(prism(superellipse(2 * r, 2 * r), 1.6, 0.5), design.finish)]
    w, d = (
        (rng.uniform(60, 75), rng.uniform(180, 210))
        if design.variant == "runner"
        else (rng.uniform(120, 145), rng.uniform(170, 200))
    )
    parts = [Part(prism(rounded_rectangle(w, d, 1.5), 1.4, 0.4), design.finish)]
    if design.variant == "bordered":
        border = Finish(design.finish.material, design.finish.second)
        parts += [Part(box(w, 7, 1.7, 0.3).move(y=s * (d / 2 - 8)), border) for s in (-1, 1)]
        parts += [Part(box(7, d - 9, 1.7, 0.3).move(x=s * (w / 2 - 8)), border) for s in (-1, 1)]
    else:
        strands = [
            rod([x, s * d / 2, 0.7], [x + rng.normal(0, 0.8), s * (d / 2 + 8), 0.4], 0.45)
            for s in (-1, 1)
            for x in np.linspace(-w / 2 + 1, w / 2 - 1, int(w / 2.6))
        ]
        parts.append(Part(merge(strands), Finish("cotton", "ivory")))
    turn = 90.0 if design.variant == "runner" else float(rng.choice([0, 90]))
    return [Part(p.mesh.turn("z", turn), p.finish) for p in parts]


def throw(design: Design) -> list[Part]:
    """A blanket: folded in a pile of layers, or hung over a rail."""
    rng = design.rng()
    w, d = rng.uniform(42, 50), rng.uniform(30, 36)
    if design.variant == "on a rail":
        h = rng.uniform(72, 84)
        oak = Finish("oak", seed=4)
        parts = [Part(rod([-w / 2 - 6, 0, h], [w / 2 + 6, 0, h], 1.6), oak)]
        for s in (-1, 1):
            parts += [
                Part(rod([s * (w / 2 + 4), -16, 1.3], [s * (w / 2 + 4), 0, h], 1.3), oak),
                Part(rod([s * (w / 2 + 4), 16, 1.3], [s * (w / 2 + 4), 0, h], 1.3), oak),
            ]
        turn = np.radians(np.linspace(0, 180, 14))
        front, back = h * 0.78, h * 0.5
        line = np.concatenate(
            [
                [[-2.2, h - z] for z in np.linspace(front, 1, 26)],
                np.stack([-2.2 * np.cos(turn), h + 2.2 * np.sin(turn)], -1),
                [[2.2, h - z] for z in np.linspace(1, back, 20)],
            ]
        )
        x = np.linspace(-w / 2, w / 2, 60)
        fall = np.clip((h - line[:, 1]) / h, 0, 1)
        wave = np.sin(x[None] / w * 9 + rng.uniform(0, 6)) * 1.5 * fall[:, None]
        sheet = np.stack(
            [np.broadcast_to(x[None], wave.shape), line[:, :1] + wave, np.broadcast_to(line[:, 1:], wave.shape)], -1
        )
        cloth = grid_mesh(sheet)
        fringe = merge(
            [
                rod([px, -2.2 + float(wv), h - front], [px, -2.4 + float(wv), h - front - 5], 0.4)
                for px, wv in zip(x[::2], wave[0, ::2], strict=True)
            ]
        )
        return [*parts, Part(cloth, design.finish), Part(fringe, design.finish.solid())]
    layers = []
    for k in range(4):
        layer = box(w + rng.uniform(-0.8, 0.8), d, 4.4, 2.1, 0.5).move(x=float(rng.uniform(-0.4, 0.4)), z=4.1 * k)
        layers.append(Part(layer, design.finish))
    fringe = merge(
        [
            rod([x, -d / 2 + 1, 13.5], [x + rng.normal(0, 0.4), -d / 2 - 1.2, 6.5], 0.35)
            for x in np.linspace(-w / 2 + 1.5, w / 2 - 1.5, 30)
        ]
    )
    return [*layers, Part(fringe, design.finish.solid())]


def _woven(profile: Array, rows: float, stakes: int, depth: float) -> Mesh:
    """A basket wall: strands that pass before and behind the stakes in turn."""
    length = float(np.linalg.norm(np.diff(profile, axis=0), axis=1).sum())

    def weave(theta: Array, t: Array) -> Array:
        row = t * length / rows
        strand = np.abs(np.sin(row * np.pi)) ** 0.7
        side = np.where(np.floor(row) % 2 > 0, 1.0, -1.0)
        return 1 + depth * (strand * (0.6 + 0.4 * side * np.sin(stakes * theta)) - 0.5)

    return lathe(profile, stakes * 8, weave)


def basket(design: Design) -> list[Part]:
    rng = design.rng()
    r, h = rng.uniform(14, 20), rng.uniform(20, 32)
    outlines = {
        "laundry": [[r * 0.85, 0], [r * 0.95, h * 0.5], [r, h * 1.4]],
        "belly": [[r * 0.75, 0], [r * 1.1, h * 0.3], [r * 1.05, h * 0.6], [r * 0.8, h]],
        "shopper": [[r * 0.75, 0], [r * 0.9, h * 0.4], [r * 1.05, h * 0.8]],
        "bowl": [[r * 0.6, 0], [r * 0.95, h * 0.22], [r * 1.15, h * 0.48]],
    }
    line = smooth(outlines[design.variant], 220)
    top, rim = float(line[-1, 1]), float(line[-1, 0])
    finish = design.finish
    parts = [
        Part(_woven(line, 1.5, 22, 0.05), finish),
        Part(_woven(line * [0.94, 1] + [0, 0.2], 1.5, 22, 0.04), finish),
        Part(cylinder(float(line[0, 0]), 0.8, 0.2), finish),
    ]
    edge = tube([[np.cos(a) * rim, np.sin(a) * rim, top] for a in np.linspace(0, 2 * np.pi, 90)[:-1]], 0.9, 14, True)
    parts.append(Part(edge, finish))
    if design.variant == "shopper":
        arch = [[np.cos(t) * rim, 0, top + np.sin(t) * rim * 1.05] for t in np.radians(np.linspace(0, 180, 50))]
        parts.append(Part(tube(arch, 0.95).turn("z", float(rng.uniform(-20, 20))), finish))
    elif design.variant != "bowl":
        for s in (0, 180):
            ear = [[rim + 0.4, np.cos(t) * 4.5, top - 1 + np.sin(t) * 5.5] for t in np.radians(np.linspace(0, 180, 30))]
            parts.append(
                Part(
                    tube(ear, 0.7).turn("z", s + float(design.seed % 20)),
                    finish if design.seed % 2 else Finish("leather", "chestnut"),
                )
            )
    return parts


def storage_box(design: Design) -> list[Part]:
    rng = design.rng()
    if design.variant == "hat box":
        r, h = rng.uniform(13, 17), rng.uniform(14, 20)
        return [
            Part(cylinder(r, h, 0.2), design.finish),
            Part(
                cylinder(r + 0.7, 5, 0.4).move(z=h - 3.5),
                design.finish.solid()
                if design.finish.pattern != "plain"
                else Finish(design.finish.material, design.finish.second, seed=design.seed),
            ),
        ]
    w, d, h = rng.uniform(24, 36), rng.uniform(18, 25), rng.uniform(11, 17)
    if design.variant == "jewellery":
        w, d, h = w * 0.75, d * 0.75, h * 0.75
    lid = box(w + 0.6, d + 0.6, h * 0.3, 0.7)
    parts = [Part(box(w, d, h, 0.6), design.finish)]
    if design.variant == "open":
        parts.append(Part(lid.turn("x", -105).move(y=d / 2 + 0.4, z=h + 0.5), design.finish))
        lining = Finish("velvet", str(rng.choice(["crimson", "navy blue", "forest green", "grey"])))
        walls = [box(w, 1.1, h, 0.4).move(y=s * (d - 1.1) / 2) for s in (-1, 1)] + [
            box(1.1, d, h, 0.4).move(x=s * (w - 1.1) / 2) for s in (-1, 1)
        ]
        parts[0] = Part(merge(walls), design.finish)
        parts += [Part(box(w - 1.6, d - 1.6, 1.0, 0.2), lining)]
        parts += [Part(box(w - 2, 0.3, h - 1, 0.1).move(y=d / 2 - 1.25), lining)]
    else:
        parts += [
            Part(lid.move(z=h + 0.15), design.finish),
            Part(box(w - 0.4, d - 0.4, 0.5, 0.1).move(z=h - 0.2), Finish("soil", "#120c08")),
        ]
    clasp = BRASS
    parts.append(
        Part(box(2.6, 0.8, 3.4, 0.3).move(y=-d / 2 - 0.4, z=h - 2), clasp)
        if design.variant != "lidded"
        else Part(sphere(1.2).move(y=0, z=h * 1.3 + 0.1), clasp)
    )
    turn = float(rng.uniform(15, 30))
    return [Part(p.mesh.turn("z", turn), p.finish) for p in parts]


CLOTH = {"linen": PRINTS, "wool": PLAIN, "velvet": PLAIN, "cotton": PRINTS}
KINDS = (
    Kind(
        "cushion",
        "Textiles",
        cushion,
        ("square", "lumbar", "round", "tasselled"),
        {**CLOTH, "leather": PLAIN},
        (15, 79),
        View((6, 14), (-22, 22)),
        1.8,
    ),
    Kind(
        "rug",
        "Textiles",
        rug,
        ("fringed", "round", "runner", "bordered"),
        {
            "wool": "plain stripes checks dots",
            "cotton": "stripes checks dots two-tone",
            "linen": "stripes checks",
            "seagrass": PLAIN,
        },
        (49, 620),
        View((34, 46), (-25, 25)),
        1.5,
    ),
    Kind(
        "throw",
        "Textiles",
        throw,
        ("folded", "on a rail"),
        {"wool": "plain stripes checks", "cotton": "stripes checks plain", "linen": "plain stripes"},
        (29, 140),
        View((12, 24), (-25, 25)),
    ),
    Kind(
        "basket",
        "Storage",
        basket,
        ("laundry", "belly", "shopper", "bowl"),
        {"rattan": PLAIN, "seagrass": PLAIN, "cotton": PLAIN},
        (14, 89),
        View((14, 24)),
        1.2,
    ),
    Kind(
        "box",
        "Storage",
        storage_box,
        ("lidded", "open", "jewellery", "hat box"),
        {
            "oak": PLAIN,
            "walnut": PLAIN,
            "lacquer": PLAIN,
            "cardboard": PLAIN,
            "leather": PLAIN,
            "painted wood": "plain stripes dots checks",
        },
        (12, 85),
        View((20, 32), (-10, 10)),
        1.1,
    ),
)
