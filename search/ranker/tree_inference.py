"""Evaluates grown trees for many candidates at once, from arrays and without LightGBM."""

from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_LEAVES = 16  # of a tree: one bit each


@dataclass(frozen=True)
class Forest:
    """Trees by their inner nodes, all (steps, trees): the k-th node of every tree in one row.

    At a node `feature` above `threshold` goes right, and then cannot reach the leaves `left`, one bit each, the
    leftmost lowest; what is not known goes right where `lost_right` says so. `leaves` (trees, MOST_LEAVES) are their
    values. `is_log` where the sums are logarithms of rates. (QuickScorer: Lucchese et al. 2015.)
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    lost_right: np.ndarray
    leaves: np.ndarray
    is_log: np.ndarray

    def predict(self, values: np.ndarray) -> np.ndarray:
        """(n,) what the trees expect of candidates with these features (n, features) float32."""
        columns = np.ascontiguousarray(values.T, np.float32)
        unknown = np.isnan(columns)
        some_unknown = bool(unknown.any())
        missed = np.zeros((len(self.leaves), len(values)), np.uint16)
        for feature, threshold, left, lost_right in zip(
            self.feature, self.threshold, self.left, self.lost_right, strict=True
        ):
            right = columns[feature] > threshold[:, None]
            if some_unknown:
                right |= unknown[feature] & lost_right[:, None]
            missed |= right * left[:, None]
        reached = ~missed
        leaf = np.bitwise_count((reached & (~reached + np.uint16(1))) - np.uint16(1)).astype(np.intp)
        leaf += MOST_LEAVES * np.arange(len(self.leaves))[:, None]
        total = self.leaves.ravel()[leaf].sum(axis=0)
        return np.asarray(np.exp(total) if self.is_log else total)


def forest_of(model: dict[str, Any]) -> Forest:
    """The forest of a LightGBM model (`Booster.dump_model()`). Raises ValueError for one it cannot hold."""
    trees = [_tree(one["tree_structure"]) for one in model["tree_info"]]
    steps = max((len(nodes) for nodes, _ in trees), default=0)
    nothing = (0, np.inf, 0, False)  # a node that everybody passes
    rows = [nodes + [nothing] * (steps - len(nodes)) for nodes, _ in trees]
    feature, threshold, left, lost_right = (
        np.array([[row[step][part] for row in rows] for step in range(steps)], kind).reshape(steps, len(trees))
        for part, kind in enumerate((np.intp, np.float64, np.uint16, bool))
    )
    with np.errstate(over="ignore"):  # "all that is known" is the largest double
        nearest = threshold.astype(np.float32)  # as values are: the next one down decides alike
    threshold = np.where(nearest > threshold, np.nextafter(nearest, np.float32(-np.inf)), nearest)
    leaves = np.zeros((len(trees), MOST_LEAVES))
    for place, (_, values) in enumerate(trees):
        leaves[place, : len(values)] = values
    return Forest(feature, threshold, left, lost_right, leaves, np.array(model["objective"].startswith("poisson")))


def _tree(root: dict[str, Any]) -> tuple[list[tuple[int, float, int, bool]], list[float]]:
    """The nodes of a tree as rows of a Forest, and its leaves from left to right."""
    nodes: list[tuple[int, float, int, bool]] = []
    leaves: list[float] = []

    def walk(node: dict[str, Any]) -> None:
        if "leaf_value" in node:
            leaves.append(node["leaf_value"])
            return
        if node["decision_type"] != "<=" or node["missing_type"] not in ("None", "NaN"):
            raise ValueError(f"nodes that decide by {node['decision_type']}, missing {node['missing_type']}")
        first = len(leaves)
        walk(node["left_child"])
        bits = (1 << len(leaves)) - (1 << first)
        walk(node["right_child"])
        # without unknown values in training LightGBM takes them for 0
        lost_right = not node["default_left"] if node["missing_type"] == "NaN" else node["threshold"] < 0
        nodes.append((node["split_feature"], node["threshold"], bits, lost_right))

    walk(root)
    if len(leaves) > MOST_LEAVES:
        raise ValueError(f"a tree of {len(leaves)} leaves")
    return nodes, leaves
