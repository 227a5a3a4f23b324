"""Composes the batches of a training run: items, their texts and captions, and the truth labels between them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from magpie.indexer.encoder_training.captions import UNKNOWN, Caption, CaptionMaker
from magpie.indexer.encoder_training.train_tokenizer import TokenRows

_LEAST_SHARE = 0.06  # of an epoch, for each catalogue, as far as showing its items eight times goes
_MOST_REPEATS = 8
_GRADED = ("kind", "colour", "gender", "material", "pattern")


@dataclass(frozen=True)
class Batch:
    """n items, m captions and k composed queries, with truth labels: 1 true, 0 false, -1 unknown."""

    rows: Tensor  # (n,) int64, of the picture cache
    item_tokens: Tensor  # (n, longest) int64
    item_truth: Tensor  # (n texts, n items) int8
    caption_tokens: Tensor  # (m + k, longest) int64: the captions, then the words of the composed queries
    caption_truth: Tensor  # (m, n) int8
    composed_base: Tensor  # (k,) int64, place in the batch of the picture that a composed query starts from
    composed_truth: Tensor  # (k, n) int8
    codes: Tensor  # (n, slots) int64, every attribute
    graded: Tensor  # (n, graded slots) int64, the kind first: attributes that make two items similar


class BatchPlan(Dataset[Batch]):
    """The batches of a run by step; the same for the same seed, so that a resumed run gets the same batches."""

    def __init__(self, captions: CaptionMaker, sources: Sequence[npt.NDArray[np.int64]], tokens: TokenRows,
                 batch: int, seed: int) -> None:  # fmt: skip
        """`sources` are the training rows of each catalogue; `batch` is the number of items of a batch."""
        self._captions, self._tokens, self._seed = captions, tokens, seed
        total = sum(map(len, sources))
        repeats = [min(_MOST_REPEATS, max(1, round(_LEAST_SHARE * total / max(1, len(rows))))) for rows in sources]
        self._epoch = np.concatenate([np.repeat(rows, times) for rows, times in zip(sources, repeats, strict=True)])
        self.batch = min(batch, len(self._epoch))
        self.steps_per_epoch = len(self._epoch) // self.batch
        names = {name: slot for slot, name in enumerate(captions.slots)}
        self._graded = [names[name] for name in _GRADED if name in names]
        titles: dict[str, int] = {}
        self._titles = np.array([titles.setdefault(item.title.lower(), len(titles)) for item in captions.items])

    def rows_of(self, step: int) -> npt.NDArray[np.int64]:
        """(batch,) int64 rows of the items of a step; each epoch has all items in another order."""
        epoch, position = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self._epoch))
        return np.asarray(self._epoch[order[position * self.batch : (position + 1) * self.batch]])

    def __getitem__(self, step: int) -> Batch:
        rows = self.rows_of(step)
        rng = random.Random(f"{self._seed}:{step}")
        items = [self._captions.item_text(int(row), rng) for row in rows]
        captions = self._some_captions(rows, rng)
        words, base, composed_truth = self._composed(rows, rng)
        texts = [caption.text for caption in captions] + words
        tensor = torch.from_numpy
        return Batch(
            rows=tensor(rows),
            item_tokens=tensor(self._tokens([text for text, _ in items])),
            item_truth=tensor(self._item_truth(rows, np.array([titled for _, titled in items]))),
            caption_tokens=tensor(self._tokens(texts)) if texts else torch.zeros((0, 1), dtype=torch.int64),
            caption_truth=tensor(self._captions.truth(captions, rows)),
            composed_base=tensor(base),
            composed_truth=tensor(composed_truth),
            codes=tensor(self._captions.codes[rows].astype(np.int64)),
            graded=tensor(self._captions.codes[rows][:, self._graded].astype(np.int64)),
        )

    def __len__(self) -> int:
        return 1 << 40  # as many as a run asks for

    def _some_captions(self, rows: npt.NDArray[np.int64], rng: random.Random) -> list[Caption]:
        """Captions of half of the items, without duplicates: a caption is true of several items of the batch anyway."""
        described = [int(row) for row in rows if self._captions.is_described[row]]
        chosen = described[: max(1, len(rows) // 2)]
        return list({c.text: c for c in (self._captions.attribute_caption(row, rng) for row in chosen)}.values())

    def _item_truth(self, rows: npt.NDArray[np.int64], titled: npt.NDArray[np.bool_]) -> npt.NDArray[np.int8]:
        """(n, n) int8 truth of item texts for items: true for the same title; unknown for a text without its title and
        items with the same graded attributes."""
        truth: npt.NDArray[np.int8] = (self._titles[rows][:, None] == self._titles[rows][None]).astype(np.int8)
        codes = self._captions.codes[rows][:, self._graded]
        alike = (codes[:, None] == codes[None]).all(2) & ~titled[:, None]
        truth[alike & (truth == 0)] = UNKNOWN
        return truth

    def _composed(
        self, rows: npt.NDArray[np.int64], rng: random.Random
    ) -> tuple[list[str], npt.NDArray[np.int64], npt.NDArray[np.int8]]:
        """Queries such as "like this one, but red": k words, (k,) base items by place in the batch, (k, n) truth.

        Each comes from two items that differ in one attribute: the base's picture with the value of the other.
        """
        codes = self._captions.codes[rows][:, self._graded]
        words: list[str] = []
        base: list[int] = []
        targets: list[int] = []
        for target in rng.sample(range(len(rows)), len(rows) // 3):
            changeable = [s for s in range(1, codes.shape[1]) if codes[target, s] != UNKNOWN]
            if not changeable or codes[target, 0] == UNKNOWN:
                continue
            slot = changeable[0] if rng.random() < 0.6 else rng.choice(changeable)
            same = codes == codes[target]
            others = np.delete(same, slot, axis=1).all(1) & ~same[:, slot] & (codes[:, slot] != UNKNOWN)
            if others.any():
                base.append(rng.choice(np.flatnonzero(others).tolist()))
                words.append(self._captions.value_caption(int(rows[target]), self._graded[slot], rng))
                targets.append(target)
        truth = (codes[targets][:, None] == codes[None]).all(2) if targets else np.zeros((0, len(rows)), bool)
        return words, np.array(base, np.int64), truth.astype(np.int8)
