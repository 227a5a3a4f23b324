"""Learned fusions: what serves computes what was trained, training learns and resumes, and the gate decides."""

import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from magpie.data.aggregates.clicked_queries import ClickedQuery
from magpie.data.catalogue.catalogue import Catalogue, ItemDraft
from magpie.data.database.connection import open_database
from magpie.data.errors import BadInput, BadSetting
from magpie.data.settings import Settings
from magpie.indexer.fusion.average_fusion import PARTS, TextWeighing, fuse
from magpie.indexer.fusion.learned_fusion import KINDS, LearnedFusion, choose_fusion, fusion_file
from magpie.indexer.fusion.missing_part_imputation import ImputedAverage, plain_average
from magpie.indexer.fusion_training.acceptance_test import FEWEST_JUDGED, judge
from magpie.indexer.fusion_training.examples import (
    FEWEST_CLICKED,
    FusionExamples,
    draw_query,
    read_examples,
    without_words,
)
from magpie.indexer.fusion_training.train_fusion import _split, train_fusion
from magpie.indexer.fusion_training.training_loop import MODULES, FusionOptions, train_weights
from magpie.indexer.generations.generation import open_encoder_of
from magpie.indexer.generations.store import current_id, open_current, read_manifest
from magpie.indexer.paired_test import ndcg
from magpie.indexer.rebuild import RebuildOptions, rebuild
from magpie.indexer.text.item_text import ItemText
from magpie.indexer.vectors import unit_rows
from magpie.search.engine import SearchEngine
from magpie.search.request import SearchRequest
from tests.support.shop import COLOURS
from tests.support.shop import KINDS as KINDS_OF_THINGS

pytestmark = pytest.mark.slow

DIM = 16
WEIGHING = TextWeighing(0.0, 1.0, 1.0, 1.0)


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def random_rows(seed: int, count: int) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).standard_normal((count, DIM)).astype(np.float32))


def misleading_pictures(count: int) -> FusionExamples:
    """Items whose texts are their queries with as much noise, and whose pictures have nothing to do with them."""
    queries = random_rows(0, count)
    text = unit_rows(queries + random_rows(1, count))
    names = tuple(f"word{k}" for k in range(count))
    words, ones = tuple(frozenset([name]) for name in names), np.ones(count, np.int64)
    nobody = (frozenset[str](),) * count
    return FusionExamples(text, random_rows(2, count), text, queries, ones, ones, words, names, nobody, ones > 0)


def trained(kind: str, seed: int = 3) -> tuple[torch.nn.Module, LearnedFusion]:
    """A module whose parameters are random, and what serves for it."""
    torch.manual_seed(seed)
    module: Any = MODULES[kind](DIM)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    arrays = {name: array.detach().numpy() for name, array in module.arrays().items()}
    return module, LearnedFusion(kind, arrays, "some-encoder", {"passed": True, "gain": 0.1})


def weighted(text: float, image: float) -> dict[str, np.ndarray]:
    """A concat fusion that adds the parts with these weights."""
    blocks = {"text": text * np.eye(DIM, dtype=np.float32), "image": image * np.eye(DIM, dtype=np.float32)}
    return {**blocks, "present": np.zeros((2, DIM), np.float32), "bias": np.zeros(DIM, np.float32)}


@pytest.mark.parametrize("kind", KINDS)
def test_what_serves_computes_what_was_trained(kind: str) -> None:
    module, fusion = trained(kind)
    parts = {"text": random_rows(4, 6), "image": random_rows(5, 6)}
    parts["text"][0], parts["image"][1] = 0, 0
    with torch.no_grad():
        expected = module({name: torch.from_numpy(vectors) for name, vectors in parts.items()}).numpy()
    shares = fusion.contributions(parts, np.ones(6, np.float32))
    np.testing.assert_allclose(fuse(shares), unit_rows(expected), atol=1e-5)
    assert not shares["text"][0].any()
    assert not shares["image"][1].any()


@pytest.mark.parametrize("kind", KINDS)
def test_an_item_without_parts_stays_without_a_vector(kind: str) -> None:
    nothing = {name: np.zeros((1, DIM), np.float32) for name in PARTS}
    assert not fuse(trained(kind)[1].contributions(nothing, np.ones(1, np.float32))).any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_fusion_survives_being_saved(kind: str, tmp_path: Path) -> None:
    fusion = trained(kind)[1]
    fusion.save(tmp_path / "deep" / "f.npz")
    loaded = LearnedFusion.load(tmp_path / "deep" / "f.npz")
    assert (loaded.kind, loaded.fingerprint, loaded.judgement) == (fusion.kind, fusion.fingerprint, fusion.judgement)
    for name, array in fusion.arrays.items():
        np.testing.assert_array_equal(loaded.arrays[name], array)


