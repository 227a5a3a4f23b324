"""Validates an encoder in training on items of the dev split: retrieves pictures by title and by attribute query."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from open_clip.model import CustomTextCLIP

from magpie.indexer.encoder_training.augmentation import normalised
from magpie.indexer.encoder_training.captions import UNKNOWN, CaptionMaker
from magpie.indexer.encoder_training.model import picture_vectors, text_vectors
from magpie.indexer.encoder_training.train_tokenizer import TokenRows

_MOST_ITEMS = 4500
_LEAST_RELEVANT = 5


@dataclass(frozen=True)
class Validation:
    """Recall@10 of titles for their own picture, and nDCG@10 of "colour kind" queries; both from 0 to 1."""

    recall_at_10: float
    ndcg_at_10: float


def validate(
    model: CustomTextCLIP, captions: CaptionMaker, rows: Sequence[int], pixels: npt.NDArray[np.uint8], tokens: TokenRows
) -> Validation:
    """The metrics over the dev `rows` (a sample where there are many), comparing queries with pictures only."""
    step = max(1, len(rows) // _MOST_ITEMS)
    chosen = np.array(rows, np.int64)[::step]
    pictures = encode_all_pictures(model, pixels, chosen)
    titles = encode_all_texts(model, [captions.items[row].title for row in chosen], tokens)
    scores = titles @ pictures.T
    own = scores.diagonal()[:, None]
    recall = float(((scores > own).sum(1) < 10).mean())
    return Validation(recall, _attribute_ndcg(model, captions, chosen, pictures, tokens))


def _attribute_ndcg(
    model: CustomTextCLIP, captions: CaptionMaker, rows: npt.NDArray[np.int64], pictures: npt.NDArray[np.float32],
    tokens: TokenRows,
) -> float:  # fmt: skip
    """Mean nDCG@10 (Järvelin & Kekäläinen 2002, binary gains) over the "colour kind" pairs that five items share."""
    names = {name: slot for slot, name in enumerate(captions.slots)}
    slots = [names[name] for name in ("colour", "kind") if name in names] or list(names.values())[:1]
    codes = captions.codes[rows][:, slots] if slots else np.zeros((len(rows), 0), np.int32)
    counts = Counter(tuple(code) for code in codes.tolist() if UNKNOWN not in code)
    queries = [code for code, count in sorted(counts.items()) if count >= _LEAST_RELEVANT]
    if not queries or not slots:
        return 0.0
    texts = [" ".join(captions.values[s][c].name for s, c in zip(slots, code, strict=True)) for code in queries]
    scores = encode_all_texts(model, texts, tokens) @ pictures.T
    relevant = np.array([(codes == code).all(1) for code in queries])
    hits = np.take_along_axis(relevant, np.argsort(-scores, 1)[:, :10], 1)
    discount = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.array([discount[: min(10, n)].sum() for n in relevant.sum(1)])
    return float(((hits * discount).sum(1) / ideal).mean())


@torch.inference_mode()
def encode_all_pictures(
    model: CustomTextCLIP, pixels: npt.NDArray[np.uint8], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """(len(rows), dim) float32 unit rows of the pictures, not augmented, with the model in evaluation mode."""
    device, was_training = model.logit_scale.device, model.training
    model.eval()
    parts = []
    for start in range(0, len(rows), 256):
        batch = torch.from_numpy(np.ascontiguousarray(pixels[rows[start : start + 256]])).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            parts.append(picture_vectors(model, normalised(batch.permute(0, 3, 1, 2).float() / 255)).cpu())
    model.train(was_training)
    return torch.cat(parts).numpy()


@torch.inference_mode()
def encode_all_texts(model: CustomTextCLIP, texts: Sequence[str], tokens: TokenRows) -> npt.NDArray[np.float32]:
    """(len(texts), dim) float32 unit rows of the texts, with the model in evaluation mode."""
    device, was_training = model.logit_scale.device, model.training
    model.eval()
    parts = [
        text_vectors(model, torch.from_numpy(tokens(list(texts[start : start + 512]))).to(device)).cpu()
        for start in range(0, len(texts), 512)
    ]
    model.train(was_training)
    return torch.cat(parts).numpy()
