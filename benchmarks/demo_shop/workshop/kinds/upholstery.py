"""Sofas, armchairs, poufs and beds: what one sinks into."""

from __future__ import annotations

import numpy as np

from ..design import PLAIN, PRINTS, Design, Kind, View
from ..finish import CLOTHS, Finish, Part, leg_finish
from ..forms import four_legs, smooth
from ..shapes import box, cylinder, lathe, pillow


def _upholstered(design: Design, width: float, seats: int) -> list[Part]:
    """A sofa or an armchair: base, seat cushions, back cushions, arms, legs, now and then loose cushions."""
    rng = design.rng()
    depth, arm = (
        rng.uniform(82, 92),
        {"track arm": 16.0, "rounded": 22.0, "slim": 9.0, "chesterfield": 20.0}[design.variant],
    )
    foot, seat, back = rng.uniform(10, 15), 44.0, rng.uniform(76, 86)
    cover, legs = design.finish, leg_finish(design.seed)
    inner = width - 2 * arm
    parts = [Part(box(width - 2, depth - 2, seat - foot - 16, 3).move(z=foot), cover.solid())]
    arm_height = back if design.variant == "chesterfield" else rng.uniform(58, 64)
    for s in (-1, 1):
        if design.variant in ("rounded", "chesterfield"):
            parts.append(
                Part(box(arm * 0.8, depth, arm_height - foot - 7, 4).move(x=s * (width - arm) / 2, z=foot), cover)
            )
            roll = (
                cylinder(arm * 0.5, depth + 1, 2.5)
                .turn("x", 90)
                .move(x=s * (width - arm) / 2, y=(depth + 1) / 2, z=arm_height - arm * 0.5)
            )
            parts.append(Part(roll, cover))
        else:
            parts.append(
                Part(box(arm, depth, arm_height - foot, 3.5, 0.6).move(x=s * (width - arm) / 2, z=foot), cover)
            )
    parts.append(Part(box(inner + arm, 16, back - foot, 5, 0.8).move(y=depth / 2 - 8, z=foot), cover))
    if design.variant == "chesterfield":
        parts.append(
            Part(
                cylinder(arm * 0.5, width - arm, 2.5)
                .turn("y", 90)
                .move(x=-(width - arm) / 2, y=depth / 2 - 9, z=back - arm * 0.5),
                cover,
            )
        )
    each = inner / seats
    for k in range(seats):
        x = (k - (seats - 1) / 2) * each
        parts.append(Part(box(each - 0.8, depth - 18, 17, 4.5, 1.6).move(x=x, y=-9, z=seat - 16), cover))
        if design.variant != "chesterfield":
            parts.append(
                Part(
                    box(each - 1.5, 16, back - seat + 4, 6, 3).turn("x", -10).move(x=x, y=depth / 2 - 26, z=seat + 1),
                    cover,
                )
            )
    parts += [Part(m, legs) for m in four_legs(width - 16, depth - 16, foot + 2, 2.4, 1)]
    if rng.random() < 0.4 and seats > 1:
        tone = str(rng.choice(["mustard yellow", "terracotta", "ivory", "teal", "navy blue", "blush pink"]))
        loose = pillow(42, 42, 14).turn("x", 68).turn("z", 12).move(x=-inner / 2 + 22, y=-4, z=seat + 21)
        parts.append(
            Part(loose, Finish("linen", tone, str(rng.choice(["plain", "stripes"])), "white", seed=design.seed))
        )
    return parts


def sofa(design: Design) -> list[Part]:
    rng = np.random.default_rng(design.seed + 1)
    seats = int(rng.choice([2, 3]))
    return _upholstered(design, 78 * seats + rng.uniform(15, 30), seats)


def armchair(design: Design) -> list[Part]:
    return _upholstered(design, float(np.random.default_rng(design.seed + 1).uniform(78, 90)), 1)


