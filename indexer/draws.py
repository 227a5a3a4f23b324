"""Random draws that follow from the names of what is drawn: the order of rows, threads and runs do not change them.

The hash of a name is its random number. One item more or less changes one draw or two, not all of them, as it would if
they came one after another from a seeded generator.
"""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np


def draw_key(name: str) -> int:
    """A uniform number of 63 bits, the same for the same name."""
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 1


def draw_keys(names: Iterable[str]) -> np.ndarray:
    """(n,) int64: the number of each name."""
    return np.array([draw_key(name) for name in names], np.int64)


def in_random_order(rows: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """These (m,) rows in the order of their numbers among `keys` (n,)."""
    return np.asarray(rows[np.argsort(keys[rows], kind="stable")])


def random_partners(rows: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """(m,) for each of these (m,) rows another of them, each once: the next one in random order."""
    order = np.argsort(keys[rows], kind="stable")
    partners = np.empty_like(rows)
    partners[order] = rows[np.roll(order, -1)]
    return partners
