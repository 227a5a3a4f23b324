"""Magpie's own encoders without torch: both towers in numpy, read from the same files as open_clip reads.

Serving needs nothing more, so a server that is asked by words and pictures takes half the memory, and a command that
encodes little starts at once. Many pictures are encoded by torch, in bfloat16 (`encoder.py`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file
from threadpoolctl import threadpool_limits

from magpie.indexer.encoder.bpe_tokenizer import BytePairTokenizer
from magpie.indexer.encoder.image_preprocessing import PicturePreprocessing
from magpie.indexer.encoder.numpy_image_tower import PictureTower
from magpie.indexer.encoder.numpy_text_tower import ShortTextTower, gelu

__all__ = ["CompactNetwork", "is_compact"]

_WEIGHTS_FILE = "open_clip_model.safetensors"
_VOCABULARY_FILE = "bpe.txt.gz"

_PICTURES = {"timm_model_pretrained": False, "timm_pool": "avg", "timm_proj": "linear"}
_TOWER = "magpie_resnet_"
_TEXT_SIZES = {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio"}


def is_compact(folder: Path, model_config: Mapping[str, Any]) -> bool:
    """Whether the model in `folder`, with this open_clip `model_cfg`, is one that `magpie train encoder` makes."""
    vision, text = dict(model_config.get("vision_cfg", {})), dict(model_config.get("text_cfg", {}))
    tower = str(vision.pop("timm_model_name", ""))
    vision.pop("image_size", None)
    is_lower = text.pop("tokenizer_kwargs", None) == {"clean": "lower"}
    is_own = tower.startswith(_TOWER) and vision == _PICTURES and is_lower and set(text) == _TEXT_SIZES
    has_files = all((folder / name).is_file() for name in (_WEIGHTS_FILE, _VOCABULARY_FILE))
    return is_own and has_files and set(model_config) == {"embed_dim", "custom_text", "vision_cfg", "text_cfg"}


class CompactNetwork:
    """The towers and the tokenizer of one model folder. Safe to share among threads."""

    def __init__(self, folder: Path, model_config: Mapping[str, Any], preprocessing: PicturePreprocessing) -> None:
        """Raises OSError, ValueError, KeyError or safetensors' own error for files that do not fit each other."""
        weights = {name: array.astype(np.float32) for name, array in load_file(folder / _WEIGHTS_FILE).items()}
        text_config = model_config["text_cfg"]
        self.context_length = int(text_config["context_length"])
        self._tokenizer = BytePairTokenizer.read(folder / _VOCABULARY_FILE, self.context_length)
        self._texts = ShortTextTower(_below(weights, "text."), int(text_config["heads"]), gelu)
        self._pictures = PictureTower({**_below(weights, "visual.trunk."), **_below(weights, "visual.")})
        self._mean = np.array(preprocessing.mean, np.float32) * 255
        self._std = np.array(preprocessing.std, np.float32) * 255

    def set_threads(self, count: int) -> None:
        """Lets one call use at most `count` cores, in this whole process."""
        threadpool_limits(count, "blas")

    def count_tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text))

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        """(n, dim) float32 features; what exceeds the context is cut."""
        return self._texts.encode(self._tokenizer(texts))

    def encode_pictures(self, pixels: np.ndarray) -> np.ndarray:
        """(n, dim) float32 features of (n, height, width, 3) uint8 pixels."""
        return self._pictures.encode((pixels.astype(np.float32) - self._mean) / self._std)


def _below(weights: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in weights.items() if name.startswith(prefix)}
