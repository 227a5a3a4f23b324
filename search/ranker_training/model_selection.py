"""Rankers of the same earlier days with different trees → which of them the later days' clicks favour."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from magpie.search.ranker.click_evidence import Evidence
from magpie.search.ranker.first_stage_arrays import FirstStage
from magpie.search.ranker.ranker import Ranker
from magpie.search.ranker.trees import POISSON
from magpie.search.ranker_training.off_policy_gate import Estimate, estimate


@dataclass(frozen=True)
class Showing:
    """What a ranker gains on the later days over no re-ranking: for known queries, and for the same ones as if nobody
    had asked them before."""

    known: Estimate
    new: Estimate

    def surpasses(self, other: "Showing") -> bool:
        """Whether both gains are larger."""
        return self.known.lift > other.known.lift and self.new.lift > other.new.lift

    def as_dict(self) -> dict[str, Any]:
        return {"known": self.known.as_dict(), "new": self.new.as_dict()}


@dataclass(frozen=True)
class Contest:
    """Every kind of trees with its showing, and the one that serves: Poisson unless another surpasses it."""

    winner: str
    showings: Mapping[str, Showing]

    def as_dict(self) -> dict[str, Any]:
        return {"winner": self.winner} | {name: one.as_dict() for name, one in self.showings.items()}


def hold_contest(
    rankers: Mapping[str, Ranker], later: Evidence, stages: Mapping[str, FirstStage], looks: np.ndarray
) -> Contest:
    """The contest of rankers by objective, one of them POISSON; estimated as the gate does."""
    showings = {
        name: Showing(
            estimate(one.order, one, later, stages, looks), estimate(one.order_as_new, one, later, stages, looks)
        )
        for name, one in rankers.items()
    }
    better = [name for name, one in showings.items() if one.surpasses(showings[POISSON])]
    winner = max(better, key=lambda name: showings[name].known.lift + showings[name].new.lift, default=POISSON)
    return Contest(winner, showings)
