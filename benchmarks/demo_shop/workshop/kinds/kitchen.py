"""Boards, trays, mills, rolling pins and watering cans: what one works with."""

from __future__ import annotations

import numpy as np

from ..design import PLAIN, Design, Kind, View
from ..finish import BLACK_IRON, STEEL, Finish, Part
from ..forms import smooth, spout, vessel
from ..mesh import Mesh
from ..shapes import box, cylinder, lathe, prism, rod, rounded_rectangle, sphere, spline, superellipse, tube


def cutting_board(design: Design) -> list[Part]:
    rng = design.rng()
    w, h, t = rng.uniform(20, 27), rng.uniform(32, 42), rng.uniform(1.6, 2.4)
    if design.variant == "paddle":
        side = spline(
            [
                [-1.9, h * 0.5 + 10],
                [-1.7, h * 0.5 + 4],
                [-2.6, h * 0.5 + 0.6],
                [-w * 0.42, h * 0.5 - 1.2],
                [-w * 0.5, h * 0.38],
                [-w * 0.5, -h * 0.4],
                [-w * 0.44, -h * 0.5],
                [0, -h * 0.5],
            ],
            60,
        )
        outline = np.concatenate([side, (side * [-1, 1])[::-1][1:]])
        hole_at = h * 0.5 + 7.6
    elif design.variant == "round":
        outline, hole_at = superellipse(h * 0.9, h * 0.9, 2.0), h * 0.45 - 3
    else:
        outline, hole_at = rounded_rectangle(w, h, 2.5), h * 0.5 - 3
    board = prism(outline, t, 0.3)
    parts = [Part(_grain_along_y(board), design.finish)]
    loop = [[np.sin(a) * 1.1, hole_at + np.cos(a) * 1.8 + 0.4, t + 0.25] for a in np.linspace(0, 2 * np.pi, 40)[:-1]]
    parts += [
        Part(cylinder(0.75, t + 0.06, 0.02).move(y=hole_at), Finish("soil", "#20160f")),
        Part(tube(loop, 0.2, 10, True), Finish("leather", "chestnut")),
    ]
    low = float(outline[:, 1].min())
    return [Part(p.mesh.move(y=-low).turn("x", 80), p.finish) for p in parts]


def _grain_along_y(mesh: Mesh) -> Mesh:
    return Mesh(mesh.points, mesh.faces, mesh.normals, mesh.uv[:, ::-1], mesh.extent[::-1], mesh.wraps)


def tray(design: Design) -> list[Part]:
    rng = design.rng()
    w, d, t = rng.uniform(36, 48), rng.uniform(24, 32), 1.0
    if design.variant == "round":
        r = d * 0.62
        rim = vessel(smooth([[r * 0.94, 0], [r, 0.4], [r, 2.0], [r * 1.01, 3.4]], 30), 0.5, 0.8)
        parts = [Part(rim, design.finish.solid())]
        disc = prism(superellipse(r * 1.86, r * 1.86), 0.3, 0.02).move(z=0.72)
        parts.append(Part(disc, design.finish))
        ears = r
    else:
        base = prism(rounded_rectangle(w - 0.8, d - 0.8, 2.0), t, 0.1)
        parts = [Part(base, design.finish)]
        walls = [box(w, 1.0, 4.2, 0.3).move(y=s * (d / 2 - 0.5)) for s in (-1, 1)] + [
            box(1.0, d, 4.2, 0.3).move(x=s * (w / 2 - 0.5)) for s in (-1, 1)
        ]
        parts += [Part(m, design.finish.solid()) for m in walls]
        ears = w / 2
    for s in (-1, 1):
        arch = [[s * (ears - 0.4), np.cos(a) * 5.5, 3.2 + np.sin(a) * 4.2] for a in np.radians(np.linspace(0, 180, 30))]
        parts.append(Part(tube(arch, 0.55), [Finish("brass", "gold"), BLACK_IRON][design.seed % 2]))
    turn = float(rng.uniform(-25, 25))
    return [Part(p.mesh.turn("z", turn), p.finish) for p in parts]


def pepper_mill(design: Design) -> list[Part]:
    rng = design.rng()
    h, r = rng.uniform(15, 24), rng.uniform(2.4, 3.0)
    outlines = {
        "classic": [
            [r, 0],
            [r, h * 0.1],
            [r * 0.62, h * 0.28],
            [r * 0.58, h * 0.42],
            [r * 0.85, h * 0.6],
            [r * 0.8, h * 0.72],
        ],
        "modern": [[r * 0.95, 0], [r, h * 0.05], [r * 0.9, h * 0.4], [r * 0.82, h * 0.72]],
    }
    body = lathe(np.concatenate([[[0, 0]], smooth(outlines[design.variant], 50), [[0, h * 0.72]]]), 72)
    head = lathe(
        smooth(
            [[r * 0.6, h * 0.735], [r * 0.86, h * 0.78], [r * 0.84, h * 0.88], [r * 0.5, h * 0.97], [0, h * 0.985]], 40
        ),
        72,
    )
    return [
        Part(body, design.finish),
        Part(head, design.finish),
        Part(cylinder(r * 0.6, h * 0.02, 0.05).move(z=h * 0.72), STEEL),
        Part(sphere(r * 0.28).move(z=h * 0.97), STEEL),
    ]


