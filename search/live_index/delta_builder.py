"""Indexes changed items as a small segment, with the generation's own fusion and text plan, and merges segments."""

import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from magpie.data.catalogue.catalogue import Catalogue, Item
from magpie.data.errors import BadPicture, TooLarge
from magpie.data.home.disk_errors import disk_fault
from magpie.data.pictures.sandbox import PictureSandbox
from magpie.data.settings import Settings
from magpie.indexer.encoder.dominant_colour import find_dominant_colours, first_dominant_colours
from magpie.indexer.encoder.embedding_cache import EmbeddingCache
from magpie.indexer.encoder.encode_catalogue import pool_pictures, pool_texts
from magpie.indexer.encoder.encoder import Encoder
from magpie.indexer.encoder.image_decoding import decode_views
from magpie.indexer.encoder.video_pooling import pool_frames
from magpie.indexer.fusion.average_fusion import PARTS
from magpie.indexer.fusion.halves import fuse_halves
from magpie.indexer.fusion.modality_conflicts import load_conflicts, masked_parts
from magpie.indexer.generations.generation import Generation
from magpie.indexer.indexes.attribute_columns_builder import ColumnsBuilder
from magpie.indexer.indexes.lexical_index_builder import LexicalIndexBuilder
from magpie.indexer.indexes.vector_index import EXACT, VectorIndex, build_index
from magpie.indexer.text.item_text import ItemText
from magpie.indexer.text.languages import language_of
from magpie.indexer.text.lexicon import load_lexicon
from magpie.search.live_index.segment import Segment
from magpie.search.live_index.segment_files import SavedSegment, SegmentFiles

SAVED_FROM = 1_000  # items; a segment of fewer is in memory only, and indexed again within a second
_READ_AT_ONCE = 500
_ROUNDING = 1e-3  # of a vector that was kept as float16
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Vectors:
    """The vectors of n items: (n, dim) unit rows by part, (n, 2·dim) fused rows, (n,) text weights, (n, 3) colours."""

    parts: Mapping[str, np.ndarray]
    fused: np.ndarray
    text_weights: np.ndarray
    dominant_colours: np.ndarray


