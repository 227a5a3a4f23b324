"""Learns a byte-pair vocabulary from the training texts and writes it in the format of open_clip's SimpleTokenizer.

The file is a gzipped header line and one merge a line. Ids are the 512 byte symbols, the merges, then start and end of
text, as in CLIP (Radford et al. 2021), whose pattern of words is used too.
"""

import gzip
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import regex  # type: ignore[import-untyped]
from open_clip.tokenizer import SimpleTokenizer, bytes_to_unicode

from magpie.indexer.encoder_training.captions import CaptionMaker

_BYTES_AND_ENDS = 512 + 2
_WORDS = regex.compile(r"""'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+""", regex.IGNORECASE)

Pair = tuple[str, str]


def training_texts(captions: CaptionMaker, rows: npt.NDArray[np.int64]) -> Iterator[str]:
    """The texts to learn the vocabulary from: item texts, captions, and the lexicon's words for attribute values."""
    rng = random.Random(0)
    for row in rows.tolist():
        item = captions.items[row]
        yield f"{item.title} {item.description}"
        if captions.is_described[row]:
            yield captions.attribute_caption(row, rng).text
    for entries in captions.values:
        for entry in entries:
            yield from entry.words * 3
    for meanings in captions.lexicon.entries.values():
        for entry in meanings.values():
            yield from entry.words * 2


def train_tokenizer(texts: Iterable[str], vocabulary: int, out: Path) -> None:
    """Learns byte-pair merges from `texts` (Sennrich et al. 2016) and writes `out`; at most `vocabulary` ids."""
    symbol = bytes_to_unicode()
    counts = Counter(word for text in texts for word in _WORDS.findall(" ".join(text.split()).lower()))
    words: list[list[str]] = []
    for word in counts:
        symbols = [symbol[byte] for byte in word.encode()]
        symbols[-1] += "</w>"
        words.append(symbols)
    merges = _merge(words, list(counts.values()), vocabulary - _BYTES_AND_ENDS)
    beside = out.with_suffix(".tmp")
    # mtime=0: the same texts give the same bytes, and so the same fingerprint.
    with gzip.GzipFile(beside, "wb", mtime=0) as file:
        file.write(("#version: magpie\n" + "\n".join(" ".join(pair) for pair in merges)).encode())
    beside.replace(out)


def _merge(words: list[list[str]], counts: list[int], number: int) -> list[Pair]:
    """At most `number` merges, the most frequent pair first (ties by the pair); pairs seen once are not merged."""
    pairs: Counter[Pair] = Counter()
    where: dict[Pair, set[int]] = defaultdict(set)
    for k, symbols in enumerate(words):
        for pair in pairwise(symbols):
            pairs[pair] += counts[k]
            where[pair].add(k)
    merges: list[Pair] = []
    while len(merges) < number and pairs:
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        if pairs[best] < 2:
            break
        merges.append(best)
        for k in list(where[best]):
            for pair in pairwise(words[k]):
                pairs[pair] -= counts[k]
                where[pair].discard(k)
            words[k] = _joined(words[k], best)
            for pair in pairwise(words[k]):
                pairs[pair] += counts[k]
                where[pair].add(k)
        del pairs[best]
    return merges


def _joined(symbols: list[str], pair: Pair) -> list[str]:
    out: list[str] = []
    for symbol in symbols:
        if out and (out[-1], symbol) == pair:
            out[-1] += symbol
        else:
            out.append(symbol)
    return out


def load_tokenizer(path: Path, context: int) -> SimpleTokenizer:
    """open_clip's tokenizer with the merges in `path`, lower case, `context` tokens a text. Raises OSError."""
    return SimpleTokenizer(str(path), context_length=context, clean="lower")


class TokenRows:
    """Tokenizes training texts and caches the token ids of each word; rows are cut at the context length."""

    def __init__(self, tokenizer: SimpleTokenizer) -> None:
        self._tokenizer = tokenizer
        self._words: dict[str, list[int]] = {}

    def __call__(self, texts: list[str]) -> npt.NDArray[np.int64]:
        """(n, longest) int64 token ids of n texts, zeros after the end token."""
        start, end = self._tokenizer.sot_token_id, self._tokenizer.eot_token_id
        rows = []
        for text in texts:
            row = [start]
            for word in text.lower().split():
                if word not in self._words:
                    self._words[word] = self._tokenizer.encode(word)
                row += self._words[word]
            rows.append([*row[: self._tokenizer.context_length - 1], end])
        out = np.zeros((len(rows), max(map(len, rows))), np.int64)
        for i, row in enumerate(rows):
            out[i, : len(row)] = row
        return out