def pouf(design: Design) -> list[Part]:
    rng = design.rng()
    r, h = rng.uniform(24, 30), rng.uniform(30, 40)
    if design.variant == "square":
        return [Part(box(r * 1.8, r * 1.8, h, 7, 2.0), design.finish)]
    profile = smooth(
        [
            [0.05, 0.3],
            [r * 0.7, 0],
            [r * 0.98, h * 0.25],
            [r, h * 0.6],
            [r * 0.75, h * 0.95],
            [r * 0.3, h * 1.02],
            [0.05, h * 0.98],
        ],
        60,
    )
    tufts = 12 if design.variant == "moroccan" else 30
    depth = 0.05 if design.variant == "moroccan" else 0.025
    body = lathe(profile, 180, lambda th, t: 1 - depth * (1 - np.abs(np.sin(tufts * th / 2))) ** 2)
    parts = [Part(body, design.finish)]
    if design.variant == "moroccan":
        parts.append(Part(cylinder(2.4, 1.6, 0.6).move(z=h * 0.975), design.finish.solid()))
    return parts


def bed(design: Design) -> list[Part]:
    rng = design.rng()
    w, d = float(rng.choice([140, 160])), 205.0
    frame = design.finish
    cloth = frame.material in CLOTHS
    head = rng.uniform(90, 110)
    parts = [
        Part(box(w + 8, d, 18, 3 if cloth else 1.2).move(z=14), frame),
        Part(box(w, d - 8, 22, 6, 1.0).move(z=28), Finish("cotton", "white")),
    ]
    panel = box(w + 8, 10 if cloth else 4, head, 3 if cloth else 1.2).move(y=d / 2)
    if design.variant == "slatted":
        parts += [Part(box(w + 8, 4, 6, 1).move(y=d / 2, z=z), frame) for z in (60, 74, 88)]
        parts += [Part(box(6, 5, 96, 1).move(x=s * (w / 2 + 1), y=d / 2), frame) for s in (-1, 1)]
    else:
        parts.append(Part(panel, frame))
    tone = str(
        rng.choice(["sage green", "sky blue", "slate grey", "ivory", "blush pink", "mustard yellow", "navy blue"])
    )
    throw = str(rng.choice(["plain", "stripes", "checks"]))
    parts.append(
        Part(
            box(w + 5, d * 0.62, 26, 7, 1.5).move(y=-d * 0.17, z=28),
            Finish("linen", tone, throw, "white", seed=design.seed),
        )
    )
    for s in (-1, 1):
        parts.append(
            Part(
                pillow(w * 0.45, 42, 17).turn("x", 28).move(x=s * w * 0.25, y=d / 2 - 34, z=62),
                Finish("cotton", "white"),
            )
        )
    legs = [cylinder(3, 15, 0.5).move(x=x * (w / 2 - 6), y=y * (d / 2 - 10)) for x in (-1, 1) for y in (-1, 1)]
    return [*parts, *[Part(m, frame if not cloth else Finish("oak", seed=1)) for m in legs]]


WOODEN = {"oak": PLAIN, "walnut": PLAIN, "ash": PLAIN}
SOFT = {
    "linen": "plain plain plain stripes",
    "wool": PLAIN,
    "velvet": PLAIN,
    "cotton": "plain plain checks dots",
    "leather": PLAIN,
}
ROOM = View((9, 17), (18, 38))
KINDS = (
    Kind(
        "sofa",
        "Furniture",
        sofa,
        ("track arm", "rounded", "slim", "chesterfield"),
        SOFT,
        (490, 2400),
        View((10, 17), (10, 30)),
        1.3,
    ),
    Kind("armchair", "Furniture", armchair, ("track arm", "rounded", "slim", "chesterfield"), SOFT, (240, 1100), ROOM),
    Kind(
        "pouf",
        "Furniture",
        pouf,
        ("round", "moroccan", "square"),
        {"linen": PRINTS, "wool": PLAIN, "velvet": PLAIN, "leather": PLAIN, "cotton": PRINTS},
        (39, 190),
        View((14, 22), (15, 30)),
    ),
    Kind(
        "bed",
        "Furniture",
        bed,
        ("panel", "slatted"),
        {**WOODEN, "painted wood": PLAIN, "linen": PLAIN, "velvet": PLAIN},
        (320, 1500),
        View((16, 22), (28, 40)),
        0.8,
    ),
)
