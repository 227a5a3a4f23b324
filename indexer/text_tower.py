"""Tokens → text features by open_clip's causal transformer, without what its modules cost around each product.

A query has some six tokens, and its products take a fifth of the time that torch's modules take to call them. The
same operations on the same weights, called directly and only for as many positions as there are tokens, give the same
numbers in half the time (docs/speed.md). In a causal tower what follows the end-of-text token cannot change the result.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  (the customary name)
from torch import Tensor, nn

__all__ = ["ShortTextTower"]


_Operation = Callable[[Tensor], Tensor]


class _Block(NamedTuple):
    """The weights of one pre-norm block: attention, then a perceptron."""

    norm_1: nn.LayerNorm
    attention: nn.MultiheadAttention
    scale_1: _Operation
    norm_2: nn.LayerNorm
    widen: nn.Linear
    activation: _Operation
    narrow: nn.Linear
    scale_2: _Operation


class ShortTextTower:
    """The text tower of an open_clip model (CLIP or CustomTextCLIP), run as wide as the longest text."""

    def __init__(self, model: nn.Module) -> None:
        """Raises AttributeError, TypeError or ValueError for a tower that is built in another way."""
        tower: Any = getattr(model, "text", model)
        self._tokens: Tensor = tower.token_embedding.weight
        self._positions: Tensor = tower.positional_embedding
        self._blocks = [_read_block(block) for block in tower.transformer.resblocks]
        self._last_norm: nn.LayerNorm = tower.ln_final
        self._projection: nn.Linear | Tensor = tower.text_projection

    @torch.inference_mode()
    def encode(self, tokens: Tensor) -> np.ndarray:
        """(n, dim) float32 features, of any length, from (n, length) token ids; the end token is the highest id."""
        n, length = tokens.shape
        x = F.embedding(tokens, self._tokens) + self._positions[:length]
        for block in self._blocks:
            x = x + block.scale_1(_attend(block.attention, _normalise(block.norm_1, x)))
            wide = block.activation(_apply(block.widen, _normalise(block.norm_2, x)))
            x = x + block.scale_2(_apply(block.narrow, wide))
        ends = x[torch.arange(n, device=tokens.device), tokens.argmax(-1)]
        ends = _normalise(self._last_norm, ends)
        projection = self._projection
        features = _apply(projection, ends) if isinstance(projection, nn.Linear) else ends @ projection
        return np.asarray(features.float().cpu())


def _read_block(block: Any) -> _Block:
    if not isinstance(block.attn, nn.MultiheadAttention):
        raise TypeError(f"attention by {type(block.attn).__name__}")
    widen, activation, narrow = block.mlp
    quick = F.gelu if isinstance(activation, nn.GELU) and activation.approximate == "none" else activation
    scales = [_nothing if isinstance(scale, nn.Identity) else scale for scale in (block.ls_1, block.ls_2)]
    return _Block(block.ln_1, block.attn, scales[0], block.ln_2, widen, quick, narrow, scales[1])


def _nothing(x: Tensor) -> Tensor:
    return x


def _normalise(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    return F.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def _apply(linear: nn.Linear, x: Tensor) -> Tensor:
    return F.linear(x, linear.weight, linear.bias)


def _attend(attention: nn.MultiheadAttention, x: Tensor) -> Tensor:
    """Causal self-attention of (n, length, width)."""
    n, length, width = x.shape
    heads = attention.num_heads
    parts = F.linear(x, attention.in_proj_weight, attention.in_proj_bias).view(n, length, 3, heads, width // heads)
    query, key, value = parts.permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    return _apply(attention.out_proj, mixed.transpose(1, 2).reshape(n, length, width))
