"""Trains the weights of a fusion: contrastively, with parts dropped at random, resumable."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from magpie.indexer.encoder.encode_catalogue import Progress
from magpie.indexer.encoder_training.export import save_state
from magpie.indexer.encoder_training.losses import multi_positive_nce
from magpie.indexer.fusion.average_fusion import PARTS
from magpie.indexer.fusion_training.examples import FusionExamples

_BATCH = 256
_RATE = 1e-3
_DECAY = 5.0  # towards the plain mean, with which the training begins
_SCALE = 20.0  # of the cosines before the softmax
_DROPPED = 0.25  # of the texts, and of the pictures
_REDUCED = 0.5  # of the texts lack their query's words
_SAVED_EVERY = 100


@dataclass(frozen=True)
class FusionOptions:
    """The number of training steps, and the random seed."""

    steps: int = 300
    seed: int = 0


class ConcatFusion(nn.Module):
    """y = W [h_text; h_image; present] + b. What is learned is the difference from the plain mean."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.blocks = nn.ParameterDict({name: nn.Parameter(torch.zeros(dim, dim)) for name in PARTS})
        self.present = nn.Parameter(torch.zeros(len(PARTS), dim))
        self.bias = nn.Parameter(torch.zeros(dim))
        self.register_buffer("mean", torch.eye(dim) / len(PARTS), persistent=False)

    def forward(self, parts: Mapping[str, Tensor]) -> Tensor:
        """(n, dim) fused vectors, not rescaled, of (n, dim) parts with zero rows where one is missing."""
        arrays = self.arrays()
        present = torch.stack([parts[name].any(1).float() for name in PARTS], dim=1)
        mixed = sum(parts[name] @ arrays[name].T for name in PARTS)
        return torch.as_tensor(mixed + present @ arrays["present"] + arrays["bias"])

    def arrays(self) -> dict[str, Tensor]:
        """The arrays of a `LearnedFusion` by name."""
        blocks = {name: self.get_buffer("mean") + block for name, block in self.blocks.items()}
        return {**blocks, "present": self.present, "bias": self.bias}


class AttentionFusion(nn.Module):
    """Attention of one learned token over the parts that are there (Vaswani et al. 2017, eq. 1)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(dim) / dim**0.5)
        self.keys = nn.ParameterDict({name: nn.Parameter(torch.zeros(dim, dim)) for name in PARTS})
        self.values = nn.ParameterDict({name: nn.Parameter(torch.zeros(dim, dim)) for name in PARTS})
        self.offsets = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in PARTS})
        self.register_buffer("identity", torch.eye(dim), persistent=False)

    def forward(self, parts: Mapping[str, Tensor]) -> Tensor:
        """(n, dim) fused vectors, not rescaled, of (n, dim) parts with zero rows where one is missing."""
        arrays = self.arrays()
        scaled = self.query / len(self.query) ** 0.5
        logits = [parts[name] @ (scaled @ arrays[f"key.{name}"]) + arrays[f"offset.{name}"] for name in PARTS]
        missing = torch.stack([~parts[name].any(1) for name in PARTS], dim=1)
        weights = torch.stack(logits, dim=1).masked_fill(missing, -1e4).softmax(dim=1)
        values = torch.stack([parts[name] @ arrays[f"value.{name}"].T for name in PARTS], dim=1)
        return (weights[:, :, None] * values).sum(dim=1)

    def arrays(self) -> dict[str, Tensor]:
        """The arrays of a `LearnedFusion` by name."""
        identity, found = self.get_buffer("identity"), dict[str, Tensor](query=self.query)
        for name in PARTS:
            found[f"key.{name}"] = identity + self.keys[name]
            found[f"value.{name}"] = identity + self.values[name]
            found[f"offset.{name}"] = self.offsets[name]
        return found


Module = ConcatFusion | AttentionFusion
MODULES: dict[str, type[Module]] = {"concat": ConcatFusion, "attention": AttentionFusion}


def train_weights(
    kind: str, examples: FusionExamples, options: FusionOptions, work_dir: Path, progress: Progress
) -> dict[str, np.ndarray]:
    """The trained arrays of one kind of fusion.

    A run that was interrupted goes on from its checkpoint in `work_dir` and ends with the weights it would have had.
    """
    torch.manual_seed(options.seed)
    model = MODULES[kind](examples.queries.shape[1])
    optimiser = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=_DECAY)
    checkpoint, key = work_dir / f"{kind}.checkpoint.pt", _key(kind, examples, options)
    start = _resume(checkpoint, key, model, optimiser)
    for step in range(start, options.steps):
        progress(kind, step, options.steps)
        for group in optimiser.param_groups:
            group["lr"] = _RATE * min(1.0, 2 * (1 - step / options.steps))
        loss = _loss(model, examples, np.random.default_rng([options.seed, step]))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if (step + 1) % _SAVED_EVERY == 0:
            state = {"key": key, "step": step + 1, "model": model.state_dict(), "optimiser": optimiser.state_dict()}
            save_state(checkpoint, state)
    checkpoint.unlink(missing_ok=True)
    return {name: np.asarray(array.detach().numpy(), np.float32) for name, array in model.arrays().items()}


def _loss(model: Module, examples: FusionExamples, chance: np.random.Generator) -> Tensor:
    """InfoNCE between a batch's queries and its items, of which parts are dropped at random."""
    drawn = chance.permutation(len(examples))[:_BATCH]
    batch = examples.take(drawn)
    fused = nn.functional.normalize(model(_thinned(batch, chance)), dim=1)
    truth = torch.from_numpy(batch.answers()).long()
    return multi_positive_nce(_SCALE * torch.from_numpy(batch.queries) @ fused.T, truth)


def _thinned(batch: FusionExamples, chance: np.random.Generator) -> dict[str, Tensor]:
    """The parts of the batch's items: some texts without the query's words, some parts dropped, never both."""
    drawn = chance.random((2, len(batch), 1))
    text = np.where((drawn[0] < _REDUCED) & batch.reduced.any(1, keepdims=True), batch.reduced, batch.text)
    has_image = batch.image.any(1, keepdims=True)
    text = np.where((drawn[1] < _DROPPED) & has_image, 0.0, text)
    has_text = text.any(1, keepdims=True)
    image = np.where((drawn[1] > 1 - _DROPPED) & has_text, 0.0, batch.image)
    return {"text": torch.from_numpy(text.astype(np.float32)), "image": torch.from_numpy(image.astype(np.float32))}


def _key(kind: str, examples: FusionExamples, options: FusionOptions) -> str:
    """A hash of what a checkpoint depends on; a checkpoint with another key is not resumed."""
    digest = hashlib.blake2b(f"{kind} {options}".encode(), digest_size=16)
    for array in (examples.text, examples.image, examples.queries):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _resume(checkpoint: Path, key: str, model: Module, optimiser: torch.optim.Optimizer) -> int:
    """Loads the checkpoint of the same run, if there is one, and returns the step to continue with."""
    if not checkpoint.is_file():
        return 0
    state = torch.load(checkpoint, weights_only=True)
    if state["key"] != key:
        return 0
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])
