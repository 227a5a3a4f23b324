"""The shop's range: the designs of all its products, drawn once from a seed, and how each is photographed."""

from __future__ import annotations

import numpy as np

from .design import Design, Kind, draw_finish
from .kinds import KINDS
from .studio_settings import BACKDROPS, Shot

COUNT = 2000
SEED = 20260


def draw_range(count: int, seed: int = SEED) -> list[Design]:
    """`count` designs in a mixed order, shared out among the kinds; no two of a kind look the same by attributes
    unless its choices are used up."""
    rng = np.random.default_rng(seed)
    shares = np.array([kind.share for kind in KINDS.values()])
    exact = shares / shares.sum() * count
    numbers = np.floor(exact).astype(int)
    for k in np.argsort(numbers - exact)[: count - numbers.sum()]:
        numbers[k] += 1
    designs = [
        d for kind, number in zip(KINDS.values(), numbers, strict=True) for d in _draw_kind(kind, int(number), rng)
    ]
    return [designs[k] for k in rng.permutation(len(designs))]


def _draw_kind(kind: Kind, number: int, rng: np.random.Generator) -> list[Design]:
    """Designs of one kind: variants in turn, finishes unlike those already drawn (40 tries each)."""
    seen: set[tuple[str, ...]] = set()
    designs = []
    for k in range(number):
        variant = kind.variants[k % len(kind.variants)]
        for _ in range(40):
            finish = draw_finish(kind, rng)
            key = (variant, finish.material, finish.colour, finish.pattern)
            if key not in seen:
                break
        seen.add(key)
        designs.append(Design(kind.name, variant, finish, int(rng.integers(1 << 30))))
    return designs


def plan_shot(design: Design) -> Shot:
    """The camera, backdrop and light for a design, by its kind's view and its own seed."""
    view = KINDS[design.kind].view
    rng = np.random.default_rng(design.seed + 7)
    side = -1.0 if rng.random() < 0.5 and view.azimuth[0] >= 10 else 1.0
    names = [*BACKDROPS, "paper white", "dove grey"]
    if design.finish.colour in ("clear", "white", "ivory"):  # pale things need a ground to stand out from
        names = ["dove grey", "mist blue", "warm sand", "pale sage"]
    mirror = design.kind == "mirror"
    return Shot(
        azimuth=side * float(rng.uniform(*view.azimuth)),
        elevation=float(rng.uniform(*view.elevation)),
        wall={"sweep": None, "air": None, "lean": 0.2, "hang": 0.5}[view.wall],
        floor=view.wall in ("sweep", "lean"),
        backdrop=str(rng.choice(names)),
        light_turn=0.0 if mirror else float(rng.uniform(-18, 18)),
        exposure=1.3 if view.wall in ("air", "hang") else 1.0,
        window=mirror,
        fill=float(rng.uniform(0.74, 0.84)),
    )
