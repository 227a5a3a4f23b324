"""Kettles, pots and pans."""

from __future__ import annotations

import numpy as np

from ..design import PLAIN, Design, Kind, View
from ..finish import BLACK_IRON, STEEL, Finish, Part
from ..forms import handle, smooth, spout, vessel
from ..mesh import merge
from ..shapes import cylinder, lathe, rod, sphere, spline, tube

BLACK_GRIP = Finish("plastic", "black")
POTS = {"steel": PLAIN, "copper": PLAIN, "black iron": PLAIN, "enamel": "plain two-tone"}


def _grip(design: Design) -> Finish:
    """Handles: brass on copper, wood or black elsewhere."""
    if design.finish.material == "copper":
        return Finish("brass", "gold")
    return [BLACK_GRIP, Finish("oak", seed=design.seed), STEEL][design.seed % 3]


def kettle(design: Design) -> list[Part]:
    rng = design.rng()
    r = rng.uniform(9, 10.5)
    outlines = {
        "stovetop": [[r * 0.9, 0], [r, r * 0.15], [r * 0.95, r * 0.6], [r * 0.65, r * 1.15], [r * 0.4, r * 1.3]],
        "gooseneck": [[r * 0.95, 0], [r, r * 0.12], [r * 0.78, r * 0.8], [r * 0.62, r * 1.3], [r * 0.58, r * 1.35]],
        "round": [[r * 0.6, 0], [r * 0.98, r * 0.4], [r, r * 0.75], [r * 0.75, r * 1.25], [r * 0.42, r * 1.42]],
    }
    profile = smooth(outlines[design.variant], 50)
    top, mouth = float(profile[-1, 1]), float(profile[-1, 0])
    lid = lathe(
        smooth([[mouth * 1.04, top - 0.2], [mouth * 0.9, top + 0.8], [mouth * 0.3, top + 1.5], [0, top + 1.6]], 24), 60
    )
    grip = _grip(design)
    parts = [
        Part(vessel(profile, 0.3), design.finish),
        Part(lid, Finish(design.finish.material, design.finish.colour)),
        Part(sphere(1.1).move(z=top + 1.5), grip),
    ]
    body = Finish(design.finish.material, design.finish.colour)
    if design.variant == "gooseneck":
        neck = spline(
            [[-r * 0.85, 0, r * 0.3], [-r * 1.5, 0, r * 0.45], [-r * 1.45, 0, r * 1.0], [-r * 1.75, 0, r * 1.4]], 40
        )
        parts += [
            Part(tube(neck, np.linspace(1.0, 0.55, 40)), body),
            Part(handle([r * 0.6, r * 0.85], [r * 1.2, r * 0.4], r * 0.75, r * 0.1), grip),
        ]
    else:
        parts.append(
            Part(spout([-r * 0.8, 0, r * 0.55], [-r * 1.55, 0, top * 0.98], r * 0.24, r * 0.12, r * 0.05), body)
        )
        arch = [
            [np.cos(t) * r * 0.82, 0, top * 0.62 + np.sin(t) * r * 1.2] for t in np.radians(np.linspace(0, 180, 40))
        ]
        parts.append(Part(tube(arch, 0.42), body if grip is BLACK_GRIP else grip))
        parts.append(Part(tube(arch[13:27], 0.95), grip))
    return parts


def saucepan(design: Design) -> list[Part]:
    rng = design.rng()
    r = rng.uniform(8, 12)
    h = r * {"saucepan": 1.0, "stockpot": 1.6, "casserole": 0.85}[design.variant]
    parts = [Part(vessel(smooth([[r * 0.93, 0], [r * 0.99, 0.6], [r, h * 0.5], [r, h]], 40), 0.3), design.finish)]
    body, grip = Finish(design.finish.material, design.finish.colour), _grip(design)
    lid = lathe(
        smooth([[r * 1.03, h - 0.1], [r * 1.03, h + 0.5], [r * 0.85, h + 1.2], [r * 0.3, h + 2.2], [0, h + 2.4]], 40),
        84,
    )
    parts += [
        Part(lid, body),
        Part(merge([cylinder(0.6, 1.4, 0.1).move(z=h + 2.2), sphere(1.3, 0.7).move(z=h + 3.2)]), grip),
    ]
    if design.variant == "saucepan":
        bar = rod([r * 0.95, 0, h * 0.8], [r * 2.55, 0, h * 1.02], 0.85, 1.05)
        parts.append(Part(bar.turn("z", float(rng.uniform(-50, -10))), grip))
    else:
        for side in (0, 180):
            ear = [
                [r * 0.97 + np.sin(t) * r * 0.3, np.cos(t) * r * 0.32, h * 0.78]
                for t in np.radians(np.linspace(0, 180, 30))
            ]
            parts.append(Part(tube(ear, 0.55).turn("z", side), body if design.finish.material != "steel" else STEEL))
    return parts


def frying_pan(design: Design) -> list[Part]:
    rng = design.rng()
    r = rng.uniform(12, 15)
    h = 4.5 if design.variant == "skillet" else 7.0
    pan = vessel(smooth([[r * 0.72, 0], [r * 0.8, 0.4], [r * 0.94, h * 0.6], [r, h]], 40), 0.35)
    grip = design.finish if design.variant == "skillet" and design.finish.material == "black iron" else _grip(design)
    bar = tube(
        spline([[r * 0.95, 0, h * 0.8], [r * 1.3, 0, h * 1.05], [r * 2.3, 0, h * 1.35]], 24), np.linspace(0.7, 1.15, 24)
    ).stretch(y=1.3)
    turn = float(rng.uniform(-55, -15))
    parts = [Part(pan, design.finish), Part(bar.turn("z", turn), grip)]
    if design.variant == "skillet":
        inside = lathe([[r * 0.74, 0.42], [0, 0.44]], 72)
        parts.append(Part(inside, BLACK_IRON))
    else:
        ear = [
            [-r * 0.97 - np.sin(t) * r * 0.2, np.cos(t) * r * 0.25, h * 0.85]
            for t in np.radians(np.linspace(0, 180, 24))
        ]
        parts.append(Part(tube(ear, 0.5).turn("z", turn), grip))
    return parts


SIDE = View((12, 22), (-25, 25))
KINDS = (
    Kind("kettle", "Kitchen", kettle, ("stovetop", "gooseneck", "round"), {**POTS}, (25, 120), SIDE),
    Kind("pot", "Kitchen", saucepan, ("saucepan", "stockpot", "casserole"), {**POTS}, (24, 190), View((16, 26))),
    Kind(
        "frying pan",
        "Kitchen",
        frying_pan,
        ("skillet", "sauté"),
        {"black iron": PLAIN, "copper": PLAIN, "steel": PLAIN, "enamel": PLAIN},
        (22, 140),
        View((28, 40), (-10, 30)),
    ),
)
