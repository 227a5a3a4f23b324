"""The write path: catalogue → texts and pictures → vectors → fused → a verified, published generation."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from magpie.data.aggregates.clicked_queries import ClickedQuery
from magpie.data.backup.leftovers import remove_leftovers
from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.clock import now_ms
from magpie.data.database.connection import Database
from magpie.data.home.locks import lock_home
from magpie.data.settings import Settings
from magpie.indexer.composition.attribute_subspaces import AttributeSubspaces, fit_subspace, gather_words
from magpie.indexer.composition.swap_tuning import tune_swaps
from magpie.indexer.encoder.dominant_colour import first_dominant_colours
from magpie.indexer.encoder.embedding_cache import EmbeddingCache
from magpie.indexer.encoder.encode_catalogue import (
    EncodingReport,
    Progress,
    encode_missing_pictures,
    encode_texts,
    pool_pictures,
)
from magpie.indexer.encoder.encoder import Encoder, open_encoder
from magpie.indexer.fusion.average_fusion import PARTS, Fusion, Means, TextWeighing, estimate_means, fuse_all
from magpie.indexer.fusion.click_part import ClickPart, fit_click_part
from magpie.indexer.fusion.learned_fusion import LearnedFusion, choose_fusion, fusion_file
from magpie.indexer.fusion.missing_part_imputation import ImputedAverage
from magpie.indexer.fusion.modality_conflicts import (
    category_numbers,
    describe_conflicts,
    find_conflicts,
    save_conflicts,
)
from magpie.indexer.generations.generation import Generation
from magpie.indexer.generations.input_digest import INPUTS, digest_inputs, take_over
from magpie.indexer.generations.recall_check import measure_recall
from magpie.indexer.generations.store import new_generation, prune, publish_generation, seal
from magpie.indexer.indexes.attribute_columns import Columns
from magpie.indexer.indexes.vector_index import build_index, choose_factory, empty_index
from magpie.indexer.read_catalogue import Snapshot, read_catalogue, without_garbage_collection
from magpie.indexer.text.lexicon import load_lexicon
from magpie.indexer.text.synthetic_queries import calibrate_confidence

TAKEN_OVER = "taken over"


@dataclass(frozen=True)
class RebuildOptions:
    """What `index rebuild` may be told; None means as in the settings. `full` builds and encodes everything anew."""

    model: str | None = None
    pretrained: str | None = None
    fusion: str = "auto"
    index: str = "auto"
    full: bool = False


@dataclass(frozen=True)
class RebuildReport:
    """What a rebuild did. `pictures_broken` maps the files that could not be decoded to the reason."""

    generation: str
    items: int
    texts_encoded: int
    pictures_encoded: int
    pictures_broken: dict[str, str]
    index: str
    fusion: str
    recall: dict[str, float]
    golden: dict[str, Any]
    seconds: float
    seconds_by_stage: dict[str, float]

    @property
    def is_taken_over(self) -> bool:
        """Whether nothing had changed, so that the files of the generation before were copied."""
        return TAKEN_OVER in self.seconds_by_stage

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Sources:
    """What an index is made from; `led` holds the queries that led people to items, by item id."""

    catalogue: Catalogue
    encoder: Encoder
    learned: LearnedFusion | None
    led: Mapping[str, Sequence[ClickedQuery]]
    clicked_share: float


@dataclass(frozen=True)
class Built:
    """What the manifest says of a finished folder, and what was encoded for it."""

    about: dict[str, Any]
    texts_encoded: int = 0
    pictures_encoded: int = 0
    pictures_broken: dict[str, str] = field(default_factory=dict)


@dataclass
class Stopwatch:
    """Seconds by stage of one rebuild, for its report."""

    by_stage: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)

    def lap(self, stage: str) -> None:
        self.by_stage[stage] = round(time.perf_counter() - self.started - sum(self.by_stage.values()), 3)


def rebuild(
    settings: Settings,
    database: Database,
    options: RebuildOptions | None = None,
    progress: Progress | None = None,
    judge: Callable[[Generation], dict[str, Any]] | None = None,
    clicked: Callable[[], Mapping[str, Sequence[ClickedQuery]]] | None = None,
) -> RebuildReport:
    """Indexes the whole catalogue and publishes the result as a new generation.

    Until the last step nothing changes for those who search, and an interrupted rebuild costs only what it had
    not yet encoded. `clicked` gives the queries that led people to items, by item id. `judge` looks at the finished
    generation: what it returns goes into the manifest as "golden", and what it raises keeps it from being published.
    Raises HomeLocked while another rebuild runs, BadSetting for an
    unknown model, fusion or index, ModelUnavailable where the encoder cannot be loaded.
    """
    options, tell = options or RebuildOptions(), progress or (lambda stage, done, total: None)
    watch = Stopwatch()
    with lock_home(settings.home, "rebuild"):
        remove_leftovers(settings.home)
        encoder = open_encoder(options.model or settings.model, options.pretrained or settings.pretrained)
        # a wrong --index or --fusion fails here, before hours of encoding
        empty_index(encoder.spec.dim, choose_factory(options.index, 0, encoder.spec.dim))
        learned = choose_fusion(options.fusion, settings, encoder.spec.fingerprint)
        catalogue, log_read_ms = Catalogue(database, settings), now_ms()
        led = clicked() if clicked else {}
        state = catalogue.state()
        inputs = digest_inputs(
            state.digest,
            encoder.spec.fingerprint,
            [(name, mean.tobytes()) for name, mean in sorted(encoder.prior_means.items())],
            fusion_file(settings, learned.kind).read_bytes() if learned else b"",
            options_to_repeat(options, encoder),
            settings.clicked_share,
            sorted(led.items()),
        )
        watch.lap("inputs")
        with new_generation(settings) as folder:
            same = None if options.full else take_over(settings, folder, inputs)
            if same:
                built = Built(same | {"encoded": nothing_encoded(same["encoded"])})
                watch.lap(TAKEN_OVER)
            else:
                sources = Sources(catalogue, encoder, learned, led, settings.clicked_share)
                built = build(settings, sources, options, folder, tell, watch)
            about = built.about | {"catalogue_revision": state.revision, "log_read_ms": log_read_ms}
            about[INPUTS] = "" if built.pictures_broken else inputs  # they may be sound the next time
            about["golden"] = judge(Generation(folder, about)) if judge else {}
            manifest = seal(folder, about)
            watch.lap("verify")
            generation = publish_generation(settings, folder)
        prune(settings)
        tell("index", 1, 1)
    return report(generation, manifest, built, watch)


def build(
    settings: Settings, sources: Sources, options: RebuildOptions, folder: Path, tell: Progress, watch: Stopwatch
) -> Built:
    """Makes all files of a generation."""
    encoder, learned = sources.encoder, sources.learned
    dim = encoder.spec.dim
    with closing(EmbeddingCache(settings.embeddings_dir, encoder.spec.fingerprint, dim, options.full)) as cache:
        with without_garbage_collection():
            snapshot = read_catalogue(sources.catalogue, encoder, cache, folder, tell)
        watch.lap("texts")
        pictures = encode_missing_pictures(encoder, snapshot.files, cache, tell)
        watch.lap("pictures")
        parts = {"text": snapshot.texts, "image": pool_pictures(cache, snapshot.pictures, dim)}
        means = estimate_means(parts, snapshot.probes, encoder.prior_means)
        parts = {name: means.centre(name, vectors) for name, vectors in parts.items()}
        weighing = TextWeighing.fit(parts, snapshot.num_descriptive)
        conflicts = find_conflicts(parts, category_numbers(snapshot.columns))
        credible = conflicts.mask(parts)
        weights = weighing.weigh(credible, snapshot.num_descriptive)
        average = ImputedAverage.fit(credible, weights)
        average.save(folder / "imputation.npz")
        fusion = learned or average
        leaning = learn_click_part(sources.led, snapshot, encoder, cache, means, sources.clicked_share)
        fused = leaning.apply(snapshot.ids, fuse_all(fusion, credible, weights))
        vectors = {**parts, "fused": fused}
        factory = choose_factory(options.index, len(snapshot.ids), dim)
        tell("index", 0, 1)
        write_vectors(folder, snapshot.ids, vectors, weights, means, factory)
        np.save(folder / "tints.npy", first_dominant_colours(cache, snapshot.pictures))
        leaning.save(folder / "clicked.npz")
        if learned:
            learned.save(folder / "fusion.npz")
        snapshot.columns.save(folder)
        save_conflicts(describe_conflicts(conflicts, parts["image"], snapshot.item_ids, snapshot.titles), folder)
        concepts, composition = learn_concepts(snapshot.columns, credible, encoder, cache, means)
        concepts.save(folder)
    watch.lap("index")
    about = describe(encoder, snapshot, vectors, means, folder) | describe_fusion(fusion, vectors, weights)
    about |= {
        "clicked_items": len(leaning.ids),
        "index": factory,
        "options": options_to_repeat(options, encoder),
        "text_weighing": asdict(weighing),
        "conflicts": conflicts.about(),
        "composition": composition,
        "encoded": count_encoded(snapshot, pictures),
    }
    broken = {snapshot.files[key]: reason for key, reason in pictures.failures.items()}
    return Built(about, snapshot.texts_encoded, pictures.num_encoded, broken)


def write_vectors(
    folder: Path, ids: np.ndarray, vectors: Mapping[str, np.ndarray], weights: np.ndarray, means: Means, factory: str
) -> None:
    """Writes ids, means, and for each of fused, text and image the vectors as float16 and their dense index."""
    np.save(folder / "ids.npy", ids)
    np.save(folder / "text_weights.npy", weights.astype(np.float32))
    means.save(folder / "means.npz")
    for name, rows in vectors.items():
        np.save(folder / f"{name}.npy", rows.astype(np.float16))
        faiss.write_index(build_index(rows, ids, factory), str(folder / f"{name}.faiss"))


def learn_concepts(
    columns: Columns, parts: Mapping[str, np.ndarray], encoder: Encoder, cache: EmbeddingCache, means: Means
) -> tuple[AttributeSubspaces, dict[str, Any]]:
    """The families of words that exclude each other, from the lexicon and from the catalogue's columns; how composed
    queries exchange them, as the catalogue's own items tell, and what the manifest says of that."""
    lexicon = load_lexicon()

    def encode(words: list[str]) -> np.ndarray:
        return means.centre("query", encode_texts(encoder, words, cache)[0])

    meanings = {
        slot: [entry.name for entry in entries.values()] for slot, entries in lexicon.entries.items() if slot != "kind"
    }
    values = {name: found for name, found in columns.vocabularies().items() if lexicon.slot_of(name) != "kind"}
    families = {}
    for name, words in gather_words(meanings, {name: lexicon.slot_of(name) for name in values}, values).items():
        families[name] = fit_subspace(words, encode(words))
    exchanges, composition = tune_swaps(parts, columns, families, encode)
    return AttributeSubspaces(families, exchanges), composition


