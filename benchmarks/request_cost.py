"""The most expensive request that a stranger may send, found by search, in units of usual searches.

    python benchmarks/request_cost.py HOME [--changes 2000] [--draws 200] [--climbs 20] [--minutes 8] [--seed 0]

Draws legal requests at random over every option of the open routes, then changes one option after another of the
dearest ones and keeps what makes them dearer. A cost is the CPU time that the application takes for one request (its
own, and that of its decoders of pictures), divided by the median over plain searches of the same run; no query is asked
twice. Of the dearest requests the second lowest of five runs is told, each with its words in another order. Changed
items lie beside the index, so that segments are merged. Works on a copy of the home, which must have an index.
"""

import argparse
import io
import json
import os
import random
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from string import ascii_lowercase
from typing import Any
from urllib.parse import urlencode

import numpy as np
from flask.testing import FlaskClient
from PIL import Image

from magpie.data.catalogue.items import ItemDraft
from magpie.data.settings import Settings
from magpie.indexer.indexes.column_types import NumberColumn
from magpie.search.evaluation.latency_benchmark import draw_queries
from magpie.search.request import MODES
from magpie.web.app import create_app
from magpie.web.services import Services

PLAIN = 60
ALLOWED = 20.0  # usual searches, DESIGN: "what is taken costs at most 20 usual searches"
TOLD = 8