@pytest.mark.parametrize("kind", KINDS)
def test_training_learns_which_part_to_trust(kind: str, tmp_path: Path) -> None:
    examples = misleading_pictures(300)
    arrays = train_weights(kind, examples, FusionOptions(steps=60), tmp_path, silent)
    parts = {"text": examples.text, "image": examples.image}
    weights = np.full(len(examples), 0.5, np.float32)
    relevant = examples.answers()
    before = ndcg(examples.queries @ fuse(plain_average(DIM).contributions(parts, weights)).T, relevant).mean()
    learned = LearnedFusion(kind, arrays, "", {}).contributions(parts, weights)
    assert ndcg(examples.queries @ fuse(learned).T, relevant).mean() > before


def test_an_interrupted_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    examples, options, elsewhere = misleading_pictures(40), FusionOptions(steps=130), tmp_path / "elsewhere"
    elsewhere.mkdir()
    whole = train_weights("concat", examples, options, elsewhere, silent)

    def interrupt(stage: str, done: int, total: int) -> None:
        if done == 120:
            raise KeyboardInterrupt

    steps: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        train_weights("concat", examples, options, tmp_path, interrupt)
    resumed = train_weights("concat", examples, options, tmp_path, lambda stage, done, total: steps.append(done))
    assert steps[0] == 100
    for name, array in whole.items():
        np.testing.assert_array_equal(resumed[name], array)


def test_the_gate_passes_what_is_better_and_hurts_nowhere() -> None:
    examples = misleading_pictures(400)
    text_only = LearnedFusion("concat", weighted(text=1.0, image=0.1), "", {})
    judged = judge(text_only, examples, len(examples), WEIGHING)
    assert judged["passed"]
    assert judged["gain"] > 0
    blind = replace(text_only, arrays={**text_only.arrays, "text": np.zeros((DIM, DIM), np.float32)})
    assert not judge(blind, examples, len(examples), WEIGHING)["passed"]
    whole = {"text": examples.text, "image": examples.image}
    same = ImputedAverage.fit(whole, WEIGHING.weigh(whole, examples.num_descriptive))
    assert not judge(same, examples, len(examples), WEIGHING)["passed"]


def test_finding_what_the_text_itself_says_is_no_merit() -> None:
    """Texts that are the queries, and tell nothing once their words are gone; the average trusts the pictures."""
    examples = misleading_pictures(400)
    fitting = unit_rows(examples.queries + 2 * random_rows(9, 400))
    named = replace(examples, text=examples.queries, reduced=random_rows(7, 400), image=fitting)
    words_first = LearnedFusion("concat", weighted(text=1.0, image=0.1), "", {})
    judged = judge(words_first, named, len(named), replace(WEIGHING, best=5.0))
    assert judged["gain"] > 0 and not judged["passed"]


def test_what_uploads_no_longer_find_is_harm() -> None:
    """Pairs of items that answer the same words look alike, and a fusion that heeds no picture tells them no more."""
    examples = misleading_pictures(400)
    pair = np.arange(400) // 2
    alike = unit_rows(random_rows(11, 200)[pair] + 0.3 * random_rows(12, 400))
    names = tuple(f"name{number}" for number in pair)
    paired = replace(examples, image=alike, query_texts=names, item_words=tuple(frozenset([name]) for name in names))
    text_only = LearnedFusion("concat", weighted(text=1.0, image=0.0), "", {})
    judged = judge(text_only, paired, len(paired), WEIGHING)
    seen = judged["kinds"]["by_picture"]
    assert seen["learned"] < seen["average"] - 0.1 and seen["p"] < 0.05
    assert not judged["passed"]


def test_too_few_queries_judge_nothing() -> None:
    words_first, examples = LearnedFusion("concat", weighted(text=1.0, image=0.1), "", {}), misleading_pictures(400)
    assert judge(words_first, examples, len(examples), WEIGHING)["passed"]
    judged = judge(words_first, examples, FEWEST_JUDGED - 1, WEIGHING)
    assert (judged["passed"], judged["queries"]) == (False, FEWEST_JUDGED - 1)


def test_words_that_do_not_describe_judge_nothing_and_people_do() -> None:
    examples = replace(misleading_pictures(1000), describes=np.arange(1000) % 4 == 0)
    assert len(_split(examples)[1]) == 0
    described = replace(examples, describes=np.arange(1000) % 4 != 0)
    assert 100 < len(_split(described)[1]) < 200
    asked = replace(examples, clicked_queries=tuple(frozenset([name]) for name in examples.query_texts))
    assert 150 < len(_split(asked)[1]) < 250


