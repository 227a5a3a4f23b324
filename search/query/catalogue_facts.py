"""Gathers what the reading of queries must know of a catalogue: attribute values, measures, currencies, words."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import chain, pairwise

import numpy as np

from magpie.indexer.indexes.attribute_columns import MAX_FACET_VALUES, Columns
from magpie.indexer.indexes.column_types import NumberColumn, WordColumn
from magpie.search.query.query_words import SIGN, any_of, fold, query_words

WORD = re.compile(r"[^\W_]+(?:[-'’.&/][^\W_]+)*[+#]*")
_NOT_WORDS = ("title", "currency")
_MAX_VALUE = 40  # characters; longer values are prose
_MAX_WORDS = 4
_UNSAID = frozenset(["true", "false", "yes", "no", "none", "n/a", "other", "others"])
_CAMEL = re.compile(r"(?<=[^\W\dA-Z_])(?=[A-Z])")
_SIGNS = re.compile(f"[{SIGN}]{{2,}}")


@dataclass(frozen=True)
class Measure:
    """A column of measured numbers: what it measures ("height"), in which dimension, and its unit in that dimension's
    base unit (cm, g, l, W, V, GB)."""

    field: str
    aspect: str
    dimension: str
    unit: float


@dataclass(frozen=True)
class Value:
    """A value of a column that a query names: the end of its place in the query, and (field, value) of each match."""

    end: int
    meanings: tuple[tuple[str, str], ...]

    @property
    def fields(self) -> frozenset[str]:
        """The columns that have the value."""
        return frozenset(name for name, _ in self.meanings)


@dataclass(frozen=True)
class ColumnFacts:
    """What the columns of one segment tell: (field, value) of `values` by the forms of their words, those of scripts
    without spaces by themselves; of `sizes`, the values of columns of sizes, by the value in lower case; measures;
    `said`, pairs of neighbouring words of titles, of which the first may be an operator; the prices' currencies."""

    values: Mapping[tuple[str, ...], tuple[tuple[str, str], ...]]
    sizes: Mapping[str, tuple[str, str]]
    measures: tuple[Measure, ...]
    said: frozenset[tuple[str, str]]
    currencies: frozenset[str]
    has_prices: bool


