"""Bottles, carafes, glasses, jars, hourglasses: what is blown."""

from __future__ import annotations

import numpy as np

from ..design import PLAIN, Design, Kind, View
from ..finish import Finish, Part
from ..forms import handle, smooth, vessel
from ..mesh import Array
from ..shapes import cylinder, lathe, rod, sphere

CORK = Finish("cork", "#b98d5c")


def bottle(design: Design) -> list[Part]:
    rng = design.rng()
    h, r = rng.uniform(24, 32), rng.uniform(3.6, 4.6)
    outlines = {
        "wine": [[r * 0.95, 0], [r, 0.6], [r, h * 0.6], [r * 0.45, h * 0.76], [r * 0.36, h * 0.84], [r * 0.36, h]],
        "swing-top": [
            [r * 1.05, 0],
            [r * 1.1, 0.8],
            [r * 1.1, h * 0.5],
            [r * 0.6, h * 0.75],
            [r * 0.4, h * 0.85],
            [r * 0.42, h * 0.95],
        ],
        "apothecary": [
            [r * 1.3, 0],
            [r * 1.35, 0.8],
            [r * 1.35, h * 0.42],
            [r * 0.7, h * 0.56],
            [r * 0.45, h * 0.6],
            [r * 0.62, h * 0.7],
        ],
        "flask": [[r * 1.4, 0], [r * 1.3, h * 0.06], [r * 0.75, h * 0.45], [r * 0.4, h * 0.75], [r * 0.38, h * 0.95]],
    }
    profile = smooth(outlines[design.variant], 70)
    top, neck = float(profile[-1, 1]), float(profile[-1, 0])
    parts = [Part(vessel(profile, 0.28), design.finish)]
    if design.variant == "swing-top":
        parts += [Part(sphere(neck * 1.15, 0.75).move(z=top), Finish("ceramic", "white"))]
        parts += [
            Part(rod([s * neck * 1.2, 0, top - 3], [s * neck * 1.1, 0, top + neck], 0.14), Finish("steel", "silver"))
            for s in (-1, 1)
        ]
    else:
        parts.append(Part(cylinder(neck * 0.8, 3.2, 0.25, neck * 1.02).move(z=top - 1.4), CORK))
    return parts


def carafe(design: Design) -> list[Part]:
    rng = design.rng()
    h, r = rng.uniform(22, 29), rng.uniform(5, 6.5)
    outlines = {
        "waisted": [
            [r * 0.9, 0],
            [r, 0.8],
            [r * 0.95, h * 0.3],
            [r * 0.42, h * 0.68],
            [r * 0.42, h * 0.8],
            [r * 0.7, h],
        ],
        "decanter": [
            [r * 1.5, 0],
            [r * 1.75, 1.2],
            [r * 1.6, h * 0.2],
            [r * 0.6, h * 0.5],
            [r * 0.35, h * 0.7],
            [r * 0.55, h],
        ],
        "straight": [[r * 0.8, 0], [r * 0.85, 0.6], [r * 0.85, h * 0.55], [r * 0.55, h * 0.75], [r * 0.6, h]],
    }
    profile = smooth(outlines[design.variant], 70)
    parts = [Part(vessel(profile, 0.25), design.finish)]
    if rng.random() < 0.55 and design.variant != "decanter":
        neck, top = float(profile[-1, 0]), float(profile[-1, 1])
        parts.append(Part(sphere(neck * 0.98).move(z=top - neck * 0.7), CORK))
    return parts


def wine_glass(design: Design) -> list[Part]:
    rng = design.rng()
    s = rng.uniform(0.9, 1.15)
    bowls = {
        "red wine": [[0.45, 9], [2.6, 10], [4.6, 14], [4.3, 18], [3.3, 22]],
        "white wine": [[0.45, 9], [2.2, 10.2], [3.6, 14], [3.4, 18], [2.9, 20.5]],
        "champagne": [[0.45, 8], [1.5, 9.5], [2.4, 14], [2.5, 19], [2.1, 24]],
        "coupe": [[0.45, 10], [2.2, 11], [5, 13], [5.6, 16]],
    }
    outer = smooth([[3.8, 0], [3.6, 0.2], [1.2, 0.6], [0.45, 1.5], [0.4, 5], *bowls[design.variant]], 90) * s
    bowl = smooth(bowls[design.variant], 40) * s
    inner = bowl[::-1] - [0.12, -0.15]
    inner = inner[inner[:, 0] > 0.3]
    return [Part(lathe(np.concatenate([[[0, 0]], outer, inner, [[0, inner[-1, 1]]]]), 84), design.finish)]


def tumbler(design: Design) -> list[Part]:
    rng = design.rng()
    r, h = rng.uniform(3.8, 4.4), rng.uniform(9, 12)
    ripple = None
    if design.variant == "ribbed":

        def ripple(theta: Array, t: Array) -> Array:
            return 1 + 0.03 * np.abs(np.cos(10 * theta)) * np.clip((0.46 - t) * 12, 0, 1) * np.clip(
                (t - 0.17) * 12, 0, 1
            )

    flare = {"straight": 1.0, "flared": 1.28, "ribbed": 1.1}[design.variant]
    return [
        Part(
            vessel(smooth([[r, 0], [r * (1 + flare) / 2, h * 0.5], [r * flare, h]], 40), 0.28, 1.1, ripple),
            design.finish,
        )
    ]


