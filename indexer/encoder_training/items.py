"""Defines the training items of an encoder: items of catalogues, with a picture each."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class TrainingItem:
    """One item with its picture. Items of split "dev" are used for validation only."""

    item_id: str
    title: str
    picture: Path
    description: str = ""
    category: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    split: Literal["train", "dev"] = "train"
