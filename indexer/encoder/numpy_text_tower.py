"""Tokens → text features by open_clip's causal transformer, in numpy and only as wide as the longest text.

A query has some six tokens. Its products are tiny, and what they cost is fetching the weights and the code around
them: numpy on weights laid out for it takes half the time of torch's operations, and batches take no longer
(docs/speed.md). The numbers are the same. In a causal tower what follows the end token cannot change the result.
"""

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.special import expit

__all__ = ["Activation", "ShortTextTower", "gelu", "laid_out_names", "quick_gelu"]

Activation = Callable[[np.ndarray], np.ndarray]

_EPS = 1e-5  # of open_clip's layer norms
_IN_CACHE = 16_384  # numbers that stay in the processor's cache between operations
_ERFC = np.array([1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592], np.float32)
_BLOCKS = "transformer.resblocks."
_LAYERS = ("attn.in_proj_weight", "attn.out_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")


class ShortTextTower:
    """The text tower of an open_clip model (CLIP or CustomTextCLIP), run as wide as the longest text."""

    def __init__(self, weights: Mapping[str, np.ndarray], num_heads: int, activation: Activation) -> None:
        """`weights` are float32 arrays by open_clip's names; layers of the other order in memory are not copied.

        Raises KeyError or ValueError for a tower that is built in another way.
        """
        self._tokens = weights["token_embedding.weight"]
        self._positions = weights["positional_embedding"]
        length = sum(1 for name in weights if name.startswith(_BLOCKS) and name.endswith(".ln_1.weight"))
        self._blocks = [_read_block(weights, f"{_BLOCKS}{n}.", num_heads, activation) for n in range(length)]
        self._last_norm = _read_norm(weights, "ln_final")
        if "text_projection" in weights:
            self._projection = _Linear(weights["text_projection"], 0.0)
        else:
            self._projection = _read_linear(weights, "text_projection.weight", "text_projection.bias")

    def encode(self, tokens: np.ndarray) -> np.ndarray:
        """(n, dim) float32 features, of any length, from (n, length) token ids; the end token is the highest id."""
        x = self._tokens[tokens] + self._positions[: tokens.shape[1]]
        for block in self._blocks[:-1]:
            x = block(x)
        return self._projection(self._last_norm(self._blocks[-1].at_ends(x, tokens.argmax(-1))))


def laid_out_names(names: Mapping[str, object]) -> list[str]:
    """Those of the weights that are quickest as (outputs, inputs) arrays with the outputs next to each other."""
    in_blocks = [name for name in names if name.startswith(_BLOCKS) and name.endswith(_LAYERS)]
    return [*in_blocks, *(name for name in names if name == "text_projection.weight")]


class _Norm(NamedTuple):
    """A layer norm over the last axis."""

    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        share = _shares(x.shape[-1])  # a product with these is the mean: x.mean() takes five times as long for few rows
        centred = x - (x @ share)[..., None]
        variance = np.vecdot(centred, centred) * share[0]
        centred /= np.sqrt(variance + np.float32(_EPS))[..., None]
        centred *= self.weight
        centred += self.bias
        return np.asarray(centred)


@cache
def _shares(length: int) -> np.ndarray:
    return np.full(length, 1 / length, np.float32)


@cache
def _causal_mask(length: int) -> np.ndarray:
    """(length, length): minus infinity where a token would see one that comes after it."""
    return np.triu(np.full((length, length), -np.inf, np.float32), 1)


class _Linear(NamedTuple):
    """A fully connected layer; `weight` is (inputs, outputs), row after row, which small products want."""

    weight: np.ndarray
    bias: np.ndarray | float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        product = x.reshape(-1, x.shape[-1]) @ self.weight
        product += self.bias
        return product.reshape(*x.shape[:-1], -1)


