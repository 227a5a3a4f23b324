"""Vases, mugs, cups, bowls, plates, teapots, jugs, cake stands: what is turned on a wheel."""

from __future__ import annotations

import numpy as np

from ..design import GLAZES, PLAIN, Design, Kind, View
from ..finish import Finish, Part
from ..forms import filling, handle, smooth, spout, vessel
from ..mesh import merge
from ..shapes import cylinder, lathe, sphere, tube

POTTERY = {"ceramic": GLAZES, "stoneware": PLAIN, "porcelain": GLAZES}


def vase(design: Design) -> list[Part]:
    rng = design.rng()
    h, w = rng.uniform(18, 34), rng.uniform(0.85, 1.15)
    ripple = None
    outlines = {
        "bottle": [[3.5, 0], [6.2, 3], [6.6, 8], [4.2, 14], [1.9, 18], [1.7, 23], [2.3, 25]],
        "amphora": [[3, 0], [4.6, 3], [7.4, 11], [7.2, 16], [4, 20], [3.4, 22.5], [4.6, 25]],
        "round": [[4, 0], [8, 4], [9.4, 9], [8, 14], [4.6, 17], [4.2, 19], [5, 20.5]],
        "cylinder": [[5.2, 0], [5.4, 1], [5.4, 12], [5.4, 25]],
        "tulip": [[3.4, 0], [5.4, 4], [5.9, 9], [4.2, 16], [4.6, 21], [7.2, 25]],
        "fluted": [[3.8, 0], [6.4, 5], [7.2, 12], [5.8, 19], [5, 22], [6, 25]],
        "hourglass": [[6.4, 0], [6, 4], [3.4, 12], [3.6, 15], [5.8, 22], [6.2, 25]],
    }
    if design.variant == "fluted":
        flutes = int(rng.integers(14, 24))
        ripple = lambda th, t: 1 + 0.045 * np.cos(flutes * th) * np.sin(np.pi * np.clip(t * 2.2, 0, 1))  # noqa: E731
    points = np.array(outlines[design.variant]) * [w * h / 25, h / 25]
    body = vessel(smooth(points, 60), 0.35 * h / 20, ripple=ripple)
    parts = [Part(body, design.finish)]
    if design.variant == "amphora":
        r = h / 25
        for side in (1, -1):
            ear = handle([3.6 * w * r, 6.9 * w * r], [21.5 * r, 15.5 * r], 2.6 * r, 0.6 * r)
            parts.append(Part(ear if side > 0 else ear.turn("z", 180), design.finish.solid()))
    return parts


def mug(design: Design) -> list[Part]:
    rng = design.rng()
    r, h = rng.uniform(3.9, 4.6), rng.uniform(8.5, 10.5)
    outlines = {
        "straight": [[r * 0.95, 0], [r, 0.8], [r, h * 0.5], [r, h]],
        "barrel": [[r * 0.8, 0], [r * 1.02, h * 0.3], [r * 1.04, h * 0.55], [r * 0.9, h]],
        "tapered": [[r * 0.72, 0], [r * 0.78, h * 0.1], [r * 0.9, h * 0.5], [r * 1.1, h]],
        "footed": [[r * 0.6, 0], [r * 0.55, h * 0.08], [r * 0.98, h * 0.3], [r * 1.02, h * 0.6], [r * 1.05, h]],
    }
    profile = smooth(outlines[design.variant], 40)
    at = lambda z: float(np.interp(z, profile[:, 1], profile[:, 0]))  # noqa: E731
    ear = handle([at(h * 0.82), at(h * 0.25)], [h * 0.82, h * 0.25], r * 0.62, 0.55)
    side = float(rng.uniform(-35, 25))
    return [
        Part(vessel(profile, 0.35), design.finish),
        Part(ear.turn("z", side), design.finish.solid()),
    ] + ([Part(filling(profile, 0.35, h * 0.82), Finish("plastic", "#2a1408"))] if rng.random() < 0.4 else [])


def cup_and_saucer(design: Design) -> list[Part]:
    rng = design.rng()
    r, h = rng.uniform(4, 4.8), rng.uniform(5.4, 6.6)
    outlines = {
        "classic": [[r * 0.5, 0.9], [r * 0.55, 1.3], [r * 0.9, 1 + h * 0.4], [r, 1 + h * 0.8], [r * 1.06, 1 + h]],
        "espresso": [[r * 0.55, 0.9], [r * 0.7, 1.4], [r * 0.8, 1 + h * 0.5], [r * 0.82, 1 + h]],
    }
    profile = smooth(outlines[design.variant], 40)
    rim = float(profile[-1, 0])
    ear = handle([rim, rim * 0.75], [1 + h * 0.85, 1 + h * 0.35], r * 0.55, 0.36).turn("z", float(rng.uniform(-40, 20)))
    plate = vessel(smooth([[r * 0.8, 0], [r * 1.1, 0.3], [r * 1.6, 1.1], [r * 1.95, 1.8]], 30), 0.3)
    return [
        Part(vessel(profile, 0.25), design.finish),
        Part(ear, design.finish.solid()),
        Part(plate, design.finish.solid()),
        Part(filling(profile, 0.25, 1 + h * 0.83), Finish("plastic", "#3a1d0c")),
    ]


