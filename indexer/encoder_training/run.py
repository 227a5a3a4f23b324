"""Runs the training of an encoder: the model, its optimiser and schedule, the checkpoint that a run resumes from."""

import hashlib
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Sampler

from magpie.data.errors import BadInput, BadSetting
from magpie.indexer.encoder_training.augmentation import augmented
from magpie.indexer.encoder_training.batches import Batch, BatchPlan
from magpie.indexer.encoder_training.captions import CaptionMaker
from magpie.indexer.encoder_training.export import export_model, mean_vectors, save_state
from magpie.indexer.encoder_training.items import TrainingItem
from magpie.indexer.encoder_training.model import copy_weights, new_model, read_config
from magpie.indexer.encoder_training.objective import Objective
from magpie.indexer.encoder_training.options import Progress, TrainingOptions, TrainingReport
from magpie.indexer.encoder_training.picture_cache import cached_pictures
from magpie.indexer.encoder_training.train_tokenizer import TokenRows, load_tokenizer, train_tokenizer, training_texts
from magpie.indexer.encoder_training.validation import Validation, validate
from magpie.indexer.text.lexicon import load_lexicon

_LEAST_ITEMS = 8
_WARM_UP_STEPS = 60
_DECAY_FROM = 0.7  # of the run; the rate is constant before it (warm-up, stable, decay: Hu et al. 2024, section 4)
_SMALL = 0.75  # of the picture's size, in the cheap first part of a run
_WEIGHT_DECAY = 0.05
_MOST_NORM = 1.0
# these may differ between a run and its resumption: they do not change the weights at a step
_FREE_OPTIONS = ("out", "work", "device", "steps", "minutes", "validate_every", "checkpoint_every")