@dataclass(frozen=True)
class CatalogueFacts:
    """What readings know of a catalogue, segment by segment.

    `knows` tells whether an item has a word in any of its forms, `has` whether one has words side by side;
    `stems` are the forms of a text's words;
    `synonyms` is what else may be said, by the forms of the words that are said.
    """

    segments: Sequence[ColumnFacts]
    knows: Callable[[str], bool]
    has: Callable[[str], bool]
    stems: Callable[[str], Sequence[str]]
    synonyms: Mapping[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        """The measures of all columns, each field once."""
        return tuple({measure.field: measure for each in self.segments for measure in each.measures}.values())

    @cached_property
    def currencies(self) -> frozenset[str]:
        """The currencies of all prices."""
        return frozenset().union(*(each.currencies for each in self.segments))

    @cached_property
    def has_prices(self) -> bool:
        """Whether any item has a price."""
        return any(each.has_prices for each in self.segments)

    def size(self, text: str) -> tuple[str, str] | None:
        """The field and value of a size in lower case."""
        return next((each.sizes[text] for each in self.segments if text in each.sizes), None)

    def says(self, operator: str, text: str, end: int) -> bool:
        """Whether a title has the last word of an operator beside the word that follows it in a text."""
        following = WORD.match(text[end:].lstrip())
        pair = following and (operator.split()[-1], following.group())
        return any(pair in each.said for each in self.segments)

    def value_at(self, text: str, start: int) -> Value | None:
        """The longest value that the text names from `start` on, which is the beginning of a word."""
        if _SIGNS.match(text, start):
            return self._signs_at(text, start)
        found: list[str] = []
        best, end = None, start
        for word in WORD.finditer(text, start):
            if text[end : word.start()].strip(" -") or len(found) >= _MAX_WORDS:
                break
            end = word.end()
            forms = self.stems(word.group())
            found += forms
            if forms and (meanings := self._meanings(tuple(found))):
                best = Value(end, meanings)
        return best

    def _signs_at(self, text: str, start: int) -> Value | None:
        run = _SIGNS.match(text, start)
        for end in range(run.end() if run else start, start + 1, -1):
            if meanings := self._meanings((text[start:end],)):
                return Value(end, meanings)
        return None

    def _meanings(self, key: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        return tuple(dict.fromkeys(chain.from_iterable(each.values.get(key, ()) for each in self.segments)))


def gather_facts(columns: Columns, stems: Callable[[str], Sequence[str]]) -> ColumnFacts:
    """The facts of one segment; `stems` are the forms of a text's words."""
    return ColumnFacts(
        values=_values(columns, stems),
        sizes=_sizes(columns),
        measures=_measures(columns),
        said=_said(columns),
        currencies=frozenset(_vocabulary(columns, "currency")),
        has_prices="price" in columns.numbers(np.arange(columns.num_rows)),
    )


def _vocabulary(columns: Columns, name: str) -> Sequence[str]:
    if name not in columns:
        return ()
    column = columns[name]
    return column.vocabulary if isinstance(column, WordColumn) else ()


def _values(
    columns: Columns, stems: Callable[[str], Sequence[str]]
) -> Mapping[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """By the forms of their words the (field, value) of the values that people may name: short words, no numbers."""
    found: dict[tuple[str, ...], tuple[tuple[str, str], ...]] = {}
    for name, vocabulary in sorted(columns.vocabularies(MAX_FACET_VALUES).items()):
        for value in vocabulary if name not in _NOT_WORDS else ():
            folded = fold(value.strip())
            if not 1 < len(folded) <= _MAX_VALUE or folded in _UNSAID or not any(map(str.isalpha, folded)):
                continue
            key = (folded,) if _SIGNS.fullmatch(folded) else tuple(stems(value))
            if 0 < len(key) <= _MAX_WORDS:
                found[key] = (*found.get(key, ()), (name, value))
    return found


def _sizes(columns: Columns) -> Mapping[str, tuple[str, str]]:
    names = [name for name in columns.names if fold(name).replace("_", " ") in query_words()["size"]]
    few = [name for name in names if columns[name].num_distinct <= MAX_FACET_VALUES]
    return {fold(value): (name, value) for name in few for value in columns[name].values_as_words}


def _said(columns: Columns) -> frozenset[tuple[str, str]]:
    """The pairs of neighbouring words of titles of which the first ends an operator: ("not", "disturb")."""
    words = query_words()
    operators = [*words["exclusion"]["strong"], *words["exclusion"]["weak"], *words["price"]["cheap"]]
    last = {operator.split()[-1] for operator in [*operators, *words["asking"]["before"]]}
    titles = (title.lower().split() for title in _vocabulary(columns, "title"))
    pairs = (pair for title in titles if not last.isdisjoint(title) for pair in pairwise(title) if pair[0] in last)
    return frozenset((first, word.group()) for first, following in pairs if (word := WORD.search(following)))


def _measures(columns: Columns) -> tuple[Measure, ...]:
    numbers = [name for name in columns.names if isinstance(columns[name], NumberColumn)]
    return tuple(measure for name in numbers if (measure := measure_of(name)))


def measure_of(name: str) -> Measure | None:
    """What a column of this name measures ("width_cm", "Height (cm)", "weight kg"); None without a unit."""
    plain = " ".join(re.findall(r"[^\W_]+|[\"″]", fold(_CAMEL.sub(" ", name))))
    units = [(dimension, units[unit]) for unit in plain.split() for dimension, units in _units() if unit in units]
    aspects = [aspect for aspect, pattern in aspect_patterns() if pattern.search(plain)]
    if not units:
        return None
    dimension, unit = units[-1]
    return Measure(name, aspects[0] if aspects else dimension, dimension, unit)


def _units() -> Iterator[tuple[str, Mapping[str, float]]]:
    yield from query_words()["units"].items()


@cache
def aspect_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Each aspect ("height") with the pattern of the words that name it."""
    return tuple((aspect, re.compile(any_of(words))) for aspect, words in query_words()["aspects"].items())
