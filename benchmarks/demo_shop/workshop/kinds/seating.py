"""Chairs, stools and benches."""

from __future__ import annotations

import numpy as np

from ..design import PLAIN, Design, Kind, View
from ..finish import CLOTHS, METALS, Part, leg_finish
from ..forms import four_legs, smooth, square_legs
from ..mesh import Mesh, grid_mesh
from ..shapes import box, cylinder, lathe, prism, rod, rounded_rectangle


def _bent_panel(width: float, height: float, thick: float, bend: float) -> Mesh:
    """A chair back: an upright panel, bent around the sitter, its foot at z = 0."""
    panel = prism(rounded_rectangle(width, height, min(width, height) * 0.3), thick, 0.3)
    mesh = _dense(width, height, thick) if bend else panel.turn("x", 90).move(z=height / 2)
    if not bend:
        return mesh
    points = mesh.points.copy()
    points[:, 1] -= bend * (points[:, 0] / (width / 2)) ** 2
    return Mesh(points, mesh.faces, mesh.normals, mesh.uv, mesh.extent)


def _dense(width: float, height: float, thick: float) -> Mesh:
    """A rounded slab standing on z = 0, fine enough to be bent."""
    t = np.linspace(0, np.pi * 2, 96, endpoint=False)
    outline = np.stack(
        [
            np.sign(np.cos(t)) * np.abs(np.cos(t)) ** 0.45 * width / 2,
            np.sign(np.sin(t)) * np.abs(np.sin(t)) ** 0.45 * height / 2 + height / 2,
        ],
        -1,
    )
    middle = np.array([0, height / 2])
    rings = []
    for scale, y in (
        (0.0, -0.5),
        (0.5, -0.5),
        (0.96, -0.5),
        (1.0, -0.25),
        (1.0, 0.25),
        (0.96, 0.5),
        (0.5, 0.5),
        (0.0, 0.5),
    ):
        ring = middle + (outline - middle) * scale
        rings.append(np.stack([ring[:, 0], np.full(len(ring), y * thick), ring[:, 1]], -1))
    return grid_mesh(np.array(rings), wrap_u=True)


def chair(design: Design) -> list[Part]:
    rng = design.rng()
    w, d, h = rng.uniform(42, 47), rng.uniform(42, 46), 45.0
    cloth = design.finish.material in CLOTHS or design.finish.material == "leather"
    frame = leg_finish(design.seed) if cloth else design.finish
    parts: list[Part] = []
    if design.variant == "shell":
        seat = _dense(w, d, 3).turn("x", -90).move(y=-d / 2, z=h)
        back = _bent_panel(w, 40, 2.6, 7).turn("x", -12).move(y=d / 2 - 1, z=h - 2)
        legs = four_legs(w * 0.6, d * 0.6, h - 1, 1.5, 6)
        thin = frame if cloth else leg_finish(design.seed)
        return [Part(seat, design.finish), Part(back, design.finish), *[Part(m, thin) for m in legs]]
    seat = box(w, d, 3.2, 1.2) if not cloth else box(w, d, 6, 2.4, 1.0)
    parts.append(Part(seat.move(z=h - 3), design.finish))
    for sx in (-1, 1):
        parts.append(
            Part(rod([sx * (w / 2 - 1.5), -d / 2 + 3, 1.3], [sx * (w / 2 - 3), -d / 2 + 4, h - 2], 1.4, 1.9), frame)
        )
        parts.append(
            Part(rod([sx * (w / 2 - 2), d / 2 + 1, 1.3], [sx * (w / 2 - 2.5), d / 2 - 2.5, h], 1.5, 1.8), frame)
        )
        parts.append(
            Part(rod([sx * (w / 2 - 2.5), d / 2 - 2.5, h], [sx * (w / 2 - 3), d / 2 + 5, 84], 1.8, 1.3), frame)
        )
        parts.append(Part(rod([sx * (w / 2 - 2.2), -d / 2 + 3.5, 20], [sx * (w / 2 - 2.2), d / 2, 20], 0.9), frame))
    if design.variant == "spindle":
        for k in np.linspace(-0.62, 0.62, 6):
            parts.append(Part(rod([k * w / 2, d / 2 - 2.5, h], [k * w / 2, d / 2 + 4.6, 80], 0.75), frame))
        parts.append(Part(_bent_panel(w, 8, 2.4, 0).turn("x", -11).move(y=d / 2 + 5.6, z=78), frame))
    elif design.variant == "ladder-back":
        for z in (56, 67, 78):
            parts.append(Part(box(w - 6, 1.8, 5.5, 0.8).turn("x", -11).move(y=d / 2 - 2 + (z - h) * 0.19, z=z), frame))
    else:
        back = box(w - 2, 5 if cloth else 2.4, 34, 1.1, 1.0 if cloth else 0.0).turn("x", -11).move(y=d / 2 - 1, z=h + 6)
        parts.append(Part(back, design.finish))
    return parts


