"""Clocks, mirrors, picture frames, planters: what hangs on a wall or stands on a sill."""

from __future__ import annotations

import numpy as np

from ..design import PLAIN, Design, Kind, View
from ..finish import BLACK_IRON, BRASS, SOIL, Finish, Part
from ..forms import filling, four_legs, plant, smooth, vessel
from ..mesh import Mesh, grid_mesh, merge
from ..shapes import box, cylinder, lathe, prism, rod, rounded_rectangle, superellipse, tube

FRAMES = {
    "oak": PLAIN,
    "walnut": PLAIN,
    "ash": PLAIN,
    "brass": PLAIN,
    "black iron": PLAIN,
    "painted wood": PLAIN,
    "lacquer": PLAIN,
}


def _hand(length: float, width: float, degrees: float) -> Mesh:
    return box(width, 0.3, length, 0.14).move(z=-length * 0.12).turn("y", degrees)


def _dial(r: float, rng: np.random.Generator, ink: Finish, face: Finish, dots: bool) -> list[Part]:
    """A clock face in the x-z plane, looking towards -y, its centre at the origin."""
    parts = [Part(cylinder(r, 0.6, 0.1).turn("x", 90).move(y=0.3), face)]
    for k in range(12):
        a = np.radians(30 * k)
        long = r * (0.17 if k % 3 == 0 else 0.1)
        if dots:
            mark = cylinder(r * (0.05 if k % 3 == 0 else 0.032), 0.3, 0.05).turn("x", 90)
            parts.append(Part(mark.move(np.sin(a) * r * 0.83, -0.3, np.cos(a) * r * 0.83), ink))
        else:
            mark = box(r * (0.055 if k % 3 == 0 else 0.03), 0.3, long, 0.1).move(z=r * 0.9 - long).turn("y", 30 * k)
            parts.append(Part(mark.move(y=-0.4), ink))
    hour, minute = 30 * float(rng.uniform(0, 12)), 6 * float(rng.integers(0, 60))
    parts += [
        Part(_hand(r * 0.6, r * 0.065, hour).move(y=-0.8), ink),
        Part(_hand(r * 0.88, r * 0.045, minute).move(y=-1.1), ink),
        Part(cylinder(r * 0.055, 0.6, 0.1).turn("x", 90).move(y=-0.9), ink),
    ]
    return parts


def clock(design: Design) -> list[Part]:
    rng = design.rng()
    r = rng.uniform(14, 20)
    light = design.seed % 3 != 0
    stone = design.finish.material in ("marble", "oak", "walnut", "ash", "terrazzo")
    face = Finish("painted wood", "white" if light else "navy blue") if not stone or light else design.finish
    dark = face.material != "painted wood" or not light
    ink = BRASS if dark else Finish("painted wood", "black")
    dial = _dial(r * 0.92, rng, ink, face, bool(rng.random() < 0.4))
    if design.variant == "alarm":
        r *= 0.4
        small = [Part(p.mesh.stretch(0.4, 0.4, 0.4), p.finish) for p in dial]
        parts = [Part(p.mesh.move(y=-3.1, z=r + 2.4), p.finish) for p in small]
        parts.append(Part(cylinder(r, 6, 0.8).turn("x", 90).move(y=3, z=r + 2.4), design.finish))
        for s in (-1, 1):
            bell = lathe(
                smooth([[r * 0.42, 0], [r * 0.38, r * 0.16], [r * 0.2, r * 0.28], [0.02, r * 0.32]], 24), 40
            ).turn("y", s * 35)
            parts.append(Part(bell.move(s * r * 0.62, 0, r * 1.86 + 2.4), design.finish))
            parts.append(Part(rod([s * r * 0.75, 0, 0.5], [s * r * 0.55, 0, r * 0.5 + 2], 0.5), design.finish))
        arch = [
            [np.cos(t) * r * 0.3, 0, r * 2.0 + 2.4 + np.sin(t) * r * 0.55] for t in np.radians(np.linspace(0, 180, 24))
        ]
        return [*parts, Part(tube(arch, 0.3), BLACK_IRON)]
    if design.variant == "mantel":
        k = 0.55
        small = [Part(p.mesh.stretch(k, k, k), p.finish) for p in dial]
        w, h = r * 1.75, r * 1.5
        body = prism(
            np.concatenate(
                [
                    [[-w / 2, 0], [w / 2, 0]],
                    [[np.cos(t) * w / 2, h * 0.45 + np.sin(t) * h * 0.62] for t in np.radians(np.linspace(0, 180, 40))],
                ]
            ),
            8,
            0.5,
        )
        return [
            Part(body.turn("x", 90).move(y=4), design.finish),
            *[Part(p.mesh.move(y=-4.4, z=h * 0.54), p.finish) for p in small],
        ]
    if design.variant == "square":
        rim = prism(rounded_rectangle(r * 2.2, r * 2.2, r * 0.3), 4, 0.5).turn("x", 90).move(y=4.2)
        return [Part(rim, design.finish), *[Part(p.mesh, p.finish) for p in dial]]
    if design.variant == "sunburst":
        rays = [
            rod(
                [np.sin(a) * r, 1.2, np.cos(a) * r],
                [np.sin(a) * r * (1.75 if k % 2 else 1.5), 1.2, np.cos(a) * r * (1.75 if k % 2 else 1.5)],
                0.75,
                0.35,
            )
            for k, a in enumerate(np.linspace(0, 2 * np.pi, 25)[:-1])
        ]
        return [Part(merge(rays), design.finish), Part(_ring(r, 1.0), design.finish), *dial]
    return [
        Part(_ring(r, 1.5), design.finish),
        Part(cylinder(r, 3, 0.3).turn("x", 90).move(y=3.2), design.finish),
        *dial,
    ]


