"""Test queries with judgments, made from what the items truly are, never from what their titles claim."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .catalogue import Record
from .faults import Faults
from .text import Facts

WOODEN = ("oak", "walnut", "ash", "bamboo", "painted wood")
POTTERY = ("ceramic", "stoneware", "porcelain", "terracotta")
MIN_ANSWERS = 2  # a query is asked only where at least so many items are all of it


@dataclass(frozen=True)
class Wanted:
    """What a query asks for: kinds, and the values it allows for each attribute; `but` are values it refuses."""

    kinds: tuple[str, ...]
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    but: dict[str, tuple[str, ...]] = field(default_factory=dict)
    must: tuple[str, ...] = ()

    def grade(self, facts: Facts) -> int:
        """3 all of it, 2 all but one attribute (never one of `must`), 1 the kind, 0 another kind or a refused one."""
        if facts.kind not in self.kinds or any(getattr(facts, name) in values for name, values in self.but.items()):
            return 0
        missed = [name for name, values in self.attributes.items() if getattr(facts, name) not in values]
        if not missed:
            return 3
        return 2 if len(missed) == 1 and len(self.attributes) > 1 and missed[0] not in self.must else 1


@dataclass(frozen=True)
class Query:
    query_id: str
    request: dict[str, str]
    wanted: Wanted


# words, kinds, attributes: queries as people type them
ASKED: tuple[tuple[str, tuple[str, ...], dict[str, tuple[str, ...]]], ...] = (
    ("blue glass vase", ("vase",), {"colour": ("blue",), "material": ("glass",)}),
    ("wooden stool", ("stool",), {"material": WOODEN}),
    ("brass floor lamp", ("floor lamp",), {"material": ("brass",)}),
    ("striped cushion", ("cushion",), {"pattern": ("stripes",)}),
    ("couch", ("sofa",), {}),
    ("red couch", ("sofa",), {"colour": ("red",)}),
    ("leather armchair", ("armchair",), {"material": ("leather",)}),
    ("velvet sofa", ("sofa",), {"material": ("velvet",)}),
    ("pitcher", ("jug",), {}),
    ("copper kettle", ("kettle",), {"material": ("copper",)}),
    ("chopping board", ("cutting board",), {}),
    ("marble chopping board", ("cutting board",), {"material": ("marble",)}),
    ("wooden chopping board", ("cutting board",), {"material": WOODEN}),
    ("polka dot mug", ("mug",), {"pattern": ("dots",)}),
    ("white porcelain cup", ("cup and saucer", "mug"), {"colour": ("white",), "material": ("porcelain",)}),
    ("dotted teapot", ("teapot",), {"pattern": ("dots",)}),
    ("cast iron teapot", ("teapot",), {"material": ("black iron",)}),
    ("green wine glass", ("wine glass",), {"colour": ("green",)}),
    ("clear glass carafe", ("carafe",), {"colour": ("clear",)}),
    ("checked rug", ("rug",), {"pattern": ("checks",)}),
    ("striped carpet", ("rug",), {"pattern": ("stripes",)}),
    ("wool blanket", ("throw",), {"material": ("wool",)}),
    ("rattan basket", ("basket",), {"material": ("rattan",)}),
    ("terracotta plant pot", ("planter",), {"material": ("terracotta",)}),
    ("concrete planter", ("planter",), {"material": ("concrete",)}),
    ("plant in a white pot", ("planter",), {"colour": ("white",)}),
    ("walnut dining table", ("dining table",), {"material": ("walnut",)}),
    ("marble coffee table", ("coffee table",), {"material": ("marble",)}),
    ("terrazzo table", ("coffee table", "side table"), {"material": ("terrazzo",)}),
    ("oak bookshelf", ("shelf",), {"material": ("oak",)}),
    ("industrial shelf with metal frame", ("shelf",), {"variant": ("industrial",)}),
    ("sideboard", ("cabinet",), {"variant": ("sideboard",)}),
    ("wardrobe", ("cabinet",), {"variant": ("wardrobe",)}),
    ("dresser with drawers", ("chest of drawers",), {}),
    ("rainbow stacking rings", ("stacking rings",), {"variant": ("rainbow",)}),
    ("wooden building blocks", ("building blocks",), {"material": WOODEN}),
    ("toy train", ("toy car",), {"variant": ("train",)}),
    ("toy truck", ("toy car",), {"variant": ("truck",)}),
    ("beach ball", ("ball",), {"variant": ("beach",)}),
    ("black dice", ("dice",), {"colour": ("black",)}),
    ("spinning top", ("spinning top",), {}),
    ("cat figurine", ("ornament",), {"variant": ("cat",)}),
    ("bird ornament", ("ornament",), {"variant": ("bird",)}),
    ("round mirror", ("mirror",), {"variant": ("round",)}),
    ("sunburst mirror", ("mirror",), {"variant": ("sunburst",)}),
    ("alarm clock", ("clock",), {"variant": ("alarm",)}),
    ("gold wall clock", ("clock",), {"colour": ("gold",)}),
    ("black picture frame", ("picture frame",), {"colour": ("black",)}),
    ("arc lamp", ("floor lamp",), {"variant": ("arc",)}),
    ("tripod lamp", ("floor lamp",), {"variant": ("tripod",)}),
    ("desk lamp", ("table lamp",), {"variant": ("desk",)}),
    ("globe pendant light", ("pendant lamp",), {"variant": ("globe",)}),
    ("hanging lamp in brass or copper", ("pendant lamp",), {"material": ("brass", "copper")}),
    ("three-armed candelabra", ("candle holder",), {"variant": ("candelabra",)}),
    ("candle in a glass", ("candle",), {"variant": ("in a glass",)}),
    ("bar stool", ("stool",), {"variant": ("bar",)}),
    ("copper watering can", ("watering can",), {"material": ("copper",)}),
    ("two-tier cake stand", ("cake stand",), {"variant": ("tiered",)}),
    ("black marble tray", ("tray",), {"colour": ("black",), "material": ("marble",)}),
    ("hourglass", ("hourglass",), {}),
    ("jewellery box", ("box",), {"variant": ("jewellery",)}),
    ("double bed with headboard", ("bed",), {}),
    ("garden", ("planter", "watering can"), {}),
    ("lamp", ("table lamp", "floor lamp", "pendant lamp"), {}),
    (
        "blue glass",
        ("vase", "bottle", "carafe", "wine glass", "tumbler", "jar", "bowl", "jug"),
        {"colour": ("blue",), "material": ("glass",)},
    ),
    ("花瓶", ("vase",), {}),
    ("blaue Vase", ("vase",), {"colour": ("blue",)}),
    ("canapé vert", ("sofa",), {"colour": ("green",)}),
)
REFUSED: tuple[tuple[str, str, tuple[str, ...], dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]], ...] = (
    ("vase", "glass", ("vase",), {}, {"material": ("glass",)}),
    ("floor lamp", "brass", ("floor lamp",), {}, {"material": ("brass",)}),
    ("cushion", "striped", ("cushion",), {}, {"pattern": ("stripes",)}),
    ("mug", "white", ("mug",), {}, {"colour": ("white",)}),
    ("sofa", "leather", ("sofa",), {}, {"material": ("leather",)}),
    ("rug", "round", ("rug",), {}, {"variant": ("round",)}),
    ("chair", "wooden", ("chair",), {}, {"material": WOODEN}),
    ("stool", "painted", ("stool",), {}, {"material": ("painted wood",)}),
    ("bowl", "wooden", ("bowl",), {}, {"material": WOODEN}),
    ("teapot", "iron", ("teapot",), {}, {"material": ("black iron",)}),
    ("mirror", "round", ("mirror",), {}, {"variant": ("round",)}),
    ("clock", "alarm clock", ("clock",), {}, {"variant": ("alarm",)}),
    ("planter", "terracotta", ("planter",), {}, {"material": ("terracotta",)}),
    ("cutting board", "marble", ("cutting board",), {}, {"material": ("marble",)}),
    ("coffee table", "round", ("coffee table",), {}, {"variant": ("round", "drum")}),
    ("plant pot", "green", ("planter",), {}, {"colour": ("green",)}),
    ("wine glass", "clear", ("wine glass",), {}, {"colour": ("clear",)}),
    ("basket", "rattan", ("basket",), {}, {"material": ("rattan",)}),
    ("ornament", "cat", ("ornament",), {}, {"variant": ("cat",)}),
    ("pendant lamp", "globe", ("pendant lamp",), {}, {"variant": ("globe",)}),
)


def build_queries(records: list[Record], faults: Faults, seed: int) -> list[Query]:
    """Every query that enough items answer: typed ones, drawn ones, alike, composed and negated ones."""
    rng = np.random.default_rng(seed + 2)
    typed = [Query("", {"text": text}, Wanted(kinds, attributes)) for text, kinds, attributes in ASKED]
    groups = {
        "text": (0, typed + _drawn(records, rng, 22)),
        "like": (300, _alike(records, faults, rng, 30)),
        "composed": (450, _composed(records, faults, rng, 24)),
        "not": (570, [Query("", {"text": t, "not": n}, Wanted(k, a, b)) for t, n, k, a, b in REFUSED]),
    }
    queries = []
    for name, (start, group) in groups.items():
        answered = [q for q in group if sum(q.wanted.grade(r.truth) == 3 for r in records) >= MIN_ANSWERS]
        queries += [Query(f"{name}-{start + k:04d}", q.request, q.wanted) for k, q in enumerate(answered)]
    return queries


def _drawn(records: list[Record], rng: np.random.Generator, count: int) -> list[Query]:
    """ "colour kind" queries for kinds and colours as the shop has them."""
    queries, seen = [], set()
    while len(queries) < count:
        facts = records[int(rng.integers(len(records)))].truth
        same = sum(r.truth.kind == facts.kind and r.truth.colour == facts.colour for r in records)
        if (facts.kind, facts.colour) in seen or same < MIN_ANSWERS or facts.colour in ("gold", "silver", "copper"):
            continue
        seen.add((facts.kind, facts.colour))
        queries.append(
            Query("", {"text": f"{facts.colour} {facts.kind}"}, Wanted((facts.kind,), {"colour": (facts.colour,)}))
        )
    return queries


def _healthy(records: list[Record], faults: Faults) -> list[Record]:
    """Held-out items (their ids end in 3) whose picture is there and their own."""
    without = {*faults.no_picture, *faults.wrong_picture, *faults.wrong_colour}
    return [r for r in records if r.row["id"].endswith("3") and r.row["id"] not in without]


def _alike(records: list[Record], faults: Faults, rng: np.random.Generator, count: int) -> list[Query]:
    """Items like one item: its kind in its colour and material."""
    queries = []
    pool = _healthy(records, faults)
    for k in rng.permutation(len(pool)):
        facts = pool[k].truth
        wanted = Wanted((facts.kind,), {"colour": (facts.colour,), "material": (facts.material,)})
        if sum(wanted.grade(r.truth) == 3 for r in records) > MIN_ANSWERS:
            queries.append(Query("", {"like": pool[k].row["id"]}, wanted))
        if len(queries) == count:
            break
    return queries


def _composed(records: list[Record], faults: Faults, rng: np.random.Generator, count: int) -> list[Query]:
    """An item, but in another colour or material: what the words ask for is a must."""
    queries: list[Query] = []
    pool = _healthy(records, faults)
    for k in rng.permutation(len(pool)):
        facts = pool[k].truth
        name = str(rng.choice(["colour", "colour", "material"]))
        values = sorted(
            {getattr(r.truth, name) for r in records if r.truth.kind == facts.kind} - {getattr(facts, name)}
        )
        value = str(rng.choice(values)) if values else ""
        keep = "material" if name == "colour" else "colour"
        wanted = Wanted((facts.kind,), {name: (value,), keep: (getattr(facts, keep),)}, must=(name,))
        if value and len(queries) < count and sum(wanted.grade(r.truth) == 3 for r in records) >= MIN_ANSWERS:
            queries.append(Query("", {"like": pool[k].row["id"], "text": f"in {value}"}, wanted))
    return queries


def write_queries(queries: list[Query], records: list[Record], folder: Path) -> None:
    """Writes queries.jsonl and qrels.txt (TREC: query_id 0 item_id grade), each beside its place, then renamed."""
    lines = [json.dumps({"query_id": q.query_id, **q.request}, ensure_ascii=False) for q in queries]
    judged = []
    for query in queries:
        for record in records:
            grade = query.wanted.grade(record.truth)
            if grade and record.row["id"] != query.request.get("like"):
                judged.append(f"{query.query_id} 0 {record.row['id']} {grade}")
    for name, content in (("queries.jsonl", lines), ("qrels.txt", judged)):
        beside = folder / f"{name}.part"
        beside.write_text("\n".join(content) + "\n", encoding="utf-8")
        beside.replace(folder / name)
