"""Resizes and crops pictures to the pixels that an encoder was trained on, with Pillow alone.

Decoding runs in worker processes. Importing torch there would cost each of them half a gigabyte, so
this module replicates the inference transform of open_clip (`image_transform_v2`) without torch, up to
the normalisation, which happens once per batch in the encoder. A test holds the two against each other.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageOps

_RESAMPLING = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True)
class PicturePreprocessing:
    """How an encoder's input pictures are resized, cropped and normalised; fields as in open_clip's `PreprocessCfg`."""

    height: int
    width: int
    resize_mode: str = "shortest"
    interpolation: str = "bicubic"
    fill_color: int = 0
    mean: tuple[float, ...] = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[float, ...] = (0.26862954, 0.26130258, 0.27577711)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "PicturePreprocessing":
        """The preprocessing that an open_clip `preprocess_cfg` dictionary describes; `size` is an int or (h, w)."""
        size = config.get("size", 224)
        height, width = (size, size) if isinstance(size, int) else (int(size[-2]), int(size[-1]))
        known = {k: config[k] for k in ("resize_mode", "interpolation", "fill_color") if config.get(k) is not None}
        for key in ("mean", "std"):
            value = config.get(key)
            if value is not None:
                known[key] = tuple(value) if isinstance(value, (list, tuple)) else (float(value),) * 3
        return cls(height, width, **known)


def prepare_picture(image: Image.Image, preprocessing: PicturePreprocessing) -> np.ndarray:
    """(height, width, 3) uint8 pixels of an RGB picture, resized and cropped as `preprocessing` says."""
    target = (preprocessing.width, preprocessing.height)
    resample = _RESAMPLING[preprocessing.interpolation]
    if preprocessing.resize_mode == "squash":
        image = image.resize(target, resample)
    elif preprocessing.resize_mode == "longest":
        image = _pad_to(_resize_by(image, _ratio(image, target, max), resample), target, preprocessing.fill_color)
    elif preprocessing.height == preprocessing.width:
        image = _resize_shortest_edge(image, preprocessing.width, resample)
    else:
        # open_clip ignores the configured interpolation here, and so do we
        image = _resize_by(image, _ratio(image, target, min), Image.Resampling.BICUBIC)
    return np.array(_center_crop(_pad_to(image, target, 0), target), dtype=np.uint8)


def _ratio(image: Image.Image, target: tuple[int, int], choose: Any) -> float:
    return float(choose(image.width / target[0], image.height / target[1]))


def _resize_by(image: Image.Image, ratio: float, resample: Image.Resampling) -> Image.Image:
    size = (max(1, round(image.width / ratio)), max(1, round(image.height / ratio)))
    return image.resize(size, resample)


def _resize_shortest_edge(image: Image.Image, edge: int, resample: Image.Resampling) -> Image.Image:
    short, long = sorted(image.size)
    stretched = int(edge * long / short)
    return image.resize((edge, stretched) if image.width <= image.height else (stretched, edge), resample)


def _pad_to(image: Image.Image, target: tuple[int, int], fill: int) -> Image.Image:
    missing_w, missing_h = max(0, target[0] - image.width), max(0, target[1] - image.height)
    if not missing_w and not missing_h:
        return image
    border = (missing_w // 2, missing_h // 2, (missing_w + 1) // 2, (missing_h + 1) // 2)
    return ImageOps.expand(image, border, (fill,) * 3)


def _center_crop(image: Image.Image, target: tuple[int, int]) -> Image.Image:
    left, top = round((image.width - target[0]) / 2.0), round((image.height - target[1]) / 2.0)
    return image.crop((left, top, left + target[0], top + target[1]))
