"""Forms that several products share: hollow vessels, handles, spouts, legs, leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .mesh import Array, Mesh, grid_mesh, rotation
from .shapes import box, lathe, rod, spline, tube

Points = Sequence[Sequence[float]]
Ripple = Callable[[Array, Array], Array]


def smooth(points: Points, count: int = 48) -> Array:
    """(count, 2) profile through the given (radius, height) points."""
    return spline(points, count)


def vessel(outside: Points | Array, wall: float, floor: float | None = None, ripple: Ripple | None = None) -> Mesh:
    """A hollow turned vessel: the outside profile from its foot up to its lip, and the same, inset, back down."""
    outer = np.asarray(outside, float)
    tangent = np.gradient(outer, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-9
    inner = outer - np.stack([tangent[:, 1], -tangent[:, 0]], -1) * wall
    base = outer[0, 1] + (floor if floor is not None else wall)
    inner = inner[(inner[:, 0] > 0.02) & (inner[:, 1] > base)]
    lip = (outer[-1] + inner[-1]) / 2
    rise = tangent[-1] * wall * 0.5
    profile = [[[0, outer[0, 1]]], outer, [lip + rise], inner[::-1], [[max(inner[0, 0] * 0.9, 0), base]], [[0, base]]]
    return lathe(np.concatenate(profile), 84, ripple)


def filling(outside: Points | Array, wall: float, level: float) -> Mesh:
    """A disc at height `level` inside a vessel (coffee, soil, wax)."""
    outer = np.asarray(outside, float)
    radius = float(np.interp(level, outer[:, 1], outer[:, 0])) - wall * 0.9
    return lathe([[radius, level], [0, level + 0.01]], 60)


def handle(
    outer_radius: Sequence[float], heights: Sequence[float], reach: float, thick: float, flat: float = 0.75
) -> Mesh:
    """An ear on the +x side: from (radius, height) above to the one below, standing out by `reach`."""
    (r1, r2), (h1, h2) = outer_radius, heights
    mid = (h1 + h2) / 2
    path = spline(
        [
            [r1 - thick, 0, h1],
            [r1 + reach * 0.55, 0, h1 + (h1 - h2) * 0.06],
            [max(r1, r2) + reach, 0, mid + (h1 - h2) * 0.12],
            [max(r1, r2) + reach * 0.75, 0, mid - (h1 - h2) * 0.25],
            [r2 - thick, 0, h2],
        ],
        40,
    )
    return tube(path, np.linspace(thick, thick * 0.85, 40), 14).stretch(y=1 / flat)


def spout(start: Sequence[float], end: Sequence[float], wide: float, narrow: float, sag: float = 0.0) -> Mesh:
    """A pouring spout as a bent tapering pipe."""
    a, b = np.asarray(start, float), np.asarray(end, float)
    middle = (a + b) / 2 + np.array([0, 0, -sag])
    path = spline([a, middle, b], 24)
    return tube(path, wide + (narrow - wide) * np.linspace(0, 1, 24) ** 0.8, 18)


def four_legs(
    width: float, depth: float, height: float, radius: float, splay: float = 0.0, taper: float = 0.7
) -> list[Mesh]:
    """Four round legs under a (width, depth) rectangle, splayed outwards by `splay` centimetres at the floor."""
    legs = []
    for sx in (-1, 1):
        for sy in (-1, 1):
            top = [sx * width / 2, sy * depth / 2, height]
            foot = [sx * (width / 2 + splay), sy * (depth / 2 + splay), radius * taper]
            legs.append(rod(foot, top, radius * taper, radius))
    return legs


def square_legs(width: float, depth: float, height: float, side: float) -> list[Mesh]:
    """Four square legs under a (width, depth) rectangle."""
    spots = [(sx, sy) for sx in (-1, 1) for sy in (-1, 1)]
    return [box(side, side, height, side * 0.1).move(x * (width - side) / 2, y * (depth - side) / 2) for x, y in spots]


def leaf(length: float, width: float, lift: float, droop: float, heading: float) -> Mesh:
    """A leaf from the origin: rises at `lift` degrees, bends down by `droop` degrees along its length."""
    t = np.linspace(0, 1, 14)
    angle = np.radians(lift - droop * t)
    step = length / 13
    along = np.concatenate([[0], np.cumsum(np.cos(angle[:-1]) * step)])
    rise = np.concatenate([[0], np.cumsum(np.sin(angle[:-1]) * step)])
    half = width / 2 * np.sin(np.pi * np.clip(t, 0.03, 1) ** 0.75) ** 0.9
    side = np.linspace(-1, 1, 5)
    fold = np.abs(side)[None] * half[:, None] * 0.25
    points = np.stack([np.repeat(along[:, None], 5, 1), side[None] * half[:, None], rise[:, None] + fold], -1)
    return grid_mesh(points @ rotation("z", heading).T)


def plant(rng: np.random.Generator, style: str, radius: float, size: float) -> list[Mesh]:
    """Leaves (and stems) growing at the origin: "grassy", "leafy", "cactus" or "rosette"."""
    meshes: list[Mesh] = []
    if style == "cactus":
        for x, h in ((0.0, size), (radius * 0.55, size * 0.6), (-radius * 0.5, size * 0.45)):
            r = radius * (0.42 if x == 0 else 0.26)
            body = smooth([[0.05, 0], [r, h * 0.12], [r, h * 0.75], [r * 0.6, h * 0.95], [0.02, h]], 40)
            meshes.append(lathe(body, 96, lambda th, t: 1 + 0.09 * np.cos(12 * th)).move(x=x))
        return meshes
    count = {"grassy": 26, "leafy": 20, "rosette": 26}[style]
    for k in range(count):
        heading = k * 137.5 + rng.normal(0, 8)
        ring = k / count
        if style == "grassy":
            blade = leaf(size * rng.uniform(0.8, 1.15), size * 0.07, 84 - 34 * ring, rng.uniform(20, 75), heading)
            meshes.append(blade.move(rng.normal(0, radius * 0.2), rng.normal(0, radius * 0.2)))
        elif style == "rosette":
            meshes.append(leaf(size * (0.35 + 0.35 * ring), size * 0.2, 78 - 60 * ring, 10, heading))
        else:
            lift, stem = 82 - 45 * ring, size * rng.uniform(0.35, 0.75)
            c, s = np.cos(np.radians(lift)), np.sin(np.radians(lift))
            tip = np.array([np.cos(np.radians(heading)) * c, np.sin(np.radians(heading)) * c, s]) * stem
            meshes.append(rod([0, 0, 0], tip, size * 0.012))
            meshes.append(leaf(size * 0.42, size * 0.2, lift - 25, 55, heading).move(*tip))
    return meshes
