"""Infers the value of an attribute for items that lack it, each with the probability that it is right."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from heapq import heappush, heapreplace
from typing import Any

import numpy as np

from magpie.data.catalogue.attribute_types import Kind
from magpie.data.catalogue.catalogue import Catalogue, Item
from magpie.data.catalogue.inferred_labels import replace_labels
from magpie.data.catalogue.items import KNOWN_FIELDS, Label
from magpie.data.database.connection import Database
from magpie.data.errors import BadSetting
from magpie.data.settings import Settings
from magpie.indexer.draws import draw_key
from magpie.indexer.encoder.embedding_cache import EmbeddingCache
from magpie.indexer.encoder.encode_catalogue import Progress, encode_texts, pool_texts
from magpie.indexer.encoder.encoder import Encoder
from magpie.indexer.fusion.average_fusion import PARTS
from magpie.indexer.generations.generation import Generation, open_encoder_of
from magpie.indexer.generations.store import open_current
from magpie.indexer.indexes.column_types import words_of
from magpie.indexer.labelling.value_classifier import ValueClassifier

_MOST_KNOWN = 3_000
_BLOCK_ROWS = 65_536
_MOST_VALUES = 1_000
_WORDY_KINDS: tuple[Kind, ...] = ("text", "list")


@dataclass(frozen=True)
class LabelRequest:
    """An attribute to infer, its possible values, and the least confidence of a label, from 0 to 1."""

    field: str
    values: tuple[str, ...]
    min_confidence: float = 0.8


@dataclass(frozen=True)
class LabelReport:
    """What was filled in, and how good the same guesses are on items whose value is known.

    `known` has their number, the share of them that is sure enough, and the precision of those; both shares are
    None where fewer than fifty are known. Each known item is guessed without its own value, and with the parts that
    the items to fill in have, in their proportion.
    """

    field: str
    labelled: int
    unsure: int
    not_indexed: int
    by_value: dict[str, int]
    min_confidence: float
    known: dict[str, float | int | None]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class _Known:
    """Items whose value is known: (n, dim) centred unit rows by part, and (n, v) bool which value each has."""

    parts: dict[str, np.ndarray]
    truth: np.ndarray

    def with_parts(self, parts: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
        """(m, dim x parts) vectors of the items that have all of these parts, of these parts alone, and their truth."""
        rows = np.all([self.parts[name].any(axis=1) for name in parts], axis=0)
        return np.concatenate([self.parts[name][rows] for name in parts], axis=1), self.truth[rows]


@dataclass
class _Sorted:
    """The indexed items by whether the attribute is known; a sample of the known ones."""

    drawn: list[tuple[int, int, Item]] = field(default_factory=list)  # a heap: the negative key, `items.id`, the item
    num_known: int = 0
    missing: list[int] = field(default_factory=list)  # items.id
    not_indexed: int = 0

    def keep_known(self, item: Item) -> None:
        """Keeps the items with the least draw keys."""
        self.num_known += 1
        entry = (-draw_key(item.item_id), item.id, item)
        if len(self.drawn) < _MOST_KNOWN:
            heappush(self.drawn, entry)
        elif entry[:2] > self.drawn[0][:2]:
            heapreplace(self.drawn, entry)

    @property
    def known(self) -> list[Item]:
        """The sample of the known ones, in random order."""
        return [item for _, _, item in sorted(self.drawn, key=lambda entry: entry[:2])]


def label_items(
    settings: Settings, database: Database, request: LabelRequest, progress: Progress | None = None
) -> LabelReport:
    """Fills the attribute in where it is missing and a guess is sure enough; earlier labels of it are replaced.

    Raises BadSetting for an attribute or values that cannot be inferred, NoIndex before the first rebuild,
    ModelMismatch where the index was built with another encoder.
    """
    catalogue = Catalogue(database, settings)
    generation, _ = open_current(settings)
    check_request(request, catalogue.attribute_kinds())
    encoder = open_encoder_of(generation)
    values = _as_spelt(request.values, generation, request.field)
    items = _sort_items(catalogue, generation, request.field, progress or (lambda stage, done, total: None))
    cache = EmbeddingCache(settings.embeddings_dir, encoder.spec.fingerprint, encoder.spec.dim)
    names = generation.means.centre("query", encode_texts(encoder, values, cache)[0])
    known = _read_known(items.known, generation, encoder, cache, (request.field, values))
    cache.close()
    ids = np.array(items.missing, np.int64)
    labels: dict[int, Label] = {}
    measured: list[tuple[int, float, float]] = []  # items to label, and of known ones the share labelled and right
    for parts, rows in _by_parts(generation, generation.rows_of(ids)):
        classifier = ValueClassifier.fit(np.concatenate([names] * len(parts), axis=1), *known.with_parts(parts))
        labels |= _guess(classifier, generation, parts, rows, (values, request.min_confidence))
        if len(classifier.is_right):
            is_sure = classifier.measured.confidence >= request.min_confidence
            measured.append((len(rows), float(is_sure.mean()), float((is_sure & classifier.is_right).mean())))
    replace_labels(database, request.field, labels)
    by_value = {value: sum(label.value == value for label in labels.values()) for value in values}
    return LabelReport(
        field=request.field,
        labelled=len(labels),
        unsure=len(ids) - len(labels),
        not_indexed=items.not_indexed,
        by_value={value: count for value, count in by_value.items() if count},
        min_confidence=request.min_confidence,
        known={"items": len(known.truth), **_overall(measured)},
    )


def check_request(request: LabelRequest, kinds: dict[str, Kind]) -> None:
    """Raises BadSetting for what cannot be inferred."""
    name = request.field
    if name in KNOWN_FIELDS:
        raise BadSetting(f"{name!r} is no attribute; only attributes such as colour can be inferred.")
    if name in kinds and kinds[name] not in _WORDY_KINDS:
        raise BadSetting(f"The attribute {name!r} holds values of kind {kinds[name]}; only words can be inferred.")
    if not 2 <= len({value.casefold() for value in request.values}) == len(request.values) <= _MOST_VALUES:
        raise BadSetting(f"Give 2 to {_MOST_VALUES:,} different values to choose from, such as red,blue,green.")
    if not all(value.strip() for value in request.values):
        raise BadSetting("One of the values is empty; give a word for each.")
    if not 0 <= request.min_confidence <= 1:
        raise BadSetting(f"The least confidence is {request.min_confidence}; it must be from 0 to 1.")


def _as_spelt(values: Sequence[str], generation: Generation, name: str) -> list[str]:
    """The values in the catalogue's spelling, where it has them, so that filters do not list "red" beside "Red"."""
    words = generation.columns.vocabularies(most=generation.num_items).get(name, [])
    spelt = {word.casefold(): word for word in reversed(words)}  # the most frequent spelling comes first, and wins
    return [spelt.get(value.casefold(), value) for value in values]