def jar(design: Design) -> list[Part]:
    rng = design.rng()
    r, h = rng.uniform(5, 7), rng.uniform(12, 19)
    squash = {"storage": 1.0, "ginger": 1.0, "preserving": 0.9}[design.variant]
    h *= squash
    if design.variant == "ginger":
        profile = smooth(
            [
                [r * 0.65, 0],
                [r * 0.8, h * 0.12],
                [r * 1.15, h * 0.6],
                [r * 0.8, h * 0.92],
                [r * 0.55, h * 0.97],
                [r * 0.55, h],
            ],
            50,
        )
        lid = lathe(
            smooth(
                [
                    [r * 0.62, h - 1.2],
                    [r * 0.62, h + 0.6],
                    [r * 0.4, h + r * 0.3],
                    [r * 0.14, h + r * 0.4],
                    [r * 0.18, h + r * 0.55],
                    [0, h + r * 0.65],
                ],
                30,
            ),
            72,
        )
        return [Part(vessel(profile, 0.35), design.finish), Part(lid, design.finish)]
    profile = smooth([[r * 0.94, 0], [r, 0.7], [r, h * 0.5], [r, h * 0.84], [r * 0.86, h * 0.93], [r * 0.86, h]], 60)
    parts = [Part(vessel(profile, 0.3), design.finish)]
    if design.variant == "preserving":
        rim = Finish("steel", "silver")
        parts += [
            Part(cylinder(r * 0.92, 1.0, 0.3).move(z=h), design.finish if design.finish.material == "glass" else rim),
            Part(handle([r * 0.95, r * 0.95], [h + 0.8, h * 0.72], 1.0, 0.16), rim),
            Part(cylinder(r * 0.9, 0.5, 0.1).move(z=h - 0.5), Finish("rubber", "orange")),
        ]
    else:
        lid = {
            "glass": Finish("cork", "#b98d5c"),
            "stoneware": Finish("ash", seed=3),
            "ceramic": Finish("oak", seed=4),
        }.get(design.finish.material, design.finish)
        parts += [Part(cylinder(r * 0.95, 1.8, 0.35).move(z=h), lid), Part(sphere(r * 0.16).move(z=h + 1.8), lid)]
    return parts


def hourglass(design: Design) -> list[Part]:
    rng = design.rng()
    h, r = rng.uniform(15, 22), rng.uniform(3.6, 4.6)
    bulb = smooth(
        [
            [0.5, 1],
            [r * 0.8, 1.6],
            [r * 0.85, h * 0.25],
            [r * 0.2, h * 0.46],
            [0.28, h * 0.5],
            [r * 0.2, h * 0.54],
            [r * 0.85, h * 0.75],
            [r * 0.8, h - 1.6],
            [0.5, h - 1],
        ],
        70,
    )
    sand_tone = Finish("terracotta", str(rng.choice(["beige", "sky blue", "blush pink", "white", "sand", "black"])))
    low = lathe([[0, 1.3], [r * 0.74, 1.5], [r * 0.74, h * 0.16], [r * 0.3, h * 0.26], [0, h * 0.29]], 60)
    high = lathe([[0, h * 0.52], [r * 0.14, h * 0.55], [r * 0.66, h * 0.68], [0, h * 0.665]], 60)
    parts = [Part(lathe(bulb, 72), Finish("glass", "clear")), Part(low, sand_tone), Part(high, sand_tone)]
    parts += [Part(cylinder(r * 1.2, 1.1, 0.3).move(z=z), design.finish) for z in (0, h - 1.1)]
    for a in np.radians([30, 150, 270]):
        x, y = np.cos(a) * r * 1.05, np.sin(a) * r * 1.05
        parts.append(Part(rod([x, y, 0.5], [x, y, h - 0.5], 0.32), design.finish))
    return parts


SIDE = View((5, 15))
KINDS = (
    Kind(
        "bottle",
        "Tableware",
        bottle,
        ("wine", "swing-top", "apothecary", "flask"),
        {"glass": PLAIN, "stoneware": PLAIN},
        (8, 40),
        SIDE,
    ),
    Kind("carafe", "Tableware", carafe, ("waisted", "decanter", "straight"), {"glass": PLAIN}, (18, 80), SIDE, 0.8),
    Kind(
        "wine glass",
        "Tableware",
        wine_glass,
        ("red wine", "white wine", "champagne", "coupe"),
        {"glass": PLAIN},
        (7, 35),
        SIDE,
    ),
    Kind(
        "tumbler",
        "Tableware",
        tumbler,
        ("straight", "flared", "ribbed"),
        {"glass": PLAIN},
        (5, 24),
        View((10, 20)),
        0.8,
    ),
    Kind(
        "jar",
        "Storage",
        jar,
        ("storage", "ginger", "preserving"),
        {"glass": PLAIN, "ceramic": "plain stripes dots two-tone", "stoneware": PLAIN},
        (9, 60),
        View((8, 18)),
        1.2,
    ),
    Kind(
        "hourglass",
        "Decor",
        hourglass,
        ("classic",),
        {"oak": PLAIN, "walnut": PLAIN, "brass": PLAIN, "black iron": PLAIN},
        (18, 65),
        SIDE,
        0.6,
    ),
)
