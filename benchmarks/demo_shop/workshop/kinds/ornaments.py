"""Baubles and ornaments: what one looks at."""

from __future__ import annotations

import numpy as np

from ..design import PLAIN, Design, Kind, View
from ..finish import BRASS, Finish, Part
from ..forms import smooth
from ..mesh import merge
from ..shapes import (
    cylinder,
    knot,
    lathe,
    rod,
    sphere,
    spline,
    tube,
)


def bauble(design: Design) -> list[Part]:
    rng = design.rng()
    r = rng.uniform(3.6, 5)
    cap = cylinder(r * 0.24, r * 0.26, 0.1)
    outlines = {
        "drop": [[0.05, -r * 0.9], [r * 0.5, 0], [r, r * 1.0], [r * 0.75, r * 1.7], [0.1, r * 2.05]],
        "onion": [[0.05, -r * 0.3], [r * 0.3, 0], [r * 1.1, r * 0.8], [r * 0.5, r * 1.5], [0.1, r * 2.05]],
    }
    body = sphere(r) if design.variant == "ball" else lathe(smooth(outlines[design.variant], 60), 84)
    ring = tube(
        [[np.cos(t) * r * 0.16, 0, np.sin(t) * r * 0.16] for t in np.linspace(0, 2 * np.pi, 30)[:-1]], 0.12, 10, True
    )
    cord = tube(spline([[0, 0, r * 2.4], [r * 0.12, 0, r * 3.2], [0, 0, r * 4.4]], 20), 0.09)
    return [
        Part(body, design.finish),
        Part(cap.move(z=r * 1.95), BRASS),
        Part(ring.move(z=r * 2.3), BRASS),
        Part(cord, Finish("cotton", "brick red")),
    ]


def ornament(design: Design) -> list[Part]:
    rng = design.rng()
    s = rng.uniform(0.85, 1.2)
    main, plinth = design.finish, Finish([["walnut"], ["oak"], ["black iron"]][design.seed % 3][0], "black", seed=2)
    if design.variant == "bird":
        t = np.linspace(0, 1, 40)
        radius = (
            4.6
            * np.sin(np.pi * np.clip(t, 0.02, 0.985) ** 0.72) ** 0.8
            * (1 - 0.45 * np.clip(t - 0.55, 0, 1) ** 0.9 * 2)
            + 0.25
        )
        body = tube(spline([[-6, 0, 7.6], [-2.5, 0, 5.4], [2, 0, 5.6], [9, 0, 8.2]], 40), radius, 28)
        head, beak = sphere(2.7).move(-5.6, 0, 6.6), rod([-7.8, 0, 9.2], [-10.3, 0, 8.9], 0.7, 0.06)
        legs = [rod([x, y, 0.9], [0, y * 0.8, 3.4], 0.25) for x, y in ((0.4, 1.1), (-0.4, -1.1))]
        parts = [
            Part(body, main),
            Part(head, main.solid()),
            Part(beak, BRASS),
            Part(merge(legs), BRASS),
            Part(cylinder(4.5, 1.2, 0.4), plinth),
        ]
        parts += [Part(sphere(0.38).move(-6.9, y, 9.4), Finish("plastic", "black")) for y in (-1.75, 1.75)]
    elif design.variant == "knot":
        parts = [Part(knot(16, 1.7, 2, 3).move(z=2.0), main), Part(cylinder(5, 2.2, 0.5), plinth)]
    elif design.variant == "stacked stones":
        parts, z, r = [], 0.0, 6.0
        for k in range(4):
            h = r * rng.uniform(0.85, 1.05)
            parts.append(
                Part(
                    sphere(r, h / r / 2 + 0.05)
                    .stretch(y=0.85)
                    .turn("z", 60.0 * k)
                    .move(float(rng.normal(0, 0.4)), 0, z),
                    main,
                )
            )
            z += h * 1.02
            r *= 0.76
    elif design.variant == "arch":
        parts = []
        for k, tone in enumerate([main, Finish(main.material, main.second, seed=1), main]):
            r = 8.5 - 2.7 * k
            arc = [[np.cos(t) * r, 0, np.sin(t) * r] for t in np.radians(np.linspace(0, 180, 48))]
            path = np.concatenate([[[r, 0, -3], [r, 0, -1.5]], arc, [[-r, 0, -1.5], [-r, 0, -3]]])
            parts.append(Part(tube(path, 1.25, 18).stretch(y=1.5).move(z=4.2), tone))
    else:  # a sitting cat
        body = lathe(
            np.concatenate([[[0, 0]], smooth([[4.2, 0], [4.9, 1.6], [4.1, 6], [2.6, 10], [1.4, 12]], 40), [[0, 12.2]]]),
            72,
        ).stretch(y=0.85)
        head = sphere(3.1, 0.9).move(0, -0.8, 11.0)
        ears = [
            lathe([[1.1, 0], [0.75, 1.2], [0.05, 2.4]], 24).turn("y", s * 16).move(s * 1.75, -0.6, 15.2)
            for s in (-1, 1)
        ]
        tail = tube(
            spline([[3.4, 2.4, 0.9], [6.2, 0.6, 0.8], [5.6, -2.9, 0.8], [3.0, -4.4, 0.9]], 30),
            np.linspace(1.0, 0.6, 30),
        )
        paws = [sphere(1.2, 0.8).move(s * 1.7, -3.7, 0) for s in (-1, 1)]
        face = [sphere(0.34).move(s * 1.15, -3.75, 13.7) for s in (-1, 1)] + [sphere(0.3).move(0, -3.95, 12.7)]
        parts = [
            Part(body, main),
            *[Part(m, main.solid()) for m in [head, *ears, tail, *paws]],
            Part(
                merge(face),
                BRASS if main.colour in ("black", "charcoal black", "navy blue") else Finish("plastic", "black"),
            ),
        ]
    turn = float(rng.uniform(-25, 25))
    return [Part(p.mesh.stretch(s, s, s).turn("z", turn), p.finish) for p in parts]


KINDS = (
    Kind(
        "bauble",
        "Decor",
        bauble,
        ("ball", "drop", "onion"),
        {
            "lacquer": "plain stripes dots",
            "brass": PLAIN,
            "copper": PLAIN,
            "glass": PLAIN,
            "ceramic": "plain dots stripes",
        },
        (4, 19),
        View((-4, 6), (-25, 25), "air"),
        0.8,
    ),
    Kind(
        "ornament",
        "Decor",
        ornament,
        ("bird", "knot", "stacked stones", "arch", "cat"),
        {
            "ceramic": PLAIN,
            "brass": PLAIN,
            "oak": PLAIN,
            "walnut": PLAIN,
            "marble": PLAIN,
            "stoneware": PLAIN,
            "black iron": PLAIN,
            "terrazzo": PLAIN,
        },
        (12, 95),
        View((6, 16)),
        1.4,
    ),
)
