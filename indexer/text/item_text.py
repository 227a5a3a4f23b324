"""Makes an `ItemText` of an item's title, description and attributes: the texts to encode and the words to search.

Sentences that occur in more than a few per cent of the catalogue are cut, since they do not describe one item, and
columns of identifiers, addresses or measurements stay out of the encoded text. One pass over the catalogue finds both
and keeps them as a `TextPlan`.
"""

import hashlib
import html
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from magpie.data.catalogue.catalogue import Item, Value
from magpie.data.catalogue.category_paths import last_of_path

_TAGS = re.compile(r"</?[a-zA-Z!][^<>]{0,500}>")
_SENTENCE_END = re.compile(r"(?<=[.!?。！？;])\s+|\s*[|•]\s*|(?<=[。！？])")
_MARKUP_NOISE = re.compile(r"[\"\[\]{}=>\\]+")
_REPEATED_WORD = re.compile(r"\b(\w++)(?:[\s,]++\1\b)+", re.IGNORECASE)
_MAX_DESCRIPTION = 2000
_MAX_ENCODED_VALUE = 40
_COMMON_SHARE = 0.02
_COMMON_COUNT = 20
_SAMPLE = 10_000
_SAID_BY_ALL = 0.8
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?!\d)")


@dataclass(frozen=True)
class Segment:
    """One encoded text of an item and its weight in the item's text vector."""

    text: str
    weight: float

    @property
    def key(self) -> str:
        """The key of this text's vector in the embedding cache."""
        return text_key(self.text)


@dataclass(frozen=True)
class ItemText:
    """The cleaned text of one item; whatever needs an item's words reads them here."""

    title: str
    description: str  # without the sentences that many items share
    values: tuple[str, ...]  # category and descriptive attribute values, each once
    words: tuple[str, ...]  # all attribute values that are words
    category: str  # the whole path

    def segments(self) -> list[Segment]:
        """The texts for the encoder: title, attributes, description; none for an item without words."""
        parts = [(self.title, 1.0), (", ".join(self.values), 1.0), (self.description, 0.5)]
        return [Segment(text, weight) for text, weight in parts if text]

    def searched_fields(self) -> dict[str, str]:
        """The words for the lexical index, by field: title, attributes, category, body; a value a line."""
        short = [word for word in self.words if len(word) <= 2 * _MAX_ENCODED_VALUE]
        long = [word for word in self.words if len(word) > 2 * _MAX_ENCODED_VALUE]
        return {
            "title": self.title,
            "attributes": "\n".join(short),
            "category": self.category,
            "body": "\n".join([self.description, *long]),
        }

    def count_descriptive(self, words: frozenset[str]) -> int:
        """The number of descriptive words: the values to encode, and the title's words among `words`."""
        named = {value.casefold() for value in self.values}
        named.update(words.intersection(self.title.casefold().split()))
        return len(named)


