"""Defines the options of an encoder's training, its progress and its report."""

from dataclasses import dataclass, field
from pathlib import Path

from magpie.data.errors import BadSetting
from magpie.indexer.encoder_training.model import Shape
from magpie.indexer.encoder_training.validation import Validation


@dataclass(frozen=True)
class TrainingOptions:
    """The options of a training run. It ends after `steps`, or after `minutes` summed over all interruptions.

    Raises BadSetting for values that are out of range or contradict each other.
    """

    out: Path
    init: Path | None = None  # a model of `train_encoder` to start from
    seed: int = 0
    steps: int | None = None
    minutes: float | None = None
    batch: int = 512
    device: str = "auto"
    learning_rate: float | None = None  # the highest; when None, lower for a model that is already trained
    shape: Shape = field(default_factory=Shape)
    small_until: float = 0.35  # share of the run with smaller pictures, which is twice as fast
    validate_every: int = 200  # steps
    checkpoint_every: int = 100  # steps
    work: Path | None = None  # checkpoints, vocabulary, decoded pictures; beside `out` when None

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise BadSetting("Training needs either a number of steps or a number of minutes.")
        if min(self.steps or 1, self.minutes or 1, self.batch - 1) <= 0:
            raise BadSetting("Steps and minutes of training must be above 0, the batch above 1.")
        if self.init and not (self.init / "open_clip_config.json").is_file():
            raise BadSetting(f"{self.init} holds no model to start from: it has no open_clip_config.json.")

    @property
    def rate(self) -> float:
        """AdamW's highest learning rate."""
        return self.learning_rate or (5e-4 if self.init else 1.5e-3)

    @property
    def work_dir(self) -> Path:
        """The folder for checkpoint, vocabulary and decoded pictures."""
        return self.work or self.out.with_name(self.out.name + "-training")


@dataclass(frozen=True)
class Progress:
    """The state of a run: its finished `fraction`, mean losses since the last report, the validation if one was due."""

    step: int
    fraction: float
    loss: float
    losses: dict[str, float]
    pictures_per_s: float
    validation: Validation | None


@dataclass(frozen=True)
class TrainingReport:
    """The result of a run. `validation` is None where no item is of split "dev"."""

    out: Path
    steps: int
    seconds: float
    items: int
    parameters: int
    size_bytes: int
    loss: float
    validation: Validation | None