def bowl(design: Design) -> list[Part]:
    rng = design.rng()
    r, h = rng.uniform(7, 14), rng.uniform(0.42, 0.56)
    outlines = {
        "round": [[r * 0.42, 0], [r * 0.5, 0.4], [r * 0.85, h * r * 0.5], [r, h * r * 1.2]],
        "wide": [[r * 0.4, 0], [r * 0.44, 0.4], [r * 0.9, h * r * 0.4], [r * 1.3, h * r * 0.85]],
        "footed": [
            [r * 0.5, 0],
            [r * 0.38, h * r * 0.25],
            [r * 0.45, h * r * 0.4],
            [r * 0.9, h * r * 0.8],
            [r, h * r * 1.4],
        ],
    }
    return [Part(vessel(smooth(outlines[design.variant], 50), 0.25 + r * 0.025), design.finish)]


def plate(design: Design) -> list[Part]:
    rng = design.rng()
    r = rng.uniform(10, 15)
    outlines = {
        "rimmed": [[r * 0.6, 0], [r * 0.66, 0.3], [r * 0.72, r * 0.09], [r * 0.86, r * 0.11], [r, r * 0.14]],
        "coupe": [[r * 0.55, 0], [r * 0.7, 0.3], [r * 0.9, r * 0.1], [r, r * 0.2]],
    }
    body = vessel(smooth(outlines[design.variant], 40), 0.45)
    parts = [Part(body, design.finish.solid())]
    if design.finish.pattern != "plain":  # the pattern sits on the rim and the well as rings or as a print
        disc = lathe([[r * 0.62, 0.47], [0, 0.49]], 72)
        parts.append(Part(_flat_uv(disc), design.finish))
    return parts


def teapot(design: Design) -> list[Part]:
    rng = design.rng()
    r = rng.uniform(7, 9)
    tall = {"round": 1.0, "tall": 1.45, "low": 0.78}[design.variant]
    profile = smooth(
        [
            [r * 0.55, 0],
            [r * 0.9, r * 0.25 * tall],
            [r, r * 0.7 * tall],
            [r * 0.78, r * 1.25 * tall],
            [r * 0.42, r * 1.5 * tall],
        ],
        50,
    )
    top = float(profile[-1, 1])
    lid = lathe(
        smooth([[r * 0.46, top - 0.1], [r * 0.42, top + r * 0.08], [r * 0.2, top + r * 0.2], [0, top + r * 0.22]], 24),
        60,
    )
    pipe = spout([-r * 0.75, 0, r * 0.45 * tall], [-r * 1.75, 0, top - r * 0.05], r * 0.26, r * 0.11, r * 0.12)
    ear = handle([r * 0.72, r * 0.92], [top * 0.86, top * 0.28], r * 0.72, r * 0.085)
    metal = design.finish.material in ("steel", "copper", "brass", "black iron")
    grip = Finish("painted wood", "black") if metal else design.finish.solid()
    turn = float(rng.uniform(-18, 18))
    parts = [
        Part(vessel(profile, 0.4), design.finish),
        Part(merge([lid, sphere(r * 0.12).move(z=top + r * 0.2)]), design.finish.solid()),
        Part(pipe, design.finish.solid()),
        Part(ear, grip),
    ]
    return [Part(p.mesh.turn("z", turn), p.finish) for p in parts]


def jug(design: Design) -> list[Part]:
    rng = design.rng()
    r, h = rng.uniform(5.5, 7), rng.uniform(17, 25)
    outlines = {
        "classic": [
            [r * 0.72, 0],
            [r, h * 0.2],
            [r * 1.02, h * 0.38],
            [r * 0.66, h * 0.72],
            [r * 0.62, h * 0.85],
            [r * 0.78, h],
        ],
        "straight": [[r * 0.9, 0], [r * 0.92, h * 0.1], [r * 0.82, h * 0.6], [r * 0.74, h]],
        "bulbous": [[r * 0.7, 0], [r * 1.15, h * 0.22], [r * 1.1, h * 0.45], [r * 0.55, h * 0.78], [r * 0.66, h]],
    }
    profile = smooth(outlines[design.variant], 60)
    body = vessel(profile, 0.35)
    rise = np.clip((body.points[:, 2] - h * 0.78) / (h * 0.22), 0, 1) ** 1.5  # the lip is pulled out towards -x
    angle = np.arctan2(body.points[:, 1], -body.points[:, 0])
    pull = rise * np.exp(-((angle / 0.42) ** 2))
    points = body.points.copy()
    points[:, 0] -= pull * r * 0.55
    points[:, 2] += pull * r * 0.22
    body = type(body)(points, body.faces, body.normals, body.uv, body.extent, body.wraps)
    at = lambda z: float(np.interp(z, profile[:, 1], profile[:, 0]))  # noqa: E731
    ear = handle([at(h * 0.9), at(h * 0.35)], [h * 0.9, h * 0.35], r * 0.75, r * 0.1)
    turn = float(rng.uniform(-20, 20))
    return [Part(body.turn("z", turn), design.finish), Part(ear.turn("z", turn), design.finish.solid())]


