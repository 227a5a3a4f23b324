"""The demo shop: its generator draws the same shop every time, and what is committed is that shop, faults and all."""

import csv
import hashlib
import importlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

DEMO = Path(__file__).parents[2] / "data" / "demo"
DEMO_SHOP = Path(__file__).parents[2] / "benchmarks" / "demo_shop"
ITEMS = 2000


def workshop(name: str) -> Any:
    """A module of what draws the demo shop, which is no part of Magpie's packages."""
    if str(DEMO_SHOP) not in sys.path:
        sys.path.insert(0, str(DEMO_SHOP))
    return importlib.import_module(f"workshop.{name}")


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, str]]:
    with (DEMO / "catalog.csv").open(encoding="utf-8", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def faults() -> Any:
    return json.loads((DEMO / "faults.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def judged() -> dict[str, dict[str, int]]:
    """query id -> item id -> grade"""
    grades: dict[str, dict[str, int]] = {}
    for line in (DEMO / "qrels.txt").read_text("utf-8").splitlines():
        query, _, item, grade = line.split()
        grades.setdefault(query, {})[item] = int(grade)
    return grades


@pytest.fixture(scope="module")
def queries() -> dict[str, dict[str, str]]:
    lines = (DEMO / "queries.jsonl").read_text("utf-8").splitlines()
    return {query["query_id"]: query for query in map(json.loads, lines)}


# the generator


def test_the_range_is_drawn_the_same_every_time() -> None:
    drawn = workshop("range")
    once, again = drawn.draw_range(ITEMS), drawn.draw_range(ITEMS)
    assert once == again
    assert once != drawn.draw_range(ITEMS, seed=drawn.SEED + 1)


def test_the_committed_feed_is_what_the_generator_writes(rows: dict[str, dict[str, str]]) -> None:
    catalogue, drawn = workshop("catalogue"), workshop("range")
    designs = drawn.draw_range(ITEMS)
    faults = workshop("faults").plant_faults(designs, drawn.SEED)
    for number in range(0, ITEMS, 37):
        row = catalogue.build_record(number, designs[number], faults).row
        assert rows[row["id"]] == row


def test_the_committed_faults_are_those_the_generator_plants(faults: Any) -> None:
    drawn = workshop("range")
    assert workshop("faults").plant_faults(drawn.draw_range(ITEMS), drawn.SEED).as_json() == faults


def test_the_workshop_imports_neither_magpie_nor_a_renderer() -> None:
    names = "mitsuba magpie torch"
    code = f"import sys; import workshop.catalogue; print([n for n in '{names}'.split() if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=DEMO_SHOP, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_variant_of_every_kind_can_be_built_in_a_plausible_size() -> None:
    kinds = workshop("kinds").KINDS
    built: set[tuple[str, str]] = set()
    for design in workshop("range").draw_range(ITEMS):
        if (design.kind, design.variant) in built:
            continue
        built.add((design.kind, design.variant))
        for part in kinds[design.kind].build(design):
            assert np.isfinite(part.mesh.points).all()
            assert np.isfinite(part.mesh.uv).all()
            assert np.isfinite(part.mesh.normals).all()
            assert part.mesh.faces.max() < len(part.mesh.points)
        assert all(0.5 < size_cm < 300 for size_cm in workshop("catalogue").measure(design)), design
    assert built == {(name, variant) for name, kind in kinds.items() for variant in kind.variants}


def test_solids_enclose_their_volume_and_face_outwards() -> None:
    shapes = workshop("shapes")
    cases = {
        "box": (shapes.box(4, 3, 2, 0.01), 4 * 3 * 2),
        "cylinder": (shapes.cylinder(2, 5, 0.01), np.pi * 2**2 * 5),
        "sphere": (shapes.sphere(3), 4 / 3 * np.pi * 3**3),
        "torus": (shapes.torus(5, 1), 2 * np.pi**2 * 5 * 1**2),
        "prism": (shapes.prism(shapes.superellipse(6, 4), 2, 0.001), np.pi * 3 * 2 * 2),
    }
    for name, (mesh, volume) in cases.items():
        a, b, c = (mesh.points[mesh.faces[:, k]] for k in range(3))
        assert np.sum(np.cross(a, b) * c) / 6 == pytest.approx(volume, rel=0.03), name


def test_one_picture_rendered_twice_is_the_same_picture() -> None:
    mitsuba = pytest.importorskip("mitsuba", reason="the demo's pictures can be rendered only with the extra [render]")
    pytest.importorskip("mitsuba_oidn", reason="the demo's pictures can be rendered only with the extra [render]")
    mitsuba.set_variant("scalar_rgb")
    drawn, studio = workshop("range"), workshop("studio")
    design = next(d for d in drawn.draw_range(ITEMS) if d.kind == "mug")
    parts = workshop("kinds").KINDS["mug"].build(design)
    once, again = (studio.photograph(parts, drawn.plan_shot(design), 48, 4, seed=1) for _ in range(2))
    assert once.shape == (48, 48, 3)
    assert np.abs(once.astype(int) - again.astype(int)).max() <= 1
    assert 60 < once.mean() < 245


# what is committed


def test_the_shop_has_two_thousand_items_of_at_least_forty_kinds(rows: dict[str, dict[str, str]]) -> None:
    assert list(rows) == [f"mg-{k:04d}" for k in range(1, ITEMS + 1)]
    assert len({row["kind"] for row in rows.values()}) >= 40
    assert len({row["material"] for row in rows.values()}) >= 25
    assert len({row["colour"] for row in rows.values()}) >= 14
    assert {"plain", "stripes", "dots", "checks", "terrazzo", "gradient", "two-tone"} <= {
        row["pattern"] for row in rows.values()
    }
    for row in rows.values():
        assert row["title"] == row["title"].strip() != ""
        assert float(row["price"]) > 0
        assert float(row["width_cm"]) > 0
        assert 2000 < int(row["year"]) < 2030


def test_some_titles_are_chinese_german_and_french(rows: dict[str, dict[str, str]]) -> None:
    titles = [row["title"] for row in rows.values()]
    assert sum(any("一" <= letter <= "鿿" for letter in title) for title in titles) >= 20
    assert sum(" aus " in title for title in titles) >= 20
    assert sum(" en " in title for title in titles) >= 20


def test_the_planted_faults_are_there_in_their_shares(rows: dict[str, dict[str, str]], faults: Any) -> None:
    assert len(faults["no_description"]) == round(0.08 * ITEMS)
    assert len(faults["wrong_colour"]) == round(0.04 * ITEMS)
    assert len(faults["wrong_picture"]) == round(0.03 * ITEMS)
    assert len(faults["no_picture"]) == round(0.05 * ITEMS)
    faulty = [item for fault in faults.values() for item in fault]
    assert len(faulty) == len(set(faulty))
    assert {i for i, row in rows.items() if not row["description"]} == set(faults["no_description"])
    assert {i for i, row in rows.items() if not row["image"]} == set(faults["no_picture"])
    for item, shade in faults["wrong_colour"].items():
        assert shade in rows[item]["title"].lower()
        assert rows[item]["colour"] not in shade
    for item, other in faults["wrong_picture"].items():
        assert rows[item]["kind"] != rows[other]["kind"]
        assert other not in faulty


def test_the_readme_lists_every_faulty_item(faults: Any) -> None:
    readme = (DEMO / "README.md").read_text("utf-8")
    missing = [item for fault in faults.values() for item in fault if item.removeprefix("mg-") not in readme]
    assert not missing


def test_every_picture_opens_and_the_folder_is_small(rows: dict[str, dict[str, str]]) -> None:
    size_bytes = 0
    named = [DEMO / row["image"] for row in rows.values() if row["image"]]
    for path in named:
        with Image.open(path) as picture:
            assert (picture.format, picture.size, picture.mode) == ("JPEG", (320, 320), "RGB")
            picture.load()
        size_bytes += path.stat().st_size
    assert size_bytes <= 30_000_000
    assert sorted(named) == sorted((DEMO / "images").iterdir())


def test_no_picture_is_black_burnt_out_or_another_ones_twin(faults: Any) -> None:
    seen: dict[str, str] = {}
    for path in sorted((DEMO / "images").glob("*.jpg")):
        fingerprint = hashlib.sha256(path.read_bytes()).hexdigest()
        if path.stem in faults["wrong_picture"]:
            other = DEMO / "images" / f"{faults['wrong_picture'][path.stem]}.jpg"
            assert path.read_bytes() == other.read_bytes()
            continue
        assert fingerprint not in seen, f"{path.stem} is {seen.get(fingerprint)}"
        seen[fingerprint] = path.stem
        with Image.open(path) as picture:
            grey = np.asarray(picture.convert("L").resize((32, 32)))
        assert 45 < grey.mean() < 245, path.stem
        assert grey.std() > 2, path.stem


# queries and judgments


def test_there_are_queries_of_four_sorts_and_all_are_judged(
    queries: dict[str, dict[str, str]], judged: dict[str, dict[str, int]], rows: dict[str, dict[str, str]]
) -> None:
    sorts = Counter(query_id.split("-")[0] for query_id in queries)
    assert sorts["text"] >= 60
    assert min(sorts["like"], sorts["composed"], sorts["not"]) >= 15
    assert set(judged) == set(queries)
    for query_id, query in queries.items():
        assert set(query) <= {"query_id", "text", "like", "not"}
        assert set(judged[query_id].values()) <= {1, 2, 3}
        assert 3 in judged[query_id].values()
        assert set(judged[query_id]) <= set(rows)
        assert query.get("like") not in judged[query_id]


@pytest.mark.parametrize(
    ("text", "kind", "wanted"),
    [
        ("blue glass vase", "vase", {"colour": {"blue"}, "material": {"glass"}}),
        ("wooden stool", "stool", {"material": {"oak", "walnut", "ash", "bamboo", "painted wood"}}),
        ("brass floor lamp", "floor lamp", {"material": {"brass"}}),
        ("striped cushion", "cushion", {"pattern": {"stripes"}}),
        ("red couch", "sofa", {"colour": {"red"}}),
    ],
)
def test_judgments_agree_with_the_true_attributes(
    text: str,
    kind: str,
    wanted: dict[str, set[str]],
    queries: dict[str, dict[str, str]],
    judged: dict[str, dict[str, int]],
    rows: dict[str, dict[str, str]],
) -> None:
    query_id = next(i for i, query in queries.items() if query.get("text") == text)
    expected = {}
    for item, row in rows.items():
        if row["kind"] == kind:
            missed = sum(row[name] not in values for name, values in wanted.items())
            expected[item] = 3 if missed == 0 else 2 if missed == 1 and len(wanted) > 1 else 1
    assert judged[query_id] == expected


def test_a_refused_attribute_is_never_relevant(
    queries: dict[str, dict[str, str]], judged: dict[str, dict[str, int]], rows: dict[str, dict[str, str]]
) -> None:
    query_id = next(i for i, q in queries.items() if (q.get("text"), q.get("not")) == ("vase", "glass"))
    assert {rows[item]["material"] for item in judged[query_id]}.isdisjoint({"glass"})
    vases = {i for i, row in rows.items() if row["kind"] == "vase" and row["material"] != "glass"}
    assert set(judged[query_id]) == vases


def test_queries_by_item_use_held_out_items_with_a_picture_of_their_own(
    queries: dict[str, dict[str, str]], faults: Any
) -> None:
    likes = [query["like"] for query in queries.values() if "like" in query]
    assert all(item.endswith("3") for item in likes)
    assert not set(likes) & {*faults["no_picture"], *faults["wrong_picture"]}