def rolling_pin(design: Design) -> list[Part]:
    rng = design.rng()
    length, r = rng.uniform(24, 28), rng.uniform(2.6, 3.2)
    grip = r * 0.45
    if design.variant == "french":
        profile = smooth(
            [
                [r * 0.35, 0],
                [r * 0.8, length * 0.3],
                [r, length * 0.75],
                [r * 0.8, length * 1.2],
                [r * 0.35, length * 1.5],
            ],
            50,
        )
        meshes = [lathe(np.concatenate([[[0, 0]], profile, [[0, length * 1.5]]]), 64)]
        parts = [Part(meshes[0], design.finish)]
    else:
        one = smooth([[grip * 0.7, -9.5], [grip * 1.15, -8.6], [grip, -4], [grip * 0.8, 0]], 30)
        end = lathe(np.concatenate([[[0, -9.6]], one]), 48)
        parts = [
            Part(cylinder(r, length, 0.4), design.finish),
            Part(end, Finish("oak", seed=2) if design.finish.material == "marble" else design.finish),
        ]
        parts.append(Part(end.turn("x", 180).move(z=length), parts[1].finish))
    return [Part(p.mesh.turn("y", 90).turn("z", float(18 + design.seed % 20)), p.finish) for p in parts]


def watering_can(design: Design) -> list[Part]:
    rng = design.rng()
    r, h = rng.uniform(7, 9), rng.uniform(14, 18)
    body = vessel(smooth([[r * 0.95, 0], [r, 0.6], [r * 0.96, h * 0.6], [r * 0.8, h]], 40), 0.25)
    pipe = spout([-r * 0.9, 0, h * 0.2], [-r * 2.6, 0, h * 1.12], r * 0.17, r * 0.1)
    plain = design.finish.solid()
    parts = [
        Part(body, design.finish),
        Part(pipe, plain),
        Part(rod([-r * 0.8, 0, h * 0.8], [-r * 2.0, 0, h * 0.82], 0.25), plain),
    ]
    if design.variant == "rose":
        rose = lathe([[0, 0], [r * 0.12, 0], [r * 0.4, r * 0.45], [r * 0.36, r * 0.55], [0, r * 0.6]], 48).turn(
            "y", -55
        )
        parts.append(Part(rose.move(-r * 2.6, 0, h * 1.1), plain))
    loop = spline(
        [
            [r * 0.75, 0, h * 0.98],
            [r * 0.2, 0, h * 1.5],
            [r * 1.3, 0, h * 1.45],
            [r * 1.65, 0, h * 0.85],
            [r * 0.92, 0, h * 0.28],
        ],
        50,
    )
    parts.append(Part(tube(loop, 0.5), plain))
    return parts


SIDE = View((12, 22), (-25, 25))
WOODEN = {"oak": PLAIN, "walnut": PLAIN, "ash": PLAIN}
KINDS = (
    Kind(
        "cutting board",
        "Kitchen",
        cutting_board,
        ("rectangular", "paddle", "round"),
        {**WOODEN, "bamboo": PLAIN, "marble": PLAIN},
        (14, 75),
        View((6, 14), (-22, 22), "lean"),
    ),
    Kind(
        "tray",
        "Tableware",
        tray,
        ("rectangular", "round"),
        {**WOODEN, "lacquer": "plain stripes checks dots", "painted wood": "plain stripes checks", "marble": PLAIN},
        (18, 80),
        View((30, 42), (-15, 15)),
    ),
    Kind(
        "pepper mill",
        "Kitchen",
        pepper_mill,
        ("classic", "modern"),
        {**WOODEN, "painted wood": PLAIN, "lacquer": PLAIN, "marble": PLAIN},
        (15, 60),
        View((8, 16)),
        0.8,
    ),
    Kind(
        "rolling pin",
        "Kitchen",
        rolling_pin,
        ("classic", "french"),
        {**WOODEN, "marble": PLAIN},
        (10, 38),
        View((25, 38), (-12, 12)),
        0.6,
    ),
    Kind(
        "watering can",
        "Garden",
        watering_can,
        ("rose", "long-spout"),
        {"enamel": PLAIN, "copper": PLAIN, "brass": PLAIN, "steel": PLAIN},
        (16, 65),
        SIDE,
        0.8,
    ),
)
