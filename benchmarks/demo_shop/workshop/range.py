"""The shop's range: the designs of all its products, drawn once from a seed, and how each is photographed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .colours import DYED, base_of
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
    return _set_out([designs[k] for k in rng.permutation(len(designs))])


# What people ask a demo for, and chance made too little of: kind, material and base colours to start from, the change.
SHOWPIECES: tuple[tuple[str, str, tuple[str, ...], dict[str, str]], ...] = (
    ("vase", "glass", ("turquoise",), {"colour": "blue"}),
    ("vase", "glass", ("turquoise",), {"colour": "sky blue"}),
    ("vase", "glass", ("turquoise",), {"colour": "cobalt blue"}),
    ("vase", "glass", ("purple",), {"colour": "blue"}),
    ("wine glass", "glass", ("purple", "pink"), {"colour": "green"}),
    ("wine glass", "glass", ("orange", "yellow"), {"colour": "green"}),
    ("teapot", "ceramic", DYED, {"pattern": "dots", "second": "white", "colour": "red"}),
    ("teapot", "ceramic", DYED, {"pattern": "dots", "second": "white", "colour": "navy blue"}),
    ("teapot", "stoneware", DYED, {"material": "black iron", "colour": "black"}),
    ("teapot", "stoneware", DYED, {"material": "black iron", "colour": "black"}),
    ("mug", "ceramic", DYED, {"pattern": "dots", "second": "white", "colour": "turquoise"}),
    ("mug", "ceramic", DYED, {"pattern": "dots", "second": "navy blue", "colour": "ivory"}),
    ("mug", "porcelain", DYED, {"pattern": "plain", "colour": "white"}),
    ("cup and saucer", "porcelain", DYED, {"pattern": "plain", "colour": "white"}),
    ("cup and saucer", "porcelain", DYED, {"pattern": "plain", "colour": "white"}),
    ("watering can", "steel", ("silver",), {"material": "copper", "colour": "copper"}),
    ("watering can", "steel", ("silver",), {"material": "copper", "colour": "copper"}),
    ("tray", "marble", ("pink", "green"), {"colour": "black", "second": "light grey"}),
    ("tray", "marble", ("pink", "green"), {"colour": "black", "second": "light grey"}),
)


def _set_out(designs: list[Design]) -> list[Design]:
    """The designs with the showpieces among them, each in the place of a plain one of its kind."""
    changed: dict[int, Design] = {}
    for kind, material, bases, change in SHOWPIECES:
        for k, design in enumerate(designs):
            finish = design.finish
            fits = design.kind == kind and finish.material == material and base_of(finish.colour) in bases
            if fits and k not in changed and finish.pattern == "plain":
                changed[k] = replace(design, finish=replace(finish, **change))
                break
    return [changed.get(k, design) for k, design in enumerate(designs)]


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