class TrainingRun:
    """A model in training, after `step` steps that took `seconds`."""

    def __init__(self, sources: Sequence[Sequence[TrainingItem]], options: TrainingOptions) -> None:
        self.options, self.step, self.seconds = options, 0, 0.0
        self.checkpoint = options.work_dir / "checkpoint.pt"
        options.work_dir.mkdir(parents=True, exist_ok=True)
        lexicon = load_lexicon()
        self.captions = CaptionMaker(sources, lexicon)
        items = self.captions.items
        self.train_rows = _rows_by_source(sources)
        self.dev_rows = [row for row, item in enumerate(items) if item.split == "dev"]
        if sum(map(len, self.train_rows)) < _LEAST_ITEMS:
            raise BadInput(f"Training needs at least {_LEAST_ITEMS} items with pictures outside the dev split.")
        self.device = _device(options.device)
        self.config = options.shape.config(read_config(options.init) if options.init else None)
        self.vocabulary = self._vocabulary()
        tokenizer = load_tokenizer(self.vocabulary, self.config["text_cfg"]["context_length"])
        self.config["text_cfg"]["vocab_size"] = tokenizer.vocab_size
        self.tokens = TokenRows(tokenizer)
        torch.manual_seed(options.seed)
        self.model = new_model(self.config)
        if options.init:
            copy_weights(self.model, options.init, tokenizer)
        self.objective = Objective(self.config["embed_dim"], [len(values) for values in self.captions.values])
        self.model.to(self.device).train()
        self.objective.to(self.device)
        self.optimiser = self._optimiser()
        height, width = self.config["vision_cfg"]["image_size"]
        self.pixels = cached_pictures([item.picture for item in items], (height, width), options.work_dir)
        # On a GPU the pictures stay there: no step then waits for the bus.
        self._resident = torch.from_numpy(np.array(self.pixels)).to(self.device) if self.device.type != "cpu" else None
        self.plan = BatchPlan(self.captions, self.train_rows, self.tokens, options.batch, options.seed)
        self._losses: list[dict[str, torch.Tensor]] = []
        self._reported = (0, 0.0)

    def _vocabulary(self) -> Path:
        """The vocabulary file: that of the initial model if no other size is given, else one learned from the items."""
        own = self.options.work_dir / "bpe.txt.gz"
        if self.options.init and self.options.shape.vocabulary is None:
            return self.options.init / "bpe.txt.gz"
        if not (own.exists() and self.checkpoint.exists()):
            texts = training_texts(self.captions, np.concatenate(self.train_rows))
            train_tokenizer(texts, self.config["text_cfg"]["vocab_size"], own)
        return own

    def _optimiser(self) -> torch.optim.AdamW:
        parameters = [*self.model.parameters(), *self.objective.parameters()]
        groups = [
            {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": _WEIGHT_DECAY},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self.options.rate, betas=(0.9, 0.98), eps=1e-6)

    def fraction(self) -> float:
        """The finished share of the run, from 0 to 1."""
        if self.options.steps is not None:
            return min(1.0, self.step / self.options.steps)
        return min(1.0, self.seconds / (60 * (self.options.minutes or 1)))

    def remaining_batches(self) -> Iterator[Batch]:
        """The batches from the current step to the end of the run; with a GPU, other processes prepare them."""
        workers = 0 if self.device.type == "cpu" else 8
        loader = DataLoader(self.plan, batch_size=None, sampler=_StepsFrom(self.step), num_workers=workers)
        batches = iter(loader)
        while self.fraction() < 1:
            yield next(batches)

    def train_step(self, batch: Batch) -> None:
        """Takes one step of AdamW on the batch. Raises BadSetting where the gradients are no longer finite."""
        started = time.monotonic()
        batch = Batch(**{f.name: getattr(batch, f.name).to(self.device) for f in fields(Batch)})
        for group in self.optimiser.param_groups:
            group["lr"] = self.options.rate * self._schedule()
        random = torch.Generator(self.device).manual_seed(self.options.seed * 1_000_003 + self.step)
        pixels = self._pixels(batch.rows)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=_has_bf16(self.device)):
            losses = self.objective(self.model, augmented(pixels, self._picture_size(), random), batch)
        loss = torch.stack(list(losses.values())).sum()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.optimiser.param_groups[0]["params"], _MOST_NORM)
        if not torch.isfinite(norm):
            raise BadSetting(f"Training left the finite numbers at step {self.step}; lower the learning rate.")
        self.optimiser.step()
        self._losses.append({"loss": loss.detach(), **{name: part.detach() for name, part in losses.items()}})
        self.step += 1
        self.seconds += time.monotonic() - started

    def _pixels(self, rows: torch.Tensor) -> torch.Tensor:
        if self._resident is not None:
            return self._resident[rows]
        return torch.from_numpy(np.ascontiguousarray(self.pixels[rows.numpy()]))

    def _schedule(self) -> float:
        """The learning rate's factor: linear warm-up, constant, then 1 - sqrt decay (Hu et al. 2024, section 4)."""
        decayed = max(0.0, (self.fraction() - _DECAY_FROM) / (1 - _DECAY_FROM))
        return min(1.0, (self.step + 1) / _WARM_UP_STEPS) * max(0.002, 1.0 - float(decayed**0.5))

    def _picture_size(self) -> tuple[int, int]:
        height, width = self.config["vision_cfg"]["image_size"]
        if self.fraction() >= self.options.small_until:
            return height, width
        return max(32, int(height * _SMALL)), max(32, int(width * _SMALL))

    def validation(self) -> Validation | None:
        """The metrics on the dev items; None where there are none."""
        if not self.dev_rows:
            return None
        return validate(self.model, self.captions, self.dev_rows, self.pixels, self.tokens)

    def progress(self, validation: Validation | None) -> Progress:
        """Step, speed and mean losses since the last call, with the given validation."""
        losses = self._mean_losses()
        step, seconds = self._reported
        speed = (self.step - step) * self.plan.batch / max(1e-9, self.seconds - seconds)
        self._reported = (self.step, self.seconds)
        return Progress(self.step, self.fraction(), losses.pop("loss"), losses, speed, validation)

    def _mean_losses(self) -> dict[str, float]:
        names = dict.fromkeys(name for losses in self._losses for name in losses)
        means = {n: float(torch.stack([x[n] for x in self._losses if n in x]).mean()) for n in names}
        self._losses = self._losses[-1:]
        return means

    def save(self) -> None:
        """Writes the checkpoint that `resume` reads."""
        state = {"run": self._identity(), "step": self.step, "seconds": self.seconds, "model": self.model.state_dict(),
                 "objective": self.objective.state_dict(), "optimiser": self.optimiser.state_dict()}  # fmt: skip
        save_state(self.checkpoint, state)

    def resume(self) -> None:
        """Continues from the checkpoint if there is one. Raises BadSetting if it belongs to another run."""
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        if state["run"] != self._identity():
            raise BadSetting(f"{self.checkpoint} is of a run with other items or options; remove it to start anew.")
        self.model.load_state_dict(state["model"])
        self.objective.load_state_dict(state["objective"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds = state["step"], state["seconds"]
        self._reported = (self.step, self.seconds)

    def _identity(self) -> str:
        """A hash of the vocabulary, the items and the options that decide the weights."""
        digest = hashlib.sha256(self.vocabulary.read_bytes())
        for item in self.captions.items:
            digest.update(f"{item.item_id}\0{item.title}\0{sorted(item.attributes.items())}\0{item.split}\n".encode())
        options = {f.name: getattr(self.options, f.name) for f in fields(self.options) if f.name not in _FREE_OPTIONS}
        digest.update(repr(sorted(options.items())).encode())
        return digest.hexdigest()

    def finish(self, validation: Validation | None) -> TrainingReport:
        """The report of the run, after exporting the model and removing the checkpoint."""
        rows = np.concatenate(self.train_rows)
        means = mean_vectors(self.model, self.captions, rows, self.pixels, self.tokens)
        size = export_model(self.model, self.config, self.vocabulary, means, self.options.out)
        self.checkpoint.unlink(missing_ok=True)
        return TrainingReport(
            out=self.options.out,
            steps=self.step,
            seconds=self.seconds,
            items=len(rows),
            parameters=sum(p.numel() for p in self.model.parameters()),
            size_bytes=size,
            loss=self._mean_losses().get("loss", 0.0),
            validation=validation or self.validation(),
        )


class _StepsFrom(Sampler[int]):
    """The steps from `first` on, without end."""

    def __init__(self, first: int) -> None:
        self.first = first

    def __iter__(self) -> Iterator[int]:
        return itertools.count(self.first)


def _rows_by_source(sources: Sequence[Sequence[TrainingItem]]) -> list[npt.NDArray[np.int64]]:
    """For each catalogue that has training items their rows, counted over all catalogues."""
    rows, start = [], 0
    for source in sources:
        rows.append(np.array([start + i for i, item in enumerate(source) if item.split == "train"], np.int64))
        start += len(source)
    return [own for own in rows if len(own)]


def _device(name: str) -> torch.device:
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _has_bf16(device: torch.device) -> bool:
    """Whether the device computes bfloat16 in hardware; a CPU without that emulates it slowly."""
    return device.type != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