class ChangedItems:
    """Builds segments of changed items for one generation. For one thread at a time."""

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        generation: Generation,
        encoder: Encoder,
        decoder: PictureSandbox,
        writes_segments: bool = False,
    ) -> None:
        """Where `writes_segments`, larger segments are kept as files; for one process at a time."""
        self.files = SegmentFiles(settings, generation, writes_segments)
        self._embeddings = settings.embeddings_dir
        self._catalogue = catalogue
        self._generation = generation
        self._encoder = encoder
        self._decoder = decoder
        self._masked_parts = masked_parts(load_conflicts(generation.folder))

    def index(self, items: Sequence[Item], revision: int) -> Segment:
        """A segment of these items, which must be in ascending `items.id`; encodes what the cache lacks.

        The items are what changed up to this revision of the catalogue.
        """
        generation = self._generation
        texts = [generation.text_plan.read(item) for item in items]
        encoded, dominant_colours = self._encode(items, texts)
        parts = {name: generation.means.centre(name, encoded[name]) for name in PARTS}
        words = load_lexicon().single_words()
        num_descriptive = np.array([text.count_descriptive(words) for text in texts])
        ids = np.array([item.id for item in items], np.int64)
        weighed = self._mask_conflicts(items, ids, parts)
        weights = generation.text_weighing.weigh(weighed, num_descriptive)
        fused = fuse_halves(generation.fusion.contributions(weighed, weights))
        vectors = _Vectors(parts, generation.click_part.apply(ids, fused), weights, dominant_colours)
        return self._assemble(lambda: items, lambda _: vectors, revision, len(items))

    def _mask_conflicts(
        self, items: Sequence[Item], ids: np.ndarray, parts: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """The parts, with zero rows for those that are in conflict in the generation and are the same still."""
        masked = {name: rows.copy() for name, rows in parts.items()}
        for row, (item, id_) in enumerate(zip(items, ids, strict=True)):
            suspect = self._masked_parts.get(item.item_id)
            if suspect is None:
                continue
            before = self._generation.rows_of(np.array([id_]))
            if len(before) and all(self._is_as_before(name, before[0], parts[name][row]) for name in parts):
                masked[suspect][row] = 0
        return masked

    def _is_as_before(self, name: str, row: int, vector: np.ndarray) -> bool:
        return bool(np.allclose(self._generation.parts[name][row], vector, rtol=0, atol=_ROUNDING))

    def merge(self, segments: Sequence[Segment]) -> Segment | None:
        """One segment of the living items of these, without encoding again; None where there are none."""
        ids = np.concatenate([segment.living_ids for segment in segments])
        order = np.argsort(ids)

        def gather(kept: np.ndarray) -> _Vectors:
            places = order[np.searchsorted(ids[order], kept)]

            def rows(of_each: list[np.ndarray]) -> np.ndarray:
                living = [rows[~segment.dead] for rows, segment in zip(of_each, segments, strict=True)]
                return np.concatenate(living)[places]

            parts = {name: rows([segment.parts[name] for segment in segments]) for name in PARTS}
            names = ("fused", "text_weights", "dominant_colours")
            others = ([getattr(segment, name) for segment in segments] for name in names)
            return _Vectors(parts, *map(rows, others))

        merged = self._assemble(lambda: self._read(ids[order]), gather, segments[-1].revision, len(ids))
        return merged if len(merged.ids) else None

    def _read(self, ids: np.ndarray) -> Iterator[Item]:
        """The items of these `items.id` that the catalogue still has, read in batches to save memory."""
        for start in range(0, len(ids), _READ_AT_ONCE):
            batch = ids[start : start + _READ_AT_ONCE].tolist()
            found = self._catalogue.get_many(batch)
            yield from (found[id_] for id_ in batch if id_ in found)

    def _assemble(
        self,
        read_items: Callable[[], Iterable[Item]],
        vectors_of: Callable[[np.ndarray], _Vectors],
        revision: int,
        num_items: int,
    ) -> Segment:
        """The segment of the items that `read_items` gives, in ascending `items.id`, kept as files if it is large.

        `vectors_of` gives the vectors for their (n,) ids.
        """
        if not self.files.is_written or num_items < SAVED_FROM:
            return self._build(read_items(), vectors_of, revision).segment
        folder: Path | None = None
        try:
            folder = self.files.new_folder()
            return self.files.save(self._build(read_items(), vectors_of, revision), folder)
        except (OSError, RuntimeError, ValueError) as error:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            if not isinstance(error, OSError) and disk_fault(error) is None:
                raise
            log.warning("changed items are indexed in memory only: %s", error)
            return self._build(read_items(), vectors_of, revision).segment

    def _build(
        self, items: Iterable[Item], vectors_of: Callable[[np.ndarray], _Vectors], revision: int
    ) -> SavedSegment:
        """The segment with its items' versions, in memory."""
        columns = ColumnsBuilder(self._catalogue.attribute_kinds())
        lexical = LexicalIndexBuilder(like=self._generation.lexical)
        found: list[int] = []
        versions: list[tuple[int, float]] = []
        for item in items:
            found.append(item.id)
            versions.append((item.revision, item.updated_at.timestamp()))
            columns.add(item)
            text = self._generation.text_plan.read(item)
            lexical.add(text.searched_fields(), language_of(item.attributes))
        ids = np.array(found, np.int64)
        vectors = vectors_of(ids)
        rows = {"fused": vectors.fused, **vectors.parts}
        kept = {name: of_name.astype(np.float16) for name, of_name in rows.items()}
        segment = Segment(
            ids=ids,
            parts={name: kept[name] for name in PARTS},
            fused=kept["fused"],
            text_weights=vectors.text_weights,
            dominant_colours=vectors.dominant_colours,
            fusion=self._generation.fusion,
            click_part=self._generation.click_part,
            indexes={name: VectorIndex(build_index(kept[name], ids, EXACT), ids, kept[name]) for name in rows},
            lexical=lexical.finish(),
            columns=columns.build(),
            dead=np.zeros(len(ids), bool),
            revision=revision,
        )
        revisions, times = zip(*versions, strict=True) if versions else ((), ())
        return SavedSegment(segment, np.array(revisions, np.int64), np.array(times, np.float64))

    def _encode(self, items: Sequence[Item], texts: Sequence[ItemText]) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """(n, dim) vectors by part, and (n, 3) dominant colours; cached for the next rebuild if the disk allows."""
        try:
            return self._encode_with(self._embeddings, items, texts)
        except (OSError, sqlite3.Error) as error:
            log.warning("%s: vectors of changed items cannot be kept there (%s)", self._embeddings, error)
            with TemporaryDirectory() as folder:
                return self._encode_with(Path(folder), items, texts)

    def _encode_with(
        self, embeddings: Path, items: Sequence[Item], texts: Sequence[ItemText]
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        spec = self._encoder.spec
        cache = EmbeddingCache(embeddings, spec.fingerprint, spec.dim)
        try:
            read, _ = pool_texts(self._encoder, cache, [text.segments() for text in texts])
            self._encode_pictures(items, cache)
            keys = [[picture.content_hash for picture in item.pictures if picture.status == "ok"] for item in items]
            return {"text": read, "image": pool_pictures(cache, keys, spec.dim)}, first_dominant_colours(cache, keys)
        finally:
            cache.close()

    def _encode_pictures(self, items: Sequence[Item], cache: EmbeddingCache) -> None:
        """Encodes the pictures that the cache lacks; one that cannot be decoded is logged and left out."""
        preprocessing = self._encoder.spec.preprocessing
        shown = {p.content_hash: (p.path, item.item_id) for item in items for p in item.pictures if p.status == "ok"}
        for key in cache.missing(shown):
            path, item_id = shown[key]
            try:
                pixels = self._decoder.run(str(path), decode_views, path, preprocessing)
            except (BadPicture, TooLarge) as error:
                log.warning("%s is searchable without a picture: %s", item_id, error)
                continue
            cache.put_dominant_colours([key], find_dominant_colours(pixels[:1]))
            cache.put_many(*pool_frames([key] * len(pixels), self._encoder.encode_pictures(pixels)))