class _Block(NamedTuple):
    """One pre-norm block: attention, then a perceptron."""

    norm_1: _Norm
    project: _Linear
    num_heads: int
    mix: _Linear
    scale_1: np.ndarray | None
    norm_2: _Norm
    widen: _Linear
    activation: Activation
    narrow: _Linear
    scale_2: np.ndarray | None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        query, key, value = self._parts(x)
        return self._go_on(x, self._attend(query, key, value, _causal_mask(x.shape[1])))

    def at_ends(self, x: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """(n, width) what the block makes of one token ((n,) `ends`) of each text: of the last block nothing else is
        used, and the others of a query's six tokens are most of what it has to do."""
        rows = np.arange(len(x))
        query, key, value = self._parts(x)
        mask = _causal_mask(x.shape[1])[ends][:, None, None]
        attended = self._attend(query[rows, :, ends][:, :, None], key, value, mask)
        return self._go_on(x[rows, ends], attended[:, 0])

    def _parts(self, x: np.ndarray) -> np.ndarray:
        """(3, n, heads, length, width of a head) queries, keys and values of (n, length, width)."""
        projected = self.project(self.norm_1(x))
        n, length, triple = projected.shape
        parts = projected.reshape(n, length, 3, self.num_heads, triple // 3 // self.num_heads)
        return parts.transpose(2, 0, 3, 1, 4)

    def _attend(self, query: np.ndarray, key: np.ndarray, value: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Self-attention by heads: (n, heads, asking, width of a head) → (n, asking, width)."""
        scores = query @ key.transpose(0, 1, 3, 2)
        scores *= np.float32(1 / math.sqrt(query.shape[-1]))
        scores += mask
        scores -= np.maximum.reduce(scores, -1, keepdims=True)
        weights = np.exp(scores, out=scores)
        weights /= np.add.reduce(weights, -1, keepdims=True)
        n, heads, asking, width = query.shape
        return (weights @ value).transpose(0, 2, 1, 3).reshape(n, asking, heads * width)

    def _go_on(self, x: np.ndarray, attended: np.ndarray) -> np.ndarray:
        """(…, width) after attention."""
        x = _added(x, self.mix(attended), self.scale_1)
        return _added(x, self.narrow(self.activation(self.widen(self.norm_2(x)))), self.scale_2)


def _added(x: np.ndarray, change: np.ndarray, scale: np.ndarray | None) -> np.ndarray:
    """x + scale · change, into the array of the change."""
    if scale is not None:
        change *= scale
    change += x
    return change


def gelu(x: np.ndarray) -> np.ndarray:
    """Gaussian error linear unit (Hendrycks and Gimpel 2016), within 4e-7: as exact as float32 makes it.

    A third of the time of SciPy's error function, which goes through the numbers one by one.
    """
    flat = np.ravel(x)
    result = np.empty_like(flat)
    for at in range(0, len(flat), _IN_CACHE):
        result[at : at + _IN_CACHE] = _gelu_of_some(flat[at : at + _IN_CACHE])
    return result.reshape(x.shape)


def _gelu_of_some(x: np.ndarray) -> np.ndarray:
    """max(x, 0) - |x| / 2 · erfc(|x| / √2), with erfc by Abramowitz and Stegun (1964), 7.1.26."""
    size = np.abs(x)
    z = size * np.float32(math.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * z)
    tail = _ERFC[0] * t
    for coefficient in _ERFC[1:]:
        tail += coefficient
        tail *= t
    np.multiply(z, z, out=z)
    tail *= np.exp(np.negative(z, out=z), out=z)
    tail *= size
    tail *= np.float32(0.5)
    return np.asarray(np.maximum(x, 0) - tail)


def quick_gelu(x: np.ndarray) -> np.ndarray:
    """Its approximation by a sigmoid, which OpenAI's CLIP uses."""
    return np.asarray(x * expit(np.float32(1.702) * x))


def _read_block(weights: Mapping[str, np.ndarray], at: str, num_heads: int, activation: Activation) -> _Block:
    return _Block(
        _read_norm(weights, f"{at}ln_1"),
        _read_linear(weights, f"{at}attn.in_proj_weight", f"{at}attn.in_proj_bias"),
        num_heads,
        _read_linear(weights, f"{at}attn.out_proj.weight", f"{at}attn.out_proj.bias"),
        weights.get(f"{at}ls_1.gamma"),
        _read_norm(weights, f"{at}ln_2"),
        _read_linear(weights, f"{at}mlp.c_fc.weight", f"{at}mlp.c_fc.bias"),
        activation,
        _read_linear(weights, f"{at}mlp.c_proj.weight", f"{at}mlp.c_proj.bias"),
        weights.get(f"{at}ls_2.gamma"),
    )


def _read_norm(weights: Mapping[str, np.ndarray], name: str) -> _Norm:
    return _Norm(weights[f"{name}.weight"], weights[f"{name}.bias"])


def _read_linear(weights: Mapping[str, np.ndarray], weight: str, bias: str) -> _Linear:
    return _Linear(np.ascontiguousarray(weights[weight].T), weights.get(bias, 0.0))
