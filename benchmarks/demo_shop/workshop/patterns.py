"""Pictures that are laid on surfaces: wood grain, stone, weave, and the shop's printed patterns."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .colours import linear

Array = np.ndarray
TILE_CM = 60.0  # natural materials repeat, mirrored, after this much surface


def noise(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[int, int]) -> Array:
    """(h, w) smooth noise in [-1, 1] that repeats seamlessly, with about `cells` bumps along each axis."""
    fy = np.fft.fftfreq(shape[0])[:, None] * shape[0] / max(cells[0], 1e-6)
    fx = np.fft.fftfreq(shape[1])[None] * shape[1] / max(cells[1], 1e-6)
    spectrum = np.fft.fft2(rng.standard_normal(shape)) * np.exp(-(fx**2 + fy**2))
    field = np.fft.ifft2(spectrum).real
    return field / (np.abs(field).max() + 1e-9)


def mix(a: Array, b: Array, t: Array) -> Array:
    """(h, w, 3) colours between a and b, t (h, w) in [0, 1]."""
    t = np.clip(t, 0, 1)[..., None]
    return a * (1 - t) + b * t


WOODS = {  # light, dark, ring contrast
    "oak": ("#c99a62", "#9a6a38", 0.8),
    "walnut": ("#6b442b", "#3c2416", 0.9),
    "ash": ("#e3cfae", "#c4a67c", 0.75),
    "bamboo": ("#dcb979", "#c29a58", 0.5),
}


@lru_cache(maxsize=64)
def wood(species: str, seed: int) -> Array:
    """(384, 768, 3) linear RGB, grain along the width (u)."""
    rng = np.random.default_rng(seed)
    light, dark, contrast = WOODS[species]
    h, w = 384, 768
    y = np.linspace(0, 1, h)[:, None]
    wander = noise(rng, (h, w), (3, 1.4)) * 0.55 + noise(rng, (h, w), (9, 2)) * 0.09
    rings = (y * 17 + wander * 4.2) % 1.0
    ring = rings**2.2 * contrast
    pores = np.clip(noise(rng, (h, w), (150, 9)) - 0.25, 0, 1) * 0.8
    tone = noise(rng, (h, w), (2, 1)) * 0.18
    if species == "bamboo":
        strips = (np.floor(y * 22) * 0.618) % 1.0
        ring, pores = strips * 0.6 + 0 * ring, pores * 0.6
    return mix(linear(light), linear(dark), 0.12 + 0.62 * ring + pores + tone)


@lru_cache(maxsize=32)
def stone(name: str, colour: str, second: str, seed: int) -> Array:
    """(512, 512, 3) linear RGB of marble, terrazzo, concrete, cork or speckled stoneware."""
    rng = np.random.default_rng(seed)
    base, other, shape = linear(colour), linear(second), (512, 512)
    if name == "marble":
        warp = noise(rng, shape, (3, 3)) + 0.45 * noise(rng, shape, (8, 8)) + 0.2 * noise(rng, shape, (22, 22))
        vein = np.exp(-np.abs(warp) * 17) + 0.5 * np.exp(-np.abs(noise(rng, shape, (6, 4))) * 30)
        return mix(base, other, vein * 0.8 + 0.1 * (noise(rng, shape, (4, 4)) + 1) / 2)
    if name == "terrazzo":
        return _chips(rng, base, other)
    if name == "concrete":
        cloud = noise(rng, shape, (4, 4)) * 0.14 + noise(rng, shape, (40, 40)) * 0.08
        holes = np.clip(noise(rng, shape, (60, 60)) - 0.62, 0, 1) * 2.2
        return base * (1 + cloud - holes)[..., None]
    grain = noise(rng, shape, (90, 90))
    if name == "cork":
        return mix(base, base * 0.45, np.clip(grain, 0, 1) * 1.1 + 0.2 * (noise(rng, shape, (30, 30)) > 0.3))
    speckle = np.clip((grain - 0.42) * 7, 0, 1) * 0.6
    return mix(base * (1 + 0.05 * noise(rng, shape, (5, 5)))[..., None], base * 0.3 + linear("#3a2c22") * 0.4, speckle)


def _chips(rng: np.random.Generator, base: Array, accent: Array) -> Array:
    """(512, 512, 3) terrazzo: angular chips of four tones in a smooth ground (a nearest-seed mosaic)."""
    count = 420
    seeds = rng.random((count, 2)) * 512
    y, x = np.mgrid[0:512:2, 0:512:2]
    best = np.full(y.shape, 1e9)
    second = best.copy()
    label = np.zeros(y.shape, int)
    for k, (sy, sx) in enumerate(seeds):
        dy = np.minimum(np.abs(y - sy), 512 - np.abs(y - sy))
        dx = np.minimum(np.abs(x - sx), 512 - np.abs(x - sx))
        d = np.hypot(dy, dx)
        nearer = d < best
        second = np.where(nearer, best, np.minimum(second, d))
        best, label = np.where(nearer, d, best), np.where(nearer, k, label)
    tones = np.stack([accent, linear("#3b3a3c"), linear("#d59a77"), linear("#f4f1ea"), accent * 0.6])
    chip = tones[rng.integers(0, len(tones), count)][label]
    inside = ((second - best) > 5.5) & (rng.random(count) < 0.62)[label]
    picture = np.where(inside[..., None], chip, base)
    return np.repeat(np.repeat(picture, 2, 0), 2, 1)


@lru_cache(maxsize=16)
def weave(kind: str) -> tuple[Array, float]:
    """A (256, 256) brightness in [0, 1] of a cloth and the centimetres it covers."""
    y, x = np.mgrid[0:256, 0:256] / 256.0
    rng = np.random.default_rng(5)
    if kind == "knit":
        column = (x * 16) % 1.0
        stitch = np.abs(np.sin((y * 16 + np.abs(column - 0.5) * 1.2) * np.pi)) * (1 - (2 * np.abs(column - 0.5)) ** 4)
        return 0.55 + 0.45 * stitch, 14.0
    if kind == "cane":
        over = np.sin(x * 24 * np.pi) * np.sin(y * 24 * np.pi)
        ridge = np.where(over > 0, np.abs(np.sin(y * 24 * np.pi)), np.abs(np.sin(x * 24 * np.pi)))
        return 0.35 + 0.65 * ridge**0.6, 16.0
    threads = 48
    over = (np.floor(x * threads) + np.floor(y * threads)) % 2
    thread = np.where(over > 0, np.abs(np.sin(x * threads * np.pi)), np.abs(np.sin(y * threads * np.pi)))
    slub = noise(rng, (256, 256), (48, 3)) * 0.10 + noise(rng, (256, 256), (3, 48)) * 0.10
    return np.clip(0.72 + 0.28 * thread + slub, 0, 1.15), 12.0


def print_pattern(pattern: str, colours: tuple[str, str], extent: tuple[float, float], wraps: bool, seed: int) -> Array:
    """(h, w, 3) linear RGB covering a whole surface of `extent` centimetres; stripes, dots, checks, …

    Widths of stripes and dots follow the surface's size, so that a cup's dots are not a sofa's.
    Where u wraps, whole periods fit around.
    """
    rng = np.random.default_rng(seed)
    a, b = linear(colours[0]), linear(colours[1])
    across, along = extent
    w, h = (
        (512, int(np.clip(512 * along / across, 128, 768)))
        if across >= along
        else (int(np.clip(512 * across / along, 128, 768)), 512)
    )
    u, v = np.meshgrid((np.arange(w) + 0.5) / w, (np.arange(h) + 0.5) / h)
    step = min(across, along) / rng.choice([5.0, 7.0, 9.0])
    columns, rows = max(round(across / step), 3), max(round(along / step), 3)
    if pattern == "gradient":
        return mix(b, a, np.clip((v - 0.12) / 0.3, 0, 1)) if wraps else mix(a, b, v)
    if pattern == "two-tone":
        return mix(a, b, (v < 0.26 if wraps else v > 0.5) * 1.0)
    if pattern == "dots":
        shift = np.floor(v * rows) % 2 * 0.5
        fx, fy = (u * columns + shift) % 1 - 0.5, (v * rows) % 1 - 0.5
        return mix(a, b, (np.hypot(fx * across / columns, fy * along / rows) < 0.29 * step) * 1.0)
    if pattern == "checks":
        one, two = (u * columns) % 1 < 0.5, (v * rows) % 1 < 0.5
        return mix(a, b, 0.5 * one + 0.5 * two if rng.random() < 0.6 else 1.0 * (one ^ two))
    lines = v * rows if wraps and rng.random() < 0.6 else u * columns
    return mix(a, b, ((lines % 1) < rng.choice([0.3, 0.5, 0.65])) * 1.0)