@dataclass(frozen=True)
class TextPlan:
    """The boilerplate sentences of a catalogue (by hash), and the names of its descriptive columns."""

    boilerplate: frozenset[int] = frozenset()
    encoded_columns: frozenset[str] = frozenset()

    def save(self, path: Path) -> None:
        """Writes the plan, so that items that change later are read as the indexed ones were."""
        plan = {"boilerplate": sorted(self.boilerplate), "encoded_columns": sorted(self.encoded_columns)}
        path.write_text(json.dumps(plan), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "TextPlan":
        """The text plan that `save` wrote. Raises OSError, ValueError, KeyError."""
        plan = json.loads(path.read_text(encoding="utf-8"))
        return cls(frozenset(plan["boilerplate"]), frozenset(plan["encoded_columns"]))

    def read(self, item: Item) -> ItemText:
        """The text of the item by this plan."""
        category = clean_text(item.category)
        words: list[str] = []
        by_column: dict[str, list[str]] = {}
        for name, value in item.attributes.items():
            found = [clean_text(word) for word in _words_of(name, value)]
            words += found
            if name in self.encoded_columns:
                by_column[name] = found
        values = [last_of_path(category), *(value for name in sorted(by_column) for value in by_column[name])]
        return ItemText(
            title=clean_text(item.title),
            description=self._description(item.description),
            values=tuple(v for v in dict.fromkeys(values) if v and len(v) <= _MAX_ENCODED_VALUE),
            words=tuple(words),
            category=clean_text(category.replace(">>", " ").replace("/", " ")),
        )

    def _description(self, text: str) -> str:
        sentences = [s for s in split_sentences(text) if hash_text(s) not in self.boilerplate]
        return " ".join(dict.fromkeys(sentences))[:_MAX_DESCRIPTION]


@dataclass
class TextPlanBuilder:
    """Gathers what a `TextPlan` needs; `add` every item once, at most the first ten thousand count."""

    num_items: int = 0
    _sentences: Counter[int] = field(default_factory=Counter)
    _filled: Counter[str] = field(default_factory=Counter)
    _values: dict[str, Counter[int]] = field(default_factory=dict)
    _characters: Counter[str] = field(default_factory=Counter)

    def add(self, items: Iterable[Item]) -> None:
        for item in items:
            if self.is_full:
                return
            self.num_items += 1
            self._sentences.update({hash_text(s) for s in split_sentences(item.description)})
            for name, value in item.attributes.items():
                for word in _words_of(name, value):
                    self._filled[name] += 1
                    self._characters[name] += len(word)
                    self._values.setdefault(name, Counter())[hash_text(word)] += 1

    @property
    def is_full(self) -> bool:
        """Whether the sample is complete."""
        return self.num_items >= _SAMPLE

    def build(self) -> TextPlan:
        common = max(_COMMON_COUNT, _COMMON_SHARE * self.num_items)
        return TextPlan(
            frozenset(s for s, n in self._sentences.items() if n > common),
            frozenset(name for name in self._filled if self._is_descriptive(name)),
        )

    def _is_descriptive(self, name: str) -> bool:
        """Whether a column describes items: short values that recur do. Long values are prose, unique ones identifiers,
        and a value that nearly all items have ("no rating available") is boilerplate.
        """
        filled, values = self._filled[name], self._values[name]
        recurs = len(values) <= max(20, 0.5 * filled)
        said_by_all = len(values) > 1 and max(values.values()) > _SAID_BY_ALL * self.num_items >= _COMMON_COUNT
        return recurs and not said_by_all and self._characters[name] / filled <= _MAX_ENCODED_VALUE


def text_key(text: str) -> str:
    """The cache key of an encoded text: 32 hexadecimal digits."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@lru_cache(maxsize=20_000)  # attribute values recur, and every value is looked at several times
def clean_text(text: str) -> str:
    """Plain text in Unicode NFC: markup and entities resolved, white space collapsed, words repeated in a row cut."""
    text = unicodedata.normalize("NFC", text)
    if "<" in text or "&" in text:
        text = html.unescape(_TAGS.sub(" ", text))
    return _REPEATED_WORD.sub(r"\1", " ".join(text.split()))


def split_sentences(text: str) -> list[str]:
    """The sentences of a description, cleaned."""
    if not text:
        return []
    cleaned = clean_text(_MARKUP_NOISE.sub(" ", text))
    return [s for s in (part.strip() for part in _SENTENCE_END.split(cleaned)) if s]


def hash_text(text: str) -> int:
    """A 64-bit hash that is the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.casefold().encode(), digest_size=8).digest())


def _words_of(name: str, value: Value) -> list[str]:
    """The values that are words; numbers and dates are for filters, a true flag is worth its column's name."""
    if isinstance(value, bool):
        return [name.replace("_", " ")] if value else []
    if isinstance(value, list):
        return [str(v) for v in value]
    return [value] if isinstance(value, str) and not _DATE.match(value) else []
