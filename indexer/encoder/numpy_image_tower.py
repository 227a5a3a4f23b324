"""Pixels → picture features by the residual networks of magpie's own encoders (`training/towers.py`), in numpy.

A picture that somebody searches by comes alone, and alone it takes a quarter of torch's time here; above all, a server
that needs no torch takes half the memory and starts at once (docs/speed.md). The numbers are torch's in float32.
Arrays are (pictures, height, width, channels).
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import expit

__all__ = ["PictureTower"]

_EPS = 1e-5  # of torch's batch norms
_STEM = (("conv1.0", "conv1.1", 2), ("conv1.3", "conv1.4", 1), ("conv1.6", "bn1", 1))  # convolution, norm, stride
_AT_ONCE = 16  # pictures; more fall out of the processor's caches between two layers


class PictureTower:
    """The picture tower of a magpie encoder: a stem, four stages of blocks, the mean over the places, a projection."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        """`weights` are float32 arrays by timm's names. Raises KeyError for a tower that is built in another way."""
        self._stem = [_read_convolution(weights, layer, norm, stride) for layer, norm, stride in _STEM]
        names = sorted({name.split(".conv1.")[0] for name in weights if name.startswith("layer") and ".conv1." in name})
        self._blocks = [_read_block(weights, name) for name in names]
        self._projection = np.ascontiguousarray(weights["head.proj.weight"].T)

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """(n, dim) float32 features, of any length, from normalised (n, height, width, 3) float32 pixels."""
        some = [self._encode_some(pixels[at : at + _AT_ONCE]) for at in range(0, len(pixels), _AT_ONCE)]
        return np.concatenate(some) if some else np.zeros((0, self._projection.shape[1]), np.float32)

    def _encode_some(self, x: np.ndarray) -> np.ndarray:
        for convolution in self._stem:
            x = _rectified(convolution(x))
        x = _largest_of_threes(x)
        for block in self._blocks:
            x = block(x)
        return np.asarray(x.mean((1, 2)) @ self._projection)


class _Convolution(NamedTuple):
    """A 3x3 or 1x1 convolution with its batch norm folded in; `weight` is (places · channels in, channels out)."""

    weight: np.ndarray
    bias: np.ndarray
    size: int
    stride: int

    def __call__(self, x: np.ndarray) -> np.ndarray:
        patches = x if self.size == 1 else _patches(x, self.stride)
        n, height, width = patches.shape[:3]
        return (patches.reshape(n * height * width, -1) @ self.weight + self.bias).reshape(n, height, width, -1)


class _Gate(NamedTuple):
    """Squeeze-and-excite (Hu et al. 2018): how much each channel counts, told by all channels' means."""

    squeeze: np.ndarray
    squeeze_bias: np.ndarray
    excite: np.ndarray
    excite_bias: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        squeezed = np.maximum(x.mean((1, 2)) @ self.squeeze + self.squeeze_bias, 0)
        return np.asarray(expit(squeezed @ self.excite + self.excite_bias))[:, None, None]


class _Block(NamedTuple):
    """Two convolutions, gated, added to what came in (He et al. 2016); a shrinking block averages that first."""

    first: _Convolution
    second: _Convolution
    gate: _Gate
    shortcut: _Convolution | None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        y = self.second(_rectified(self.first(x)))
        y *= self.gate(y)
        y += self.shortcut(_means_of_twos(x)) if self.shortcut else x
        return _rectified(y)


def _rectified(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0, out=x)


def _bordered(x: np.ndarray, value: float) -> np.ndarray:
    n, height, width, channels = x.shape
    wide = np.full((n, height + 2, width + 2, channels), value, np.float32)
    wide[:, 1:-1, 1:-1] = x
    return wide


def _patches(x: np.ndarray, stride: int) -> np.ndarray:
    """(n, height, width, 3, 3, channels): what a 3x3 convolution sees at each place."""
    windows = np.lib.stride_tricks.sliding_window_view(_bordered(x, 0), (3, 3), (1, 2))
    return windows[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)


def _largest_of_threes(x: np.ndarray) -> np.ndarray:
    """Max pooling over 3x3 places, every second one."""
    wide = _bordered(x, -np.inf)
    rows = np.maximum(np.maximum(wide[:, :-2:2], wide[:, 1:-1:2]), wide[:, 2::2])
    return np.maximum(np.maximum(rows[:, :, :-2:2], rows[:, :, 1:-1:2]), rows[:, :, 2::2])


def _means_of_twos(x: np.ndarray) -> np.ndarray:
    """Average pooling over 2x2 places; what is left over at an odd border is averaged by itself."""
    n, height, width, channels = x.shape
    if height % 2 or width % 2:
        x = np.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.asarray(x.reshape(n, -(-height // 2), 2, -(-width // 2), 2, channels).mean((2, 4)))


def _read_block(weights: Mapping[str, np.ndarray], at: str) -> _Block:
    shortcut = None
    if f"{at}.downsample.1.weight" in weights:
        shortcut = _read_convolution(weights, f"{at}.downsample.1", f"{at}.downsample.2", 1)
    first = _read_convolution(weights, f"{at}.conv1", f"{at}.bn1", 2 if shortcut and not at.startswith("layer1") else 1)
    return _Block(first, _read_convolution(weights, f"{at}.conv2", f"{at}.bn2", 1), _read_gate(weights, at), shortcut)


def _read_gate(weights: Mapping[str, np.ndarray], at: str) -> _Gate:
    squeeze, excite = (weights[f"{at}.se.{layer}.weight"][:, :, 0, 0].T for layer in ("fc1", "fc2"))
    return _Gate(squeeze, weights[f"{at}.se.fc1.bias"], excite, weights[f"{at}.se.fc2.bias"])


def _read_convolution(weights: Mapping[str, np.ndarray], layer: str, norm: str, stride: int) -> _Convolution:
    scale = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + np.float32(_EPS))
    kernel = (weights[f"{layer}.weight"] * scale[:, None, None, None]).transpose(2, 3, 1, 0)
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    return _Convolution(np.ascontiguousarray(kernel.reshape(-1, kernel.shape[-1])), bias, len(kernel), stride)