def test_words_held_out_are_nowhere_in_the_text() -> None:
    text = ItemText("Blue Oak chair", "A blue chair, of oak.", ("oak", "navy blue", "chair"), (), "")
    for seed in range(30):
        query = draw_query(text, random.Random(seed))
        reduced = without_words(text, query)
        left = f"{reduced.title} {reduced.description} {' '.join(reduced.values)}".casefold()
        assert query
        assert not any(word in left.replace(",", " ").replace(".", " ").split() for word in query.casefold().split())


def test_what_led_people_to_an_item_is_answered_by_it_without_having_the_words() -> None:
    examples = replace(
        misleading_pictures(3),
        query_texts=("word0", "sneakers", "word2"),
        clicked_queries=(frozenset(), frozenset(["sneakers"]), frozenset(["sneakers"])),
    )
    np.testing.assert_array_equal(examples.answers(), [[1, 0, 0], [0, 1, 1], [0, 0, 1]])


def test_clicked_queries_are_learned_from_where_there_are_enough(own_shop: Settings) -> None:
    names = [f"{kind}-{colour}" for kind in KINDS_OF_THINGS for colour in COLOURS]
    clicked = {name: [ClickedQuery("plaything", 1.0)] for name in names}
    database = open_database(own_shop)
    generation, _ = open_current(own_shop)
    encoder = open_encoder_of(generation)
    catalogue = Catalogue(database, own_shop)
    few = read_examples(catalogue, generation, encoder, clicked, 0, silent)
    assert not any(few.clicked_queries)
    absent = {f"gone {number}": clicked[names[0]] for number in range(FEWEST_CLICKED)}
    enough = read_examples(catalogue, generation, encoder, clicked | absent, 0, silent)
    database.close()
    led = [text for text, led in zip(enough.query_texts, enough.clicked_queries, strict=True) if led]
    assert led == ["plaything"] * len(names)
    assert len(enough) > len(names)


def kind_of(fusion: LearnedFusion | None) -> str:
    return fusion.kind if fusion else "average"


def test_a_fusion_is_used_for_its_encoder_only_and_by_auto_only_if_it_passed(settings: Settings) -> None:
    assert choose_fusion("auto", settings, "some-encoder") is None
    with pytest.raises(BadSetting, match="magpie train fusion"):
        choose_fusion("concat", settings, "some-encoder")
    with pytest.raises(BadSetting, match="attention"):
        choose_fusion("magic", settings, "some-encoder")
    for kind, gain in (("concat", 0.1), ("attention", 0.2)):
        fusion = replace(trained(kind)[1], judgement={"passed": kind == "concat", "gain": gain})
        fusion.save(fusion_file(settings, kind))
    assert kind_of(choose_fusion("auto", settings, "some-encoder")) == "concat"
    assert kind_of(choose_fusion("attention", settings, "some-encoder")) == "attention"
    assert choose_fusion("average", settings, "some-encoder") is None
    assert choose_fusion("auto", settings, "another-encoder") is None


def test_too_few_items_are_refused(own_shop: Settings) -> None:
    database = open_database(own_shop)
    with pytest.raises(BadInput, match="at least 100"):
        train_fusion(own_shop, database, FusionOptions(steps=1), silent)
    database.close()


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_fuses_explains_and_takes_up_changes_by_the_learned_fusion(
    own_shop: Settings, tmp_path: Path, kind: str
) -> None:
    generation, _ = open_current(own_shop)
    dim = generation.manifest["dim"]
    arrays = {name: array.detach().numpy() for name, array in MODULES[kind](dim).arrays().items()}
    LearnedFusion(kind, arrays, generation.manifest["fingerprint"], {"passed": False, "gain": 0.0}).save(
        fusion_file(own_shop, kind)
    )
    database = open_database(own_shop)
    rebuild(own_shop, database, RebuildOptions(fusion=kind))
    manifest = read_manifest(own_shop.generations_dir / str(current_id(own_shop)))
    assert manifest["fusion"] == kind
    assert manifest["fusion_judgement"] == {"passed": False, "gain": 0.0}
    engine = SearchEngine(own_shop, database)
    Catalogue(database, own_shop).upsert([ItemDraft(item_id="new", title="Red ball")], tmp_path)
    engine.refresh()
    hits = engine.search(SearchRequest(text="red ball", mode="fused", explain=True, k=40)).hits
    assert {"ball-red", "new"} <= {hit.item_id for hit in hits[:3]}
    for hit in hits:
        assert hit.explain is not None
        assert math.isclose(sum(hit.explain.values()), hit.score, abs_tol=1e-5)
    database.close()
