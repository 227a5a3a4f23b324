"""How much a person's preferences count, attribute by attribute: learned by training, read by the server."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from magpie.data.settings import Settings

LOOKS = ""  # the name of likeness among the attributes
_FILE = "taste.json"


@dataclass(frozen=True)
class Taste:
    """What an agreement of a candidate with earlier choices adds, by attribute, in standard deviations of the scores.

    `weights` has likeness under LOOKS; attributes that it lacks count `others`.
    """

    weights: Mapping[str, float] = field(default_factory=lambda: {LOOKS: 0.5})
    others: float = 0.3

    def of(self, name: str) -> float:
        return self.weights.get(name, self.others)


ASSUMED = Taste()


def save_taste(settings: Settings, taste: Taste) -> None:
    """Writes what was learned, in place of what was learned before."""
    settings.rankers_dir.mkdir(parents=True, exist_ok=True)
    beside = settings.rankers_dir / f"{_FILE}.new"
    beside.write_text(json.dumps({"weights": dict(taste.weights), "others": taste.others}), encoding="utf-8")
    beside.replace(settings.rankers_dir / _FILE)


def read_taste(settings: Settings) -> Taste:
    """What was learned last; before that, or where the file cannot be read, what is assumed of people."""
    try:
        kept = json.loads((settings.rankers_dir / _FILE).read_text(encoding="utf-8"))
        return Taste({str(name): float(value) for name, value in kept["weights"].items()}, float(kept["others"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ASSUMED
