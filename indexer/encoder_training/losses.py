"""Computes the contrastive losses of the dual encoder over the pictures and captions of one batch."""

import torch
import torch.nn.functional as F  # noqa: N812  (the customary name)
from torch import Tensor

_MASKED = -1e4  # exp() of it is 0 in every float type, and -inf times 0 would be NaN


def multi_positive_nce(logits: Tensor, truth: Tensor) -> Tensor:
    """Symmetric InfoNCE with several positives, a scalar (SupCon's L_out, Khosla et al. 2020, eq. 2).

    `logits` (n, m) float; `truth` (n, m): 1 positive, 0 negative, -1 neither. For each row with positives P, the
    mean over P of -log softmax over the row's known entries; the same for columns; the mean of the two. Zero where
    nothing is positive.
    """
    return 0.5 * (_one_way(logits, truth) + _one_way(logits.T, truth.T))


def _one_way(logits: Tensor, truth: Tensor) -> Tensor:
    positive = truth == 1
    log_p = F.log_softmax(logits.masked_fill(truth < 0, _MASKED), dim=1)
    counts = positive.sum(1)
    rows = -(log_p * positive).sum(1) / counts.clamp(min=1)
    return rows.sum() / (counts > 0).sum().clamp(min=1)


def graded_nce(logits: Tensor, gains: Tensor) -> Tensor:
    """Cross-entropy of softmax(logits) against targets in proportion to `gains` (n, m), negative where unknown.

    The diagonal (a picture with itself) takes no part; rows without a positive gain are left out.
    """
    unknown = (gains < 0) | torch.eye(len(gains), dtype=torch.bool, device=gains.device)
    target = gains.clamp(min=0).masked_fill(unknown, 0.0)
    total = target.sum(1)
    log_p = F.log_softmax(logits.masked_fill(unknown, _MASKED), dim=1)
    rows = -(log_p * target).sum(1) / total.clamp(min=1e-6)
    return rows.sum() / (total > 0).sum().clamp(min=1)


def attribute_gains(codes: Tensor) -> Tensor:
    """(n, n) gains 2^grade - 1 between items by their codes (n, slots), the kind first, -1 for unknown codes.

    Grade 0 for another kind, else 1 for the kind and 1 for each further attribute that both share, at most 3.
    A pair whose kinds are not both known is unknown (-1), unless both lack other attributes to differ in.
    """
    known = codes >= 0
    same = (codes[:, None] == codes[None]) & known[:, None] & known[None]
    grade = (1 + same[:, :, 1:].sum(2)).clamp(max=3)
    gains = torch.where(same[:, :, 0], 2.0**grade - 1, 0.0)
    both = known[:, None, 0] & known[None, :, 0]
    return torch.where(both, gains, -1.0)
