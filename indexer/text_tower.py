"""Tokens → text features by open_clip's causal transformer, in numpy and only as wide as the longest text.

A query has some six tokens. Its products are tiny, and what they cost is fetching the weights and the code around
them: numpy on weights laid out for it takes half the time of torch's operations, and batches take no longer
(docs/speed.md). The numbers are the same. In a causal tower what follows the end token cannot change the result.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (the customary name)
from scipy.special import erf, expit
from torch import Tensor, nn

__all__ = ["ShortTextTower"]

_MANY_NUMBERS = 50_000  # from here on torch's activation is quicker than scipy's, in spite of the way there and back

_Operation = Callable[[np.ndarray], np.ndarray]


class _Norm(NamedTuple):
    """A layer norm over the last axis."""

    weight: np.ndarray
    bias: np.ndarray
    eps: float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        centred = x - _mean(x)
        variance = _mean(centred * centred)
        return np.asarray(centred / np.sqrt(variance + self.eps) * self.weight + self.bias)


def _mean(x: np.ndarray) -> np.ndarray:
    """Over the last axis, which stays; x.mean() takes three times as long for a few rows."""
    return np.asarray(np.add.reduce(x, -1, keepdims=True) / np.float32(x.shape[-1]))


@cache
def _causal_mask(length: int) -> np.ndarray:
    """(length, length): minus infinity where a token would see one that comes after it."""
    return np.triu(np.full((length, length), -np.inf, np.float32), 1)


class _Linear(NamedTuple):
    """A fully connected layer; `weight` is (inputs, outputs), row after row, which small products want."""

    weight: np.ndarray
    bias: np.ndarray | float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x.reshape(-1, x.shape[-1]) @ self.weight + self.bias).reshape(*x.shape[:-1], -1)


class _Block(NamedTuple):
    """One pre-norm block: attention, then a perceptron."""

    norm_1: _Norm
    project: _Linear
    num_heads: int
    mix: _Linear
    scale_1: np.ndarray | float
    norm_2: _Norm
    widen: _Linear
    activation: _Operation
    narrow: _Linear
    scale_2: np.ndarray | float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        x = x + self.scale_1 * self.mix(self._attend(self.project(self.norm_1(x))))
        return x + self.scale_2 * self.narrow(self.activation(self.widen(self.norm_2(x))))

    def _attend(self, projected: np.ndarray) -> np.ndarray:
        """Causal self-attention: (n, length, 3 · width) queries, keys and values → (n, length, width)."""
        n, length, triple = projected.shape
        parts = projected.reshape(n, length, 3, self.num_heads, triple // 3 // self.num_heads)
        query, key, value = parts.transpose(2, 0, 3, 1, 4)
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(math.sqrt(parts.shape[-1]))
        scores += _causal_mask(length)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        return (weights @ value).transpose(0, 2, 1, 3).reshape(n, length, triple // 3)


class ShortTextTower:
    """The text tower of an open_clip model (CLIP or CustomTextCLIP), run as wide as the longest text."""

    def __init__(self, model: nn.Module) -> None:
        """Takes over the model's weights, which go on working there.

        Raises AttributeError, TypeError or ValueError for a tower that is built in another way or lives on a GPU.
        """
        tower: Any = getattr(model, "text", model)
        self._tokens = _numbers(tower.token_embedding.weight)
        self._positions = _numbers(tower.positional_embedding)
        self._blocks = [_read_block(block) for block in tower.transformer.resblocks]
        self._last_norm = _read_norm(tower.ln_final)
        projection: Any = tower.text_projection
        is_layer = isinstance(projection, nn.Linear)
        self._projection = _read_linear(projection) if is_layer else _Linear(_numbers(projection), 0.0)

    def encode(self, tokens: np.ndarray) -> np.ndarray:
        """(n, dim) float32 features, of any length, from (n, length) token ids; the end token is the highest id."""
        x = self._tokens[tokens] + self._positions[: tokens.shape[1]]
        for block in self._blocks:
            x = block(x)
        return self._projection(self._last_norm(x[np.arange(len(tokens)), tokens.argmax(-1)]))


def _read_block(block: Any) -> _Block:
    attention = block.attn
    if not isinstance(attention, nn.MultiheadAttention):
        raise TypeError(f"attention by {type(attention).__name__}")
    widen, activation, narrow = block.mlp
    return _Block(
        _read_norm(block.ln_1),
        _take_over(attention.in_proj_weight, attention.in_proj_bias),
        attention.num_heads,
        _read_linear(attention.out_proj),
        _read_scale(block.ls_1),
        _read_norm(block.ln_2),
        _read_linear(widen),
        _read_activation(activation),
        _read_linear(narrow),
        _read_scale(block.ls_2),
    )


def _read_norm(norm: nn.LayerNorm) -> _Norm:
    return _Norm(_numbers(norm.weight), _numbers(norm.bias), norm.eps)


def _read_linear(linear: nn.Linear) -> _Linear:
    return _take_over(linear.weight, linear.bias)


def _take_over(weight: Tensor, bias: Tensor | None) -> _Linear:
    """The layer with its weights laid out anew; the model goes on with the same memory, seen the other way round."""
    laid_out = np.ascontiguousarray(_numbers(weight).T)
    weight.data = torch.from_numpy(laid_out).T
    return _Linear(laid_out, 0.0 if bias is None else _numbers(bias))


def _read_scale(scale: nn.Module) -> np.ndarray | float:
    if isinstance(scale, nn.Identity):
        return 1.0
    gamma: Any = scale.gamma
    return _numbers(gamma)


def _read_activation(activation: nn.Module) -> _Operation:
    if isinstance(activation, nn.GELU) and activation.approximate == "none":
        return _gelu
    if type(activation).__name__ == "QuickGELU":
        return _quick_gelu
    raise TypeError(f"activation by {type(activation).__name__}")


def _gelu(x: np.ndarray) -> np.ndarray:
    """Gaussian error linear unit (Hendrycks and Gimpel 2016), exactly."""
    if x.size >= _MANY_NUMBERS:
        return np.asarray(F.gelu(torch.from_numpy(x)))
    return np.asarray(0.5 * x * (1 + erf(x * np.float32(math.sqrt(0.5)))))


def _quick_gelu(x: np.ndarray) -> np.ndarray:
    """Its approximation by a sigmoid, which OpenAI's CLIP uses."""
    return np.asarray(x * expit(np.float32(1.702) * x))


def _numbers(tensor: Tensor) -> np.ndarray:
    if tensor.dtype != torch.float32:
        raise TypeError(f"weights of type {tensor.dtype}")
    return tensor.detach().numpy()
