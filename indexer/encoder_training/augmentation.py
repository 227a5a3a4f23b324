"""Augments the pictures of a training batch: random shift, zoom, mirroring, stretch, background, colour."""

import torch
import torch.nn.functional as F  # noqa: N812  (the customary name)
from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from torch import Tensor


def normalised(pictures: Tensor) -> Tensor:
    """(n, 3, height, width) pictures from 0 to 1, normalised by CLIP's mean and deviation, channels last."""
    mean = torch.tensor(OPENAI_DATASET_MEAN, device=pictures.device).view(1, 3, 1, 1)
    std = torch.tensor(OPENAI_DATASET_STD, device=pictures.device).view(1, 3, 1, 1)
    return ((pictures - mean) / std).contiguous(memory_format=torch.channels_last)


def augmented(pictures: Tensor, size: tuple[int, int], random: torch.Generator) -> Tensor:
    """(n, 3, *size) float32 augmented and normalised pictures, from (n, height, width, 3) uint8 ones.

    `size` is (height, width); `random` is a generator on the pictures' device.
    """
    x = pictures.permute(0, 3, 1, 2).float().div_(255)
    moved = _moved(x, size, random)
    return normalised(_coloured(moved, random))


def _uniform(low: float, high: float, shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=random, device=random.device) * (high - low) + low


def _moved(x: Tensor, size: tuple[int, int], random: torch.Generator) -> Tensor:
    """Pictures shifted, zoomed and stretched at random, half of them mirrored, on a plain background."""
    n = len(x)
    zoom = torch.exp(_uniform(-0.36, 0.16, (n,), random))  # below 1: a part of the picture; above: a margin round it
    far = _uniform(0, 1, (n,), random) < 0.15
    zoom = torch.where(far, zoom * _uniform(1.1, 1.6, (n,), random), zoom)
    stretch = torch.exp(_uniform(-0.16, 0.16, (n,), random))
    width, height = zoom * stretch, zoom / stretch
    mirror = torch.where(_uniform(0, 1, (n,), random) < 0.5, -1.0, 1.0)
    theta = torch.zeros(n, 2, 3, device=x.device)
    theta[:, 0, 0] = width * mirror
    theta[:, 1, 1] = height
    theta[:, 0, 2] = _uniform(-1, 1, (n,), random) * (1 - width).abs().clamp(min=0.06)
    theta[:, 1, 2] = _uniform(-1, 1, (n,), random) * (1 - height).abs().clamp(min=0.06)
    # the background is the mean of the picture's corners, or any light or dark plain colour
    corner = (x[:, :, :2, :2].mean((2, 3)) + x[:, :, :2, -2:].mean((2, 3))) / 2
    shade = _uniform(0, 1, (n, 1), random) + _uniform(-0.1, 0.1, (n, 3), random)
    own = _uniform(0, 1, (n, 1), random) < 0.7
    ground = torch.where(own, corner, shade.clamp(0, 1))[:, :, None, None]
    grid = F.affine_grid(theta, [n, 3, *size], align_corners=False)
    inside = F.grid_sample(x - ground, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return inside + ground


def _coloured(x: Tensor, random: torch.Generator) -> Tensor:
    """Pictures with random contrast around white (a white background stays white), brightness and tint."""
    n = len(x)
    x = 1 - (1 - x) * _uniform(0.9, 1.1, (n, 1, 1, 1), random)
    x = x * _uniform(0.88, 1.04, (n, 1, 1, 1), random) * _uniform(0.97, 1.03, (n, 3, 1, 1), random)
    tinted = _uniform(0, 1, (n, 1, 1, 1), random) < 0.1
    x = torch.where(tinted, x * _uniform(0.82, 1.0, (n, 3, 1, 1), random), x)
    return x.clamp(0, 1)