def _ring(r: float, thick: float) -> Mesh:
    return tube([[np.cos(a) * r, 0.2, np.sin(a) * r] for a in np.linspace(0, 2 * np.pi, 90)[:-1]], thick, 16, True)


GLASS = Finish("mirror", "clear")


def _framed(outline: np.ndarray, rail: float, finish: Finish) -> list[Part]:
    """A mirror in the x-z plane: its pane and a frame that follows the outline."""
    pane = prism(outline, 0.8, 0.1).turn("x", 90).move(y=0.2)
    path = np.stack([outline[:, 0], np.zeros(len(outline)), outline[:, 1]], -1)
    return [Part(pane, GLASS), Part(tube(path, rail, 16, True), finish)]


def mirror(design: Design) -> list[Part]:
    rng = design.rng()
    r, rail = rng.uniform(28, 38), rng.uniform(1.2, 2.6)
    if design.variant == "round":
        return _framed(superellipse(2 * r, 2 * r), rail, design.finish)
    if design.variant == "oval":
        return _framed(superellipse(1.4 * r, 2.1 * r), rail, design.finish)
    if design.variant == "arched":
        w, h = r * 1.25, r * 2.2
        arc = [[np.cos(t) * w / 2, h - w / 2 + np.sin(t) * w / 2] for t in np.radians(np.linspace(0, 180, 50))]
        left = [[-w / 2, z] for z in np.linspace(h - w / 2, 0, 14)[1:]]
        base = [[x, 0.0] for x in np.linspace(-w / 2, w / 2, 12)[1:]]
        right = [[w / 2, z] for z in np.linspace(0, h - w / 2, 14)[1:-1]]
        return _framed(np.array(arc + left + base + right), rail, design.finish)
    if design.variant == "sunburst":
        rays = [
            rod(
                [np.sin(a) * r * 0.55, 0.8, np.cos(a) * r * 0.55],
                [np.sin(a) * r * (1.15 if k % 2 else 0.95), 0.8, np.cos(a) * r * (1.15 if k % 2 else 0.95)],
                0.9,
                0.3,
            )
            for k, a in enumerate(np.linspace(0, 2 * np.pi, 37)[:-1])
        ]
        return [Part(merge(rays), design.finish), *_framed(superellipse(1.1 * r, 1.1 * r), 1.6, design.finish)]
    w, h = r * 1.3, r * 2.0
    side = rail * 2.2
    return [Part(box(w - side, 0.8, h - side, 0.1).move(z=side / 2), GLASS), *_bars(w, h, side, 3.0, design.finish)]


def _bars(w: float, h: float, side: float, deep: float, finish: Finish) -> list[Part]:
    """Four frame rails standing on z = 0."""
    bars = [box(w, deep, side, 0.35).move(z=z) for z in (0, h - side)] + [
        box(side, deep, h - 2 * side + 0.4, 0.35).move(x=s * (w - side) / 2, z=side - 0.2) for s in (-1, 1)
    ]
    return [Part(m, finish) for m in bars]


