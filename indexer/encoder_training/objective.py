"""Computes the training objective: the weighted contrastive losses between a batch's pictures and texts."""

import math

import torch
import torch.nn.functional as F  # noqa: N812  (the customary name)
from open_clip.model import CustomTextCLIP
from torch import Tensor, nn

from magpie.indexer.encoder_training.batches import Batch
from magpie.indexer.encoder_training.losses import attribute_gains, graded_nce, multi_positive_nce
from magpie.indexer.encoder_training.model import picture_vectors, text_vectors

_WEIGHTS = {"item": 1.0, "caption": 1.0, "text": 0.5, "alike": 0.8, "composed": 0.4, "values": 0.3}
_MAX_SCALE = 100.0


class Objective(nn.Module):
    """The losses, with their own parameters: a classifier for each attribute, the scale of picture similarities."""

    def __init__(self, dim: int, values: list[int]) -> None:
        """`values` is the number of values of each slot's attribute."""
        super().__init__()
        self.classifiers = nn.ModuleList(nn.Linear(dim, number) for number in values)
        self.alike_scale = nn.Parameter(torch.tensor(math.log(15.0)))

    def forward(self, model: CustomTextCLIP, pictures: Tensor, batch: Batch) -> dict[str, Tensor]:
        """The weighted losses by name, whose sum is minimised. `pictures` (n, 3, height, width), normalised."""
        image = picture_vectors(model, pictures)
        item = text_vectors(model, batch.item_tokens)
        words = text_vectors(model, batch.caption_tokens) if len(batch.caption_tokens) else item[:0]
        # The logits are scaled up to a hundredfold, which bf16 would round to quarters.
        with torch.autocast(pictures.device.type, enabled=False):
            parts = self._losses(model.logit_scale.exp().clamp(max=_MAX_SCALE), image, item, words, batch)
        return {name: _WEIGHTS[name] * loss for name, loss in parts.items()}

    def _losses(self, scale: Tensor, image: Tensor, item: Tensor, words: Tensor, batch: Batch) -> dict[str, Tensor]:
        m = len(batch.caption_truth)
        caption, change = words[:m], words[m:]
        parts = {
            "item": multi_positive_nce(scale * item @ image.T, batch.item_truth),
            "alike": graded_nce(self.alike_scale.exp() * image @ image.T, _gains(batch)),
            "values": self._values(image, batch.codes),
        }
        if m:
            parts["caption"] = multi_positive_nce(scale * caption @ image.T, batch.caption_truth)
            parts["text"] = multi_positive_nce(scale * caption @ item.T, batch.caption_truth)
        if len(change):
            # the sum, because that is how a search composes two vectors
            query = F.normalize(image[batch.composed_base] + change, dim=-1)
            parts["composed"] = multi_positive_nce(scale * query @ image.T, batch.composed_truth)
        return parts

    def _values(self, image: Tensor, codes: Tensor) -> Tensor:
        """Mean cross-entropy of predicting each attribute's value from the picture; unknown values (-1) left out."""
        losses = []
        for slot, classifier in enumerate(self.classifiers):
            known = codes[:, slot] >= 0
            logits = classifier(10 * image)
            loss = F.cross_entropy(logits, codes[:, slot].clamp(min=0), reduction="none")
            losses.append((loss * known).sum() / known.sum().clamp(min=1))
        return torch.stack(losses).mean() if losses else image.sum() * 0


def _gains(batch: Batch) -> Tensor:
    """(n, n) gains between the batch's items; -1 (unknown) between two rows of the same item."""
    if batch.graded.shape[1] == 0:
        return torch.full((len(batch.rows), len(batch.rows)), -1.0, device=batch.rows.device)
    gains = attribute_gains(batch.graded)
    return gains.masked_fill(batch.rows[:, None] == batch.rows[None], -1.0)
