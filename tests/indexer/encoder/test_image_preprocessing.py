"""Preprocessing without torch against open_clip's own inference transform."""

import numpy as np
import pytest
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from magpie.indexer.encoder.image_preprocessing import PicturePreprocessing, prepare_picture

CONFIGS = [
    {"size": 64},
    {"size": (64, 48), "resize_mode": "squash"},
    {"size": (48, 64), "resize_mode": "longest", "fill_color": 255},
    {"size": (64, 48), "resize_mode": "longest"},
    {"size": (64, 48), "resize_mode": "shortest"},
    {"size": 33, "resize_mode": "squash", "interpolation": "bilinear"},
    {"size": 32, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)},
]


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("size", [(60, 80), (300, 100), (97, 203), (20, 20), (64, 48)])
def test_pixels_equal_those_of_open_clip(config: dict, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    image = Image.fromarray(noise)
    wanted = PicturePreprocessing.from_config(config)
    ours = prepare_picture(image, wanted).astype(np.float32) / 255
    ours = (ours - np.array(wanted.mean, np.float32)) / np.array(wanted.std, np.float32)
    theirs = image_transform_v2(PreprocessCfg(**config), is_train=False)(image).numpy().transpose(1, 2, 0)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