def picture_frame(design: Design) -> list[Part]:
    """A frame with a mat and a small abstract print (a landscape, a sun, or shapes) built of flat pieces."""
    rng = design.rng()
    w, h = (
        (rng.uniform(20, 32), rng.uniform(28, 42))
        if design.variant != "landscape"
        else (rng.uniform(34, 46), rng.uniform(24, 32))
    )
    if design.variant == "square":
        h = w
    side = rng.uniform(1.4, 3.2)
    parts = _bars(w, h, side, 2.2, design.finish)
    parts.append(Part(box(w - side, 0.4, h - side, 0.1).move(z=side / 2), Finish("cardboard", "ivory")))
    mat = min(w, h) * 0.16
    iw, ih = w - 2 * side - 2 * mat, h - 2 * side - 2 * mat
    centre = h / 2
    tones = [
        str(t)
        for t in rng.permutation(
            [
                "terracotta",
                "teal",
                "mustard yellow",
                "navy blue",
                "sage green",
                "blush pink",
                "brick red",
                "sky blue",
                "sand",
            ]
        )
    ]

    def piece(mesh: Mesh, tone: str, lift: float) -> None:
        parts.append(Part(mesh.turn("x", 90).move(y=-0.22 - lift, z=centre), Finish("cardboard", tone)))

    piece(prism(rounded_rectangle(iw, ih, 0.1), 0.05, 0.0), tones[0], 0.0)
    if rng.random() < 0.5:  # hills under a sun
        sun = superellipse(ih * 0.34, ih * 0.34) + np.array([rng.uniform(-0.2, 0.2) * iw, ih * 0.2])
        piece(prism(sun, 0.05, 0.0), tones[1], 0.06)
        for k in range(2):
            x = np.linspace(-iw / 2, iw / 2, 40)
            crest = -ih * (0.05 + 0.2 * k) + np.sin(x / iw * 5 + rng.uniform(0, 6)) * ih * 0.07
            parts.append(
                Part(_sheet(x, crest, -ih / 2).move(y=-0.4 - 0.07 * k, z=centre), Finish("cardboard", tones[2 + k]))
            )
    else:  # circles and a bar
        for k in range(3):
            d = min(iw, ih) * rng.uniform(0.25, 0.5)
            spot = superellipse(d, d) + rng.uniform(-0.5, 0.5, 2) * [iw - d, ih - d]
            piece(prism(spot, 0.05, 0.0), tones[1 + k], 0.06 * (k + 1))
    return [Part(p.mesh.turn("x", -8), p.finish) for p in parts]


def _sheet(x: np.ndarray, top: np.ndarray, bottom: float) -> Mesh:
    """A flat piece in the x-z plane between a line and a level, looking towards -y."""
    low = np.stack([x, 0 * x, np.full(len(x), bottom)], -1)
    return grid_mesh(np.stack([low, np.stack([x, 0 * x, top], -1)]))


def planter(design: Design) -> list[Part]:
    rng = design.rng()
    r = rng.uniform(7, 11)
    outlines = {
        "tapered": [[r * 0.7, 0], [r * 0.8, r * 0.5], [r, r * 1.6]],
        "round": [[r * 0.6, 0], [r, r * 0.5], [r * 1.02, r * 1.0], [r * 0.86, r * 1.5]],
        "cylinder": [[r * 0.92, 0], [r * 0.95, 0.6], [r * 0.95, r * 1.6]],
        "on legs": [[r * 0.9, r * 1.0], [r * 0.95, r * 1.1], [r * 0.97, r * 2.3]],
    }
    profile = smooth(outlines[design.variant], 40)
    top = float(profile[-1, 1])
    parts = [Part(vessel(profile, 0.5, 0.8), design.finish), Part(filling(profile, 0.5, top - r * 0.14), SOIL)]
    if design.variant == "on legs":
        oak = Finish("oak", seed=design.seed)
        parts += [Part(m, oak) for m in four_legs(r * 1.36, r * 1.36, r * 1.7, 0.75, 1.4)]
    style = str(rng.choice(["grassy", "leafy", "cactus", "rosette"]))
    green = str(rng.choice(["#3f7a35", "#2f6b3c", "#5c8a3a", "#4a7f52"]))
    grown = plant(rng, style, r * 0.9, r * {"grassy": 2.6, "leafy": 2.9, "cactus": 2.0, "rosette": 2.4}[style])
    tone = "#3c6b40" if style == "cactus" else green
    return [*parts, Part(merge(grown).move(z=top - r * 0.16), Finish("leaf", tone))]


KINDS = (
    Kind(
        "clock",
        "Decor",
        clock,
        ("round", "square", "sunburst", "alarm", "mantel"),
        {**FRAMES, "plastic": PLAIN, "copper": PLAIN, "marble": PLAIN},
        (19, 140),
        View((0, 8), (-20, 20), "hang"),
        1.4,
    ),
    Kind(
        "mirror",
        "Decor",
        mirror,
        ("round", "oval", "arched", "sunburst", "rectangular"),
        {**FRAMES, "rattan": PLAIN},
        (39, 340),
        View((0, 6), (-24, 24), "hang"),
        1.2,
    ),
    Kind(
        "picture frame",
        "Decor",
        picture_frame,
        ("portrait", "landscape", "square"),
        FRAMES,
        (9, 65),
        View((4, 10), (-18, 18), "lean"),
        1.2,
    ),
    Kind(
        "planter",
        "Garden",
        planter,
        ("tapered", "round", "cylinder", "on legs"),
        {
            "ceramic": "plain plain stripes dots two-tone",
            "terracotta": PLAIN,
            "concrete": PLAIN,
            "stoneware": PLAIN,
            "terrazzo": PLAIN,
            "brass": PLAIN,
        },
        (12, 110),
        View((8, 18)),
        1.5,
    ),
)
