"""Texts → token ids by open_clip's tokenizer, in numpy and only as wide as the longest text."""

from typing import Any

import numpy as np

__all__ = ["ShortTokenizer", "without_needless_cleaning"]


class ShortTokenizer:
    """open_clip's tokenizer of byte pairs without torch: making tensors takes longer than finding a query's tokens."""

    def __init__(self, tokenizer: Any) -> None:
        """Raises TypeError for a tokenizer of another kind."""
        from open_clip.tokenizer import SimpleTokenizer

        if type(tokenizer) is not SimpleTokenizer or tokenizer.reduction_fn is not None:
            raise TypeError(f"tokens by {type(tokenizer).__name__}")
        self._tokenizer = tokenizer
        self._longest = int(tokenizer.context_length) - 2

    def __call__(self, texts: list[str]) -> np.ndarray:
        """(n, length) int64 ids, each row from the start token to the end token and then zeros."""
        start, end = self._tokenizer.sot_token_id, self._tokenizer.eot_token_id
        rows = [[start, *self._tokenizer.encode(text)[: self._longest], end] for text in texts]
        tokens = np.zeros((len(rows), max(len(row) for row in rows)), np.int64)
        for row, ids in zip(tokens, rows, strict=True):
            row[: len(ids)] = ids
        return tokens


def without_needless_cleaning(tokenizer: Any) -> Any:
    """open_clip's tokenizer repairs each text's encoding; in printable ASCII without entities nothing can be broken."""
    from open_clip.tokenizer import get_clean_fn

    clean = getattr(tokenizer, "clean_fn", None)
    if clean is get_clean_fn("lower"):

        def clean_lower(text: str) -> str:
            is_plain = text.isascii() and text.isprintable() and "&" not in text
            return " ".join(text.split()).lower() if is_plain else str(clean(text))

        tokenizer.clean_fn = clean_lower
    return tokenizer
