"""Tokenizes texts by byte-pair encoding with the ids of open_clip, without torch, padded to the longest text only."""

import gzip
import html
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

__all__ = ["BytePairTokenizer"]

_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"
_END_OF_WORD = "</w>"
_MOST_MERGES = 49152 - 256 - 2  # what CLIP reads of a file; a longer one has lines that it never uses


class BytePairTokenizer:
    """CLIP's tokenizer (Radford et al. 2021): lower case, repaired encoding, then byte-pair merges within words."""

    def __init__(self, merges: list[tuple[str, str]], context_length: int) -> None:
        """`merges` by rank, as pairs of symbols; a text is cut to `context_length` tokens, start and end included."""
        symbols = _byte_symbols()
        pieces = [*symbols, *(s + _END_OF_WORD for s in symbols), *("".join(pair) for pair in merges)]
        vocabulary = {piece: number for number, piece in enumerate(pieces)}
        self._start, self._end = len(pieces), len(pieces) + 1
        self._longest = context_length - 2
        self._tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=merges, end_of_word_suffix=_END_OF_WORD))
        words = Split(Regex(_WORDS), behavior="removed", invert=True)
        self._tokenizer.pre_tokenizer = Sequence([words, ByteLevel(add_prefix_space=False, use_regex=False)])

    @classmethod
    def read(cls, path: Path, context_length: int) -> "BytePairTokenizer":
        """The tokenizer of a gzipped vocabulary: a heading, then one merge a line. Raises OSError, ValueError."""
        lines = gzip.decompress(path.read_bytes()).decode().split("\n")[1 : _MOST_MERGES + 1]
        pairs = [line.split() for line in lines]
        return cls([(pair[0], pair[1]) for pair in pairs if len(pair) == 2], context_length)

    @classmethod
    def like(cls, tokenizer: Any) -> "BytePairTokenizer":
        """A tokenizer that gives the same ids as this open_clip tokenizer. Raises TypeError for another kind."""
        from open_clip.tokenizer import SimpleTokenizer, get_clean_fn

        is_alike = type(tokenizer) is SimpleTokenizer and tokenizer.reduction_fn is None
        if not is_alike or tokenizer.clean_fn is not get_clean_fn("lower"):
            raise TypeError(f"tokens by {type(tokenizer).__name__}")
        return cls(list(tokenizer.bpe_ranks), int(tokenizer.context_length))

    def __call__(self, texts: list[str]) -> np.ndarray:
        """(n, length) int64 token ids of n texts: start token, text, end token, then zeros up to the longest row."""
        rows = [[self._start, *self.encode(text)[: self._longest], self._end] for text in texts]
        tokens = np.zeros((len(rows), max(len(row) for row in rows)), np.int64)
        for row, ids in zip(tokens, rows, strict=True):
            row[: len(ids)] = ids
        return tokens

    def encode(self, text: str) -> list[int]:
        """All token ids of a text, uncut, without start and end token."""
        return list(self._tokenizer.encode(_clean(text), add_special_tokens=False).ids)


def _clean(text: str) -> str:
    """The text in lower case with single spaces, broken encodings repaired and HTML entities resolved."""
    # plain ASCII has nothing to repair, and ftfy takes most of the time
    if not (text.isascii() and text.isprintable() and "&" not in text):
        import ftfy

        text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return " ".join(text.split()).lower()


def _byte_symbols() -> list[str]:
    """GPT-2's printable sign for each byte (Radford et al. 2019), in the order in which CLIP numbers them."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [chr(byte) for byte in printable] + [chr(256 + place) for place in range(256 - len(printable))]