def learn_click_part(
    clicked: Mapping[str, Sequence[ClickedQuery]],
    snapshot: Snapshot,
    encoder: Encoder,
    cache: EmbeddingCache,
    means: Means,
    most: float,
) -> ClickPart:
    """How the catalogue's items lean towards the queries that led people to them, by a share of `most` at most."""
    numbers = dict(zip(snapshot.item_ids, snapshot.ids.tolist(), strict=True))
    return fit_click_part(
        clicked, numbers, lambda texts: means.centre("query", encode_texts(encoder, texts, cache)[0]), most
    )


def describe(
    encoder: Encoder,
    snapshot: Snapshot,
    vectors: Mapping[str, np.ndarray],
    means: Means,
    folder: Path,
) -> dict[str, Any]:
    """What the manifest says of a generation, its measured recall among it."""
    present = {name: vectors[name].any(axis=1) for name in PARTS}
    probes, noise = means.centre("query", snapshot.probes), means.centre("query", snapshot.noise)
    return {
        "items": len(snapshot.ids),
        "items_with": {name: int(there.sum()) for name, there in present.items()},
        "model": encoder.spec.model,
        "pretrained": encoder.spec.pretrained,
        "fingerprint": encoder.spec.fingerprint,
        "dim": encoder.spec.dim,
        "parts": list(PARTS),
        "recall": measure_recall(folder, snapshot.ids, vectors["fused"], {"text": probes, "image": vectors["image"]}),
        "confidence": calibrate_confidence(probes, noise, vectors["fused"]),
    }


