"""What hard negatives, distillation and averaged weights are worth, at one small budget for all: dev figures by arm.

    python benchmarks/encoder_tries.py --fashion DIR --work DIR [--arms base,hard] [--seeds 0 1]

DIR of --fashion holds the unzipped catalog.csv and images. Arms from scratch train on 64 x 48 pixels, those of
"shipped" go on from the shipped weights at their own size; all with the same steps and batch. What is done stands in
WORK/tries.jsonl and is not run again.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from train_magpie_mini import read_fashion

from magpie.indexer.encoder_training.batches import Batch, BatchPlan
from magpie.indexer.encoder_training.model import Shape, new_model, read_config, take_over
from magpie.indexer.encoder_training.objective import Objective
from magpie.indexer.encoder_training.options import TrainingOptions
from magpie.indexer.encoder_training.run import TrainingRun
from magpie.indexer.encoder_training.train_tokenizer import load_tokenizer
from magpie.indexer.encoder_training.validation import encode_all_pictures, validate

SHIPPED = Path(__file__).parent.parent / "data" / "models" / "magpie-mini"
BATCH = 256
GROUPS = 8  # of like items, in half of a batch of hard negatives


@dataclass(frozen=True)
class Arm:
    """One way to train; `distil` is the weight of 1 - cosine with the shipped model's picture vectors."""

    is_tuning: bool = False  # goes on from the shipped weights
    is_hard: bool = False
    distil: float = 0.0
    averages: bool = False  # judges the exponential moving average of the weights


ARMS = {
    "base": Arm(),
    "hard": Arm(is_hard=True),
    "distil": Arm(distil=4.0),
    "hard+distil": Arm(is_hard=True, distil=4.0),
    "shipped": Arm(is_tuning=True),
    "shipped+hard": Arm(is_tuning=True, is_hard=True),
    "shipped+distil": Arm(is_tuning=True, distil=4.0),
    "shipped+averaged": Arm(is_tuning=True, averages=True),
}


class LikeBatches(BatchPlan):
    """Half of every batch comes in groups of one kind: what tells them apart are colours, uses, brands."""

    def rows_of(self, step: int) -> np.ndarray:
        rows, chance = super().rows_of(step), np.random.default_rng((self._seed, 1, step))
        kinds = self._captions.codes[:, self._graded[0]]
        of_all, size = kinds[self._epoch], self.batch // (2 * GROUPS)
        groups = [self._epoch[of_all == kinds[row]] for row in rows[:GROUPS]]
        return np.concatenate([rows[: self.batch - size * GROUPS], *(chance.choice(g, size) for g in groups)])


class Distilled(Objective):
    """Draws the pictures' vectors towards a teacher's, as an addend to the loss among pictures."""

    def __init__(self, dim: int, values: list[int], teacher: np.ndarray, weight: float) -> None:
        super().__init__(dim, values)
        self._teacher, self._weight = torch.from_numpy(teacher), weight

    def _losses(self, scale, image, item, words, batch: Batch):  # type: ignore[no-untyped-def]
        parts = super()._losses(scale, image, item, words, batch)
        apart = 1 - (image * self._teacher[batch.rows]).sum(1)
        return {**parts, "alike": parts["alike"] + self._weight * apart.mean()}


class Try(TrainingRun):
    """A run with the shipped vocabulary, so that all arms read texts alike."""

    def _vocabulary(self) -> Path:
        return SHIPPED / "bpe.txt.gz"


def teach(pixels: np.ndarray) -> np.ndarray:
    """(n, dim) the shipped model's vectors of all pictures."""
    config = read_config(SHIPPED)
    model = new_model(config)
    take_over(model, SHIPPED, load_tokenizer(SHIPPED / "bpe.txt.gz", config["text_cfg"]["context_length"]))
    return encode_all_pictures(model, pixels, np.arange(len(pixels)))


def run_arm(arm: Arm, seed: int, steps: int, given: argparse.Namespace) -> dict[str, float]:
    """R@10 of titles and nDCG@10 of "colour kind" queries, by dev pictures alone, and the seconds of training."""
    shape = Shape() if arm.is_tuning else Shape(picture_size=(64, 48), vocabulary=6144)
    options = TrainingOptions(
        given.work / "out", SHIPPED if arm.is_tuning else None, seed, steps, batch=BATCH, shape=shape,
        learning_rate=given.tuning_rate if arm.is_tuning else None, small_until=0.0, work=given.work,
    )  # fmt: skip
    run = Try([read_fashion(given.fashion)], options)
    if arm.is_hard:
        run.plan.__class__ = LikeBatches
    if arm.distil:
        vectors = given.work / "teacher.npy"
        if not vectors.exists():
            whole = Try(
                [read_fashion(given.fashion)], TrainingOptions(given.work / "out", SHIPPED, steps=1, work=given.work)
            )
            np.save(vectors, teach(whole.pixels))
        sizes = [len(values) for values in run.captions.values]
        run.objective = Distilled(run.config["embed_dim"], sizes, np.load(vectors), arm.distil)
        run.optimiser = run._optimiser()
    mean = torch.optim.swa_utils.AveragedModel(run.model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.98))
    for batch in run.remaining_batches():
        run.train_step(batch)
        if arm.averages:
            mean.update_parameters(run.model)
    model = mean.module if arm.averages else run.model
    if arm.averages:
        for own, last in zip(model.buffers(), run.model.buffers(), strict=True):
            own.copy_(last)
    found = validate(model, run.captions, run.dev_rows, run.pixels, run.tokens)
    return {"R@10": found.recall_at_10, "nDCG@10": found.ndcg_at_10, "seconds": round(run.seconds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fashion", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--tuning-rate", type=float, default=3e-4)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.work.mkdir(parents=True, exist_ok=True)
    done = given.work / "tries.jsonl"
    known = [json.loads(line) for line in done.read_text().splitlines()] if done.exists() else []
    for seed in given.seeds:
        for name in given.arms.split(","):
            about = {"arm": name, "seed": seed, "steps": given.steps}
            if any(about.items() <= one.items() for one in known):
                continue
            started = time.perf_counter()
            found = about | run_arm(ARMS[name], seed, given.steps, given)
            with done.open("a") as file:
                file.write(json.dumps(found) + "\n")
            print(json.dumps(found), f"{time.perf_counter() - started:.0f} s in all", flush=True)


if __name__ == "__main__":
    main()