def stool(design: Design) -> list[Part]:
    rng = design.rng()
    h, r = rng.uniform(42, 50), rng.uniform(15.5, 18)
    frame = design.finish if design.finish.material in ("oak", "walnut", "ash", *METALS) else leg_finish(design.seed)
    if design.variant == "bar":
        h = rng.uniform(68, 76)
    seat = cylinder(r, 4, 1.4).move(z=h - 4)
    if design.variant == "milking":
        legs = [
            rod(
                [np.cos(a) * r * 0.95, np.sin(a) * r * 0.95, 1.3],
                [np.cos(a) * r * 0.55, np.sin(a) * r * 0.55, h - 3],
                1.3,
                1.9,
            )
            for a in np.radians([30, 150, 270])
        ]
        return [Part(seat, design.finish), *[Part(m, frame) for m in legs]]
    if design.variant == "drum":
        body = lathe(
            np.concatenate(
                [
                    [[0, 0]],
                    smooth(
                        [[r * 0.82, 0], [r * 0.95, h * 0.2], [r * 1.02, h * 0.5], [r * 0.95, h * 0.8], [r * 0.8, h]], 50
                    ),
                    [[0, h]],
                ]
            ),
            80,
        )
        return [Part(body, design.finish)]
    legs = four_legs(r * 1.05, r * 1.05, h - 3, 1.7, 4.5)
    rest = h * 0.32
    spread = r * 1.05 / 2 + 4.5 * (1 - rest / h)
    bars = [rod([-spread, s * spread, rest], [spread, s * spread, rest], 1.0) for s in (-1, 1)]
    bars += [rod([s * spread, -spread, rest + 3], [s * spread, spread, rest + 3], 1.0) for s in (-1, 1)]
    return [Part(seat, design.finish), *[Part(m, frame) for m in legs + bars]]


def bench(design: Design) -> list[Part]:
    rng = design.rng()
    w, d, h = rng.uniform(105, 135), rng.uniform(32, 38), 45.0
    cloth = design.finish.material in CLOTHS or design.finish.material == "leather"
    frame = leg_finish(design.seed) if cloth or design.seed % 3 == 0 else design.finish
    if design.variant == "slatted":
        slats = [box(w, d / 5 - 1.2, 2.6, 0.5).move(y=(k - 2) * d / 5, z=h - 2.6) for k in range(5)]
        return [
            *[Part(m, design.finish) for m in slats],
            *[Part(box(3, d - 2, 3, 0.4).move(x=s * w * 0.38, z=h - 5.6), frame) for s in (-1, 1)],
            *[Part(m, frame) for m in square_legs(w * 0.8, d - 3, h - 3, 4)],
        ]
    seat = box(w, d, 9, 3.0, 1.0).move(z=h - 9) if cloth else box(w, d, 4, 0.6).move(z=h - 4)
    under = h - 8 if cloth else h - 3
    if design.variant == "trestle":
        legs = [box(4, d * 0.86, under, 0.5).move(x=s * w * 0.36) for s in (-1, 1)] + [
            box(w * 0.72, 4, 6, 0.5).move(z=under * 0.5)
        ]
        return [Part(seat, design.finish), *[Part(m, frame) for m in legs]]
    return [Part(seat, design.finish), *[Part(m, frame) for m in four_legs(w * 0.84, d * 0.7, under, 1.9, 3)]]


WOODEN = {"oak": PLAIN, "walnut": PLAIN, "ash": PLAIN}
KINDS = (
    Kind(
        "chair",
        "Furniture",
        chair,
        ("shell", "spindle", "ladder-back", "panel-back"),
        {**WOODEN, "painted wood": PLAIN, "plastic": PLAIN, "linen": PLAIN, "leather": PLAIN, "velvet": PLAIN},
        (59, 340),
        View((10, 18), (20, 42)),
        1.6,
    ),
    Kind(
        "stool",
        "Furniture",
        stool,
        ("round", "bar", "milking", "drum"),
        {**WOODEN, "oak": PLAIN, "painted wood": PLAIN, "black iron": PLAIN, "plastic": PLAIN},
        (35, 190),
        View((12, 22), (10, 35)),
        1.3,
    ),
    Kind(
        "bench",
        "Furniture",
        bench,
        ("plank", "slatted", "trestle"),
        {**WOODEN, "painted wood": PLAIN, "leather": PLAIN, "linen": PLAIN},
        (79, 420),
        View((12, 20), (22, 38)),
    ),
)