def options_to_repeat(options: RebuildOptions, encoder: Encoder) -> dict[str, str | None]:
    """With what the next rebuild makes an index like this one."""
    made_with = {"model": encoder.spec.model, "pretrained": encoder.spec.pretrained}
    return {**made_with, "fusion": options.fusion, "index": options.index}


def count_encoded(snapshot: Snapshot, pictures: EncodingReport) -> dict[str, int]:
    """How many texts and pictures were encoded for this generation, and how many pictures the cache had already."""
    cached = len(snapshot.files) - pictures.num_encoded - len(pictures.failures)
    return {"texts": snapshot.texts_encoded, "pictures": pictures.num_encoded, "pictures_cached": cached}


def nothing_encoded(before: Mapping[str, int]) -> dict[str, int]:
    """The same for a generation that was taken over from one of which this was said."""
    return {"texts": 0, "pictures": 0, "pictures_cached": before["pictures"] + before["pictures_cached"]}


def describe_fusion(fusion: Fusion, vectors: Mapping[str, np.ndarray], weights: np.ndarray) -> dict[str, Any]:
    """What the manifest says of the fusion: which, the mean weight of telling texts, and the gate's figures."""
    both = vectors["text"].any(axis=1) & vectors["image"].any(axis=1)
    mean = round(float(weights[both].mean()), 3) if both.any() else None
    return {"fusion": fusion.kind, "fusion_weights": {"text": mean}, "fusion_judgement": dict(fusion.judgement)}


def report(generation: str, manifest: Mapping[str, Any], built: Built, watch: Stopwatch) -> RebuildReport:
    """The rebuild in figures."""
    return RebuildReport(
        generation=generation,
        items=manifest["items"],
        texts_encoded=built.texts_encoded,
        pictures_encoded=built.pictures_encoded,
        pictures_broken=built.pictures_broken,
        index=manifest["index"],
        fusion=manifest["fusion"],
        recall=manifest["recall"],
        golden=manifest["golden"],
        seconds=round(time.perf_counter() - watch.started, 2),
        seconds_by_stage=watch.by_stage,
    )