def _sort_items(catalogue: Catalogue, generation: Generation, name: str, progress: Progress) -> _Sorted:
    found, total, done = _Sorted(), catalogue.count(), 0
    for items in catalogue.scan():
        progress("items", done, total)
        done += len(items)
        indexed = set(generation.ids[generation.rows_of(np.array([item.id for item in items]))].tolist())
        for item in items:
            if item.id not in indexed:
                found.not_indexed += name not in item.attributes
            elif name in item.attributes:
                found.keep_known(item)
            else:
                found.missing.append(item.id)
    progress("items", done, total)
    return found


def _read_known(
    items: Sequence[Item], generation: Generation, encoder: Encoder, cache: EmbeddingCache, asked: tuple[str, list[str]]
) -> _Known:
    """The known items' vectors, their texts encoded anew as if the attribute were missing."""
    name, values = asked
    hidden = [replace(item, attributes={k: v for k, v in item.attributes.items() if k != name}) for item in items]
    texts, _ = pool_texts(encoder, cache, [generation.text_plan.read(item).segments() for item in hidden])
    rows = generation.rows_of(np.array([item.id for item in items], np.int64))
    words = [{word.casefold() for word in words_of(item.attributes[name])} for item in items]
    truth = np.array([[value.casefold() in have for value in values] for have in words], bool)
    parts = {
        "text": generation.means.centre("text", texts),
        "image": np.asarray(generation.parts["image"][rows], np.float32),
    }
    return _Known(parts, truth.reshape(len(items), len(values)))


def _by_parts(generation: Generation, rows: np.ndarray) -> list[tuple[tuple[str, ...], np.ndarray]]:
    """The rows grouped by which parts they have; those without any are left out."""
    has = np.stack([_present(generation.parts[name], rows) for name in PARTS], axis=1)
    groups = [(tuple(np.array(PARTS)[list(which)]), which) for which in ((True, True), (True, False), (False, True))]
    found = [(parts, rows[(has == which).all(axis=1)]) for parts, which in groups]
    return [(parts, chosen) for parts, chosen in found if len(chosen)]


def _present(vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    blocks = [vectors[rows[k : k + _BLOCK_ROWS]].any(axis=1) for k in range(0, len(rows), _BLOCK_ROWS)]
    return np.concatenate([*blocks, np.zeros(0, bool)])


def _guess(
    classifier: ValueClassifier,
    generation: Generation,
    parts: tuple[str, ...],
    rows: np.ndarray,
    wanted: tuple[Sequence[str], float],
) -> dict[int, Label]:
    """The labels that are sure enough, by `items.id`."""
    values, min_confidence = wanted
    labels = {}
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = rows[start : start + _BLOCK_ROWS]
        vectors = [np.asarray(generation.parts[name][block], np.float32) for name in parts]
        guesses = classifier.guess(np.concatenate(vectors, axis=1))
        for k in np.flatnonzero(guesses.confidence >= min_confidence):
            confidence = round(float(guesses.confidence[k]), 3)
            labels[int(generation.ids[block[k]])] = Label(values[guesses.best[k]], confidence)
    return labels


def _overall(measured: Sequence[tuple[int, float, float]]) -> dict[str, float | None]:
    """Share labelled and precision over the groups, each weighing as many as the items to label in it."""
    total = sum(count for count, _, _ in measured)
    labelled = sum(count * sure for count, sure, _ in measured)
    right = sum(count * good for count, _, good in measured)
    return {
        "labelled": round(labelled / total, 3) if total else None,
        "precision": round(right / labelled, 3) if labelled else None,
    }
