"""Writes a trained model as a folder that open_clip loads: configuration, float16 weights, vocabulary, mean vectors.

The folder also holds the ONNX graphs, which refer to the weights.
"""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.model import CustomTextCLIP
from safetensors.torch import save_file

from magpie.indexer.encoder.encoder import fingerprint_of
from magpie.indexer.encoder.onnx_export import write_graphs
from magpie.indexer.encoder.torch_clip import load_local
from magpie.indexer.encoder_training.captions import CaptionMaker
from magpie.indexer.encoder_training.train_tokenizer import TokenRows
from magpie.indexer.encoder_training.validation import encode_all_pictures, encode_all_texts

_SAMPLE = 4096


def export_model(
    model: CustomTextCLIP, config: dict[str, Any], vocabulary: Path, means: dict[str, list[float]], out: Path
) -> int:
    """The size in bytes of the open_clip local-dir model that is written to `out`. Raises OSError.

    Each file is written beside its place and renamed. Pictures are squashed to the input size: a margin would cost more
    detail than the distortion does (measured in docs/encoder.md).
    """
    out.mkdir(parents=True, exist_ok=True)
    preprocess = {"mean": list(OPENAI_DATASET_MEAN), "std": list(OPENAI_DATASET_STD), "interpolation": "bicubic",
                  "resize_mode": "squash", "fill_color": 255}  # fmt: skip
    _write_json(out / "open_clip_config.json", {"model_cfg": config, "preprocess_cfg": preprocess})
    _write_json(out / "magpie.json", {"means": means})
    weights = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous()
        for name, tensor in model.state_dict().items()
    }
    beside = out / "open_clip_model.tmp"
    save_file(weights, beside)
    weights_file = beside.replace(out / "open_clip_model.safetensors")
    if vocabulary != out / "bpe.txt.gz":
        shutil.copyfile(vocabulary, out / "bpe.tmp")
        (out / "bpe.tmp").replace(out / "bpe.txt.gz")
    write_graphs(load_local(out, "cpu"), out, fingerprint_of(out), weights_file)
    return sum(file.stat().st_size for file in out.iterdir() if file.is_file())


def _write_json(path: Path, content: dict[str, Any]) -> None:
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)


def mean_vectors(
    model: CustomTextCLIP, captions: CaptionMaker, rows: npt.NDArray[np.int64], pixels: npt.NDArray[np.uint8],
    tokens: TokenRows,
) -> dict[str, list[float]]:  # fmt: skip
    """The (dim,) mean vectors of item texts, queries and pictures over a sample of `rows`, to centre each modality."""
    rng = random.Random(0)
    chosen = np.array(rng.sample(rows.tolist(), min(_SAMPLE, len(rows))), np.int64)
    described = [int(row) for row in chosen if captions.is_described[row]] or None
    queries = [captions.attribute_caption(row, rng).text for row in described] if described else None
    texts = [captions.item_text(int(row), rng)[0] for row in chosen]
    vectors = {
        "text": encode_all_texts(model, texts, tokens),
        "query": encode_all_texts(model, queries or [captions.items[row].title for row in chosen], tokens),
        "image": encode_all_pictures(model, pixels, chosen),
    }
    return {name: [round(float(x), 6) for x in rows.mean(0)] for name, rows in vectors.items()}


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Writes a checkpoint beside its place and renames it, so that a killed run keeps the previous one."""
    beside = path.with_suffix(".tmp")
    torch.save(state, beside)
    beside.replace(path)