Options = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request: a route and its options, which `Requests.send` turns into an address or a body."""

    route: str
    options: Options

    def brief(self) -> str:
        """The request in a line, its long values shortened."""
        shown = {
            name: text if len(text := str(value)) < 70 else f"{text[:67]}…" for name, value in self.options.items()
        }
        return f"{self.route} {json.dumps(shown, ensure_ascii=False)}"


class Requests:
    """Draws and sends requests about what one home holds."""

    def __init__(self, client: FlaskClient, opened: Services, chance: random.Random) -> None:
        self._client, self._chance = client, chance
        serving = opened.engine.serving
        self._phrases = [phrase for phrase, _ in serving.generation.phrases]
        self._columns = serving.segments[0].columns
        self._ids = [opened.catalogue.get_many([id_])[id_].item_id for id_ in serving.segments[0].ids[:200].tolist()]
        self._pictures = [_picture(*size) for size in ((256, 256), (1500, 1500), (7000, 7000))]
        self._words = draw_queries(self._phrases, 20_000)
        self._vocabulary = sorted({word for phrase in self._phrases for word in phrase.split()})
        self._draws = {
            "search": {
                "query": self._text, "k": self._k, "offset": self._offset, "mode": lambda: chance.choice(MODES),
                "sort": self._sort, "filters": self._filters, "explain": self._flag, "like": self._id, "not": self._not,
                "image_weight": chance.random, "correct": self._flag, "client_id": self._name, "session_id": self._name,
                "rerank": self._flag, "facets": self._flag, "image": lambda: chance.choice(self._pictures),
            },
            "page": {
                "q": self._text, "page": lambda: chance.choice((1, 5, 20)), "sort": self._sort,
                "filters": self._filters, "like": self._id, "not": self._not,
                "weight": lambda: chance.randrange(101), "exact": lambda: 1,
            },
            "similar": {"id": self._id, "k": self._k},
            "recommend": {"item": self._id, "client_id": self._name, "session_id": self._name, "k": self._k},
            "suggest": {"q": self._text, "limit": lambda: chance.choice((1, 20))},
            "item": {"id": self._id},
        }  # fmt: skip

    def plain(self) -> Asked:
        """A usual search."""
        return Asked("search", {"query": self._words.pop()})

    def draw(self) -> Asked:
        """Any request, each option there or not."""
        route = self._chance.choice(["search"] * 5 + ["page"] * 2 + ["similar", "recommend", "suggest", "item"])
        of_route = self._draws[route]
        share = self._chance.random()
        return Asked(route, {name: draw() for name, draw in of_route.items() if self._chance.random() < share})

    def changed(self, asked: Asked) -> Asked:
        """The request with one option drawn anew, added or left out."""
        name = self._chance.choice(list(self._draws[asked.route]))
        options = {key: value for key, value in asked.options.items() if key != name}
        if name not in asked.options or self._chance.random() < 0.7:
            options[name] = self._draws[asked.route][name]()
        return replace(asked, options=options)

    def afresh(self, asked: Asked) -> Asked:
        """The same with its words in another order, so that nothing of it is remembered."""
        options = dict(asked.options)
        for name in ("query", "q"):
            if words := str(options.get(name, "")).split():
                self._chance.shuffle(words)
                options[name] = " ".join(words)
        return replace(asked, options=options)

    def send(self, asked: Asked) -> int:
        """The status of its answer, which is read to its end."""
        options = {name: value for name, value in asked.options.items() if name not in ("filters", "image")}
        filters, image = asked.options.get("filters", {}), asked.options.get("image")
        if asked.route == "search" and image is not None:
            fields = {
                name: json.dumps(value) if not isinstance(value, str) else value for name, value in options.items()
            }
            form = {**fields, "filters": json.dumps(filters), "image": (io.BytesIO(image), "picture.jpg")}
            return self._client.post("/api/search", data=form).status_code
        if asked.route == "search":
            return self._client.post("/api/search", json={**options, "filters": filters}).status_code
        if asked.route == "page":
            chosen = [("filter", f"{name}:{value}") for name, value in _written(filters)]
            return self._client.get("/?" + urlencode([*options.items(), *chosen])).status_code
        id_ = options.pop("id", self._ids[0])
        paths = {"similar": f"/api/items/{id_}/similar", "item": "/item", "recommend": "/api/recommend"}
        options |= {"id": id_} if asked.route == "item" else {}
        return self._client.get(f"{paths.get(asked.route, '/api/suggest')}?{urlencode(options)}").status_code

    def _text(self) -> str:
        chance = self._chance
        kind = chance.randrange(5)
        if kind == 0 or not self._vocabulary:
            return self._words.pop()
        words = chance.choices(self._vocabulary, k=200)
        if kind == 1:  # words that the index has
            return " ".join(words)[: chance.choice((100, 1000))].strip()
        if kind == 2:  # misspelt ones
            return " ".join(word[:-1] + chance.choice("qxz") + word[-1] for word in words)[:1000].strip()
        if kind == 3:  # short ones, which many words begin with or come near to
            return " ".join(chance.choice(ascii_lowercase) + chance.choice("aeiou") for _ in range(333))
        return " ".join(["not " + word for word in words[:50]])[:1000].strip()

    def _not(self) -> str:
        return ", ".join(self._text()[:150].replace(",", " ") for _ in range(self._chance.randint(1, 6)))

    def _k(self) -> int:
        return self._chance.choice((1, 10, 100, 1000))

    def _offset(self) -> int:
        return self._chance.choice((0, 100, 240, 300, 5000, 9000))

    def _sort(self) -> str:
        return self._chance.choice(("", "-")) + self._chance.choice(["relevance", "newest", *self._columns.names])

    def _flag(self) -> bool:
        return self._chance.random() < 0.5

    def _id(self) -> str:
        return self._chance.choice(self._ids)

    def _name(self) -> str:
        return f"client {self._chance.randrange(5)}"

    def _filters(self) -> dict[str, Any]:
        chance = self._chance
        names = chance.sample(self._columns.names, chance.randint(1, min(50, len(self._columns.names))))
        return {name: self._filter(name, len(names)) for name in names}

    def _filter(self, name: str, num_fields: int) -> Any:
        chance, column = self._chance, self._columns[name]
        most = max(1, min(chance.choice((1, 30, 900)), 900 // num_fields, len(column.values_as_words)))
        values = chance.sample(column.values_as_words, most)
        kept: list[str] = []
        while values and sum(map(len, kept)) + len(values[-1]) < 40_000 // num_fields:
            kept.append(values.pop())
        if isinstance(column, NumberColumn) and not column.is_dates and chance.random() < 0.5:
            numbers = column.values[~np.isnan(column.values)]
            return {"gte": float(numbers.min()), "lte": float(chance.choice(numbers.tolist()))}
        return chance.choice((kept or ["x"], {"not": kept or ["x"]}, {"exists": True}, {"exists": False}))


def _written(filters: dict[str, Any]) -> list[tuple[str, str]]:
    """The filters as addresses write them, at most 150 of them."""
    written = []
    for name, wanted in filters.items():
        if isinstance(wanted, list):
            written += [(name, f'"{value}"') for value in wanted]
        elif "gte" in wanted:
            written.append((name, f"{wanted['gte']}..{wanted['lte']}"))
        elif "not" in wanted:
            written += [("-" + name, f'"{value}"') for value in wanted["not"]]
        else:
            written.append((name if wanted["exists"] else "-" + name, "*"))
    return written[:150]


def _picture(width: int, height: int) -> bytes:
    """A JPEG of noise, the dearest to decode of its size."""
    noise = np.random.default_rng(width).integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)
    saved = io.BytesIO()
    Image.fromarray(noise).resize((width, height)).save(saved, "JPEG", quality=60)
    return saved.getvalue()


def cpu_s() -> float:
    """The CPU time of this process and of its children that run, in seconds."""
    spent = time.process_time()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1]) == os.getpid():
                spent += sum(int((task / "schedstat").read_text().split()[0]) for task in folder.glob("task/*")) / 1e9
        except (OSError, IndexError, ValueError):  # it has just ended
            continue
    return spent


def measure(requests: Requests, asked: Asked) -> tuple[float, int]:
    """The CPU seconds of one request, and its status."""
    before = cpu_s()
    status = requests.send(asked)
    return cpu_s() - before, status


def change_items(opened: Services, count: int, chance: random.Random) -> None:
    """Puts so many changed items beside the index, with 1,000 values that it has not and as many numbers."""
    first = opened.engine.serving.segments[0].ids[:count].tolist()
    found = opened.catalogue.get_many(first)
    drafts = []
    for item in found.values():
        added = {"odd_word": f"word {chance.randrange(1000)}", "odd_number": chance.random()}
        drafts.append(
            ItemDraft(
                item_id=item.item_id, title=item.title, description=item.description, category=item.category,
                price=item.price, attributes={**item.attributes, **added},
            )
        )  # fmt: skip
    opened.catalogue.upsert(drafts, opened.settings.home)
    opened.engine.refresh()


def climb(requests: Requests, best: list[tuple[float, Asked]], climbs: int, until: float) -> list[tuple[float, Asked]]:
    """The dearest requests, each changed option by option while that makes it dearer."""
    for _ in range(climbs):
        for place, (cost, asked) in enumerate(best):
            if time.monotonic() > until:
                return best
            other = requests.changed(asked)
            spent, status = measure(requests, other)
            if status == 200 and spent > cost:
                best[place] = spent, other
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--changes", type=int, default=2_000, help="changed items beside the index")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--climbs", type=int, default=20, help="rounds over the dearest requests")
    parser.add_argument("--minutes", type=float, default=8.0, help="at most, for drawing and climbing together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the dearest requests and their costs")
    args = parser.parse_args()
    chance = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        shutil.copytree(args.home, home)
        app = create_app(Settings(home=home, rebuild_after_changes=0, rebuild_after_hours=0))
        opened: Services = app.extensions["magpie"]
        opened.warm_up()
        change_items(opened, args.changes, chance)
        requests = Requests(FlaskClient(app, app.response_class), opened, chance)
        for _ in range(PLAIN):
            requests.send(requests.plain())
        plain = [measure(requests, requests.plain())[0] for _ in range(PLAIN)]
        usual = statistics.median(plain)
        print(
            f"a usual search: {1000 * usual:.1f} ms of CPU (the dearest of {PLAIN}: {max(plain) / usual:.1f} of them)"
        )
        until = time.monotonic() + 60 * args.minutes
        seen: list[tuple[float, Asked]] = []
        failed: dict[int, Asked] = {}
        while len(seen) < args.draws and time.monotonic() < until - 30 * args.minutes:
            asked = requests.draw()
            spent, status = measure(requests, asked)
            if status == 200:
                seen.append((spent, asked))
            elif status >= 500:
                failed.setdefault(status, asked)
        seen.sort(key=lambda one: -one[0])
        print(f"{len(seen)} drawn requests answered; the dearest {seen[0][0] / usual:.1f}, the median "
              f"{statistics.median(cost for cost, _ in seen) / usual:.1f}")  # fmt: skip
        best = climb(requests, seen[:TOLD], args.climbs, until)
        told = []
        for _, asked in best:
            again = sorted(measure(requests, requests.afresh(asked))[0] for _ in range(5))
            told.append((again[1] / usual, asked))
        told.sort(key=lambda one: -one[0])
        for cost, asked in told:
            print(f"{cost:6.1f}  {asked.brief()}")
        for status, asked in failed.items():
            print(f"answered with {status}: {asked.brief()}")
        print(f"the dearest costs {told[0][0]:.1f} usual searches; at most {ALLOWED:.0f} are allowed")
        if args.json:
            args.json.write_text(json.dumps([[cost, asked.route, asked.options] for cost, asked in told], default=repr))
        opened.close()


if __name__ == "__main__":
    main()
