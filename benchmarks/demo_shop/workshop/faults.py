"""The faults that real shops have, planted on purpose: who lacks what, drawn once from a seed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from .colours import SHADES, base_of
from .design import Design

SHARES = {"no_description": 0.08, "wrong_colour": 0.04, "wrong_picture": 0.03, "no_picture": 0.05}


@dataclass(frozen=True)
class Faults:
    """Item ids by fault; an item has at most one.

    wrong_colour maps to the shade that its title names instead; wrong_picture to the item whose picture it carries.
    """

    no_description: list[str]
    wrong_colour: dict[str, str]
    wrong_picture: dict[str, str]
    no_picture: list[str]

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def item_id(number: int) -> str:
    """The id of the n-th design, counted from 0: mg-0001 and on."""
    return f"mg-{number + 1:04d}"


def plant_faults(designs: list[Design], seed: int) -> Faults:
    """The shop's faults for its designs, in the shares of SHARES, never two on one item."""
    rng = np.random.default_rng(seed + 1)
    count = len(designs)
    order = [int(k) for k in rng.permutation(count)]
    dyed = [k for k in order if base_of(designs[k].finish.colour) in SHADES]

    def take(pool: list[int], share: float) -> list[int]:
        chosen = pool[: round(share * count)]
        taken = set(chosen)
        order[:] = [k for k in order if k not in taken]
        return sorted(chosen)

    recoloured = take(dyed, SHARES["wrong_colour"])
    swapped, bare, silent = (take(order, SHARES[name]) for name in ("wrong_picture", "no_picture", "no_description"))
    strangers = {}
    for k in swapped:  # the picture of a healthy item of another kind
        others = [o for o in order if designs[o].kind != designs[k].kind]
        strangers[item_id(k)] = item_id(others[int(rng.integers(len(others)))])
    return Faults(
        [item_id(k) for k in silent],
        {item_id(k): _other_shade(designs[k], rng) for k in recoloured},
        strangers,
        [item_id(k) for k in bare],
    )


def _other_shade(design: Design, rng: np.random.Generator) -> str:
    """A shade of a base colour that the product shows nowhere."""
    shown = {base_of(design.finish.colour), base_of(design.finish.second)}
    bases = [b for b in SHADES if b not in shown and b not in ("white", "beige")]
    return str(rng.choice(list(SHADES[str(rng.choice(bases))])))


LIST_START, LIST_END = "<!-- faults: written by make.py -->", "<!-- end of faults -->"


def list_faults(faults: Faults, readme: Path) -> None:
    """Rewrites the readme's list of faulty items, between its two marks; ValueError where they are missing."""
    text = readme.read_text("utf-8")
    before, rest = text.split(LIST_START)
    after = rest.split(LIST_END)[1]
    plain = {"No description": faults.no_description, "No picture": faults.no_picture}
    blocks = [f"**{title}** ({len(ids)}): {', '.join(_number(i) for i in ids)}" for title, ids in plain.items()]
    shades = [f"{_number(i)} {shade}" for i, shade in faults.wrong_colour.items()]
    blocks.append(f"**Wrong colour in the title** ({len(shades)}; the colour it claims): {', '.join(shades)}")
    others = [f"{_number(i)} ({_number(other)})" for i, other in faults.wrong_picture.items()]
    blocks.append(f"**Another item's picture** ({len(others)}; whose it is): {', '.join(others)}")
    body = "\n\n".join(blocks)
    readme.write_text(f"{before}{LIST_START}\n\n{body}\n\n{LIST_END}{after}", encoding="utf-8")


def _number(name: str) -> str:
    return name.removeprefix("mg-")