def cake_stand(design: Design) -> list[Part]:
    rng = design.rng()
    r, h = rng.uniform(12, 16), rng.uniform(9, 14)
    if design.variant == "tiered":
        h *= 0.55
    foot = lathe(smooth([[r * 0.5, 0], [r * 0.42, 0.8], [r * 0.12, h * 0.3], [r * 0.1, h * 0.7], [r * 0.3, h]], 40), 72)
    top = vessel(smooth([[r * 0.3, h], [r * 0.9, h + 0.2], [r, h + 0.5], [r * 1.02, h + 1.4]], 30), 0.5, 0.6)
    parts = [Part(foot, design.finish.solid()), Part(top, design.finish.solid())]
    if design.variant == "tiered":
        stem = cylinder(r * 0.05, h * 2.6, 0.1).move(z=h)
        small = vessel(smooth([[r * 0.1, 0], [r * 0.55, 0.2], [r * 0.62, 0.5], [r * 0.64, 1.3]], 30), 0.5, 0.6)
        ring = tube(
            [[np.cos(a) * r * 0.14, 0, np.sin(a) * r * 0.14] for a in np.linspace(0, 2 * np.pi, 40)[:-1]],
            0.25,
            12,
            True,
        )
        parts += [
            Part(stem, Finish("brass", "gold")),
            Part(small.move(z=h * 2.6), design.finish.solid()),
            Part(ring.move(z=h * 3.6 + r * 0.15), Finish("brass", "gold")),
        ]
    return parts


def _flat_uv(mesh):
    """A disc whose pattern is laid on flat instead of around."""
    low = mesh.points[:, :2].min(0)
    size = np.ptp(mesh.points[:, :2], axis=0)
    return type(mesh)(
        mesh.points, mesh.faces, mesh.normals, mesh.points[:, :2] - low, (float(size[0]), float(size[1])), False
    )


LOW = View((16, 26), (-30, 30))
KINDS = (
    Kind(
        "vase",
        "Decor",
        vase,
        ("bottle", "amphora", "round", "cylinder", "tulip", "fluted", "hourglass"),
        {**POTTERY, "glass": PLAIN, "brass": PLAIN, "terracotta": PLAIN},
        (14, 120),
        View((6, 18)),
        2.0,
    ),
    Kind(
        "mug",
        "Tableware",
        mug,
        ("straight", "barrel", "tapered", "footed"),
        {"ceramic": GLAZES, "stoneware": PLAIN, "porcelain": GLAZES, "enamel": "plain two-tone"},
        (8, 32),
        LOW,
        1.4,
    ),
    Kind(
        "cup and saucer",
        "Tableware",
        cup_and_saucer,
        ("classic", "espresso"),
        {"porcelain": GLAZES, "ceramic": GLAZES, "stoneware": PLAIN},
        (12, 45),
        View((20, 30), (-30, 30)),
    ),
    Kind(
        "bowl",
        "Tableware",
        bowl,
        ("round", "wide", "footed"),
        {**POTTERY, "oak": PLAIN, "walnut": PLAIN, "glass": PLAIN, "brass": PLAIN, "copper": PLAIN},
        (9, 75),
        View((20, 32)),
        1.4,
    ),
    Kind(
        "plate",
        "Tableware",
        plate,
        ("rimmed", "coupe"),
        {"porcelain": GLAZES, "ceramic": GLAZES, "stoneware": PLAIN},
        (7, 38),
        View((38, 55)),
    ),
    Kind(
        "teapot",
        "Tableware",
        teapot,
        ("round", "tall", "low"),
        {"ceramic": GLAZES, "porcelain": GLAZES, "stoneware": PLAIN, "black iron": PLAIN, "steel": PLAIN},
        (28, 110),
        LOW,
    ),
    Kind(
        "jug",
        "Tableware",
        jug,
        ("classic", "straight", "bulbous"),
        {**POTTERY, "glass": PLAIN, "copper": PLAIN, "enamel": "plain two-tone"},
        (16, 70),
        View((10, 20)),
    ),
    Kind(
        "cake stand",
        "Tableware",
        cake_stand,
        ("single", "tiered"),
        {"porcelain": PLAIN, "ceramic": PLAIN, "marble": PLAIN, "glass": PLAIN, "oak": PLAIN},
        (24, 90),
        View((12, 20)),
        0.7,
    ),
)
