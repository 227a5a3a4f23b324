"""Random operations on a shop and on a plain dictionary: whatever is put, deleted, filtered, sorted, counted, rebuilt,
rolled back and restarted, both say the same."""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from magpie.data.database.connection import open_database
from magpie.data.settings import Settings
from magpie.indexer.generations.store import current_id, generation_ids, roll_back
from magpie.indexer.rebuild import rebuild
from magpie.search.live_index import delta, delta_builder
from magpie.web.app import create_app
from tests.support.plain_catalogue import PlainCatalogue
from tests.support.serving import client_of

SHORT, LONG = 150, 2_000
MOST_ITEMS = 90
WITHIN_S = 60.0
COLOURS = ["Red", "red", "Blue", "Green", "Dark blue", "Grün", "ΟΔΟΣ"]
WORDS = ["lantern", "kettle", "ladder", "cushion", "compass", "anvil"]
ODD = ["about 30", "n/a", "S|M|L", "yes", "007", "12 cm", True, ["7", "eight"]]
ALL: dict[str, Any] = {"category": ["Toys", "Tools", "Food & drink"]}  # every item has one of these


class Walk:
    """A shop that is served, the plain catalogue beside it, and the chance that chooses each step."""

    def __init__(self, home: Path, seed: int) -> None:
        self.settings = Settings(home=home, rate_limit="100000 per second", rerank_limit_ms=0, trust_loopback=True)
        self.settings = self.settings.model_copy(
            update={"rebuild_after_changes": 0, "client_rate_limit": "9999 per second"}
        )
        self.database = open_database(self.settings)
        self.plain = PlainCatalogue()
        self.chance = random.Random(seed)
        rebuild(self.settings, self.database)
        self.open()

    def open(self) -> None:
        self.app = create_app(self.settings)
        self.engine = self.app.extensions["magpie"].engine
        self.engine.warm_up()
        self.client = client_of(self.app)

    def close(self) -> None:
        self.app.extensions["magpie"].close()

    def take_steps(self, number: int) -> None:
        """Each step is chosen by weight; writes are not waited for until something is asked."""
        steps: dict[Callable[[], None], float] = {
            self.put: 12, self.change: 10, self.put_lines: 2, self.delete: 7, self.look_up: 4, self.filter: 50,
            self.search_words: 6, self.rebuild: 0.5, self.roll_back: 0.4, self.restart: 0.5,
        }  # fmt: skip
        for step in range(number):
            chosen = self.chance.choices(list(steps), list(steps.values()))[0]
            try:
                chosen()
            except AssertionError as error:
                raise AssertionError(f"step {step}, {chosen.__name__}: {error}") from error

    # what is written

    def put(self) -> None:
        taken = len(self.plain.items) >= MOST_ITEMS
        item_id = self.some_id() if taken else f"item-{self.chance.randrange(2 * MOST_ITEMS)}"
        self._put(item_id, self._body())

    def change(self) -> None:
        """One field of an item, as a shop's back office does it: the whole item is read, changed and put."""
        if not self.plain.items:
            return
        item_id = self.some_id()
        body = {name: value for name, value in self.plain.items[item_id].items() if name != "number"}
        name = self.chance.choice(["title", "price", "category", "attributes"])
        fresh = self._body()
        if name == "attributes":
            attributes = dict(body["attributes"])
            key = self.chance.choice(sorted({*attributes, *fresh["attributes"]} or {"colour"}))
            attributes.pop(key, None)
            if key in fresh["attributes"] and self.chance.random() < 0.8:
                attributes[key] = fresh["attributes"][key]
            fresh["attributes"] = attributes
        body.pop(name, None)
        if name in fresh:
            body[name] = fresh[name]
        self._put(item_id, body)

    def put_lines(self) -> None:
        ids = [f"item-{self.chance.randrange(2 * MOST_ITEMS)}" for _ in range(self.chance.randrange(3, 20))]
        bodies = {item_id: self._body() for item_id in ids[: max(1, MOST_ITEMS - len(self.plain.items))]}
        lines = [json.dumps({"item_id": item_id, **body}) for item_id, body in bodies.items()]
        lines.insert(self.chance.randrange(len(lines) + 1), "no item")
        answer = self.client.post("/api/items", data="\n".join(lines).encode(), content_type="application/x-ndjson")
        results = [json.loads(line) for line in answer.data.splitlines()]
        assert [one["result"] for one in results].count("rejected") == 1, results
        for item_id, body in bodies.items():
            self.plain.put(item_id, body)

    def delete(self) -> None:
        if self.plain.items:
            item_id = self.some_id()
            assert self.client.delete(f"/api/items/{item_id}").status_code == 204
            self.plain.delete(item_id)
        assert self.client.delete("/api/items/never-there").status_code == 404

    # what is asked

    def look_up(self) -> None:
        item_id = f"item-{self.chance.randrange(2 * MOST_ITEMS)}"
        answer = self.client.get(f"/api/items/{item_id}")
        assert answer.status_code == (200 if item_id in self.plain.items else 404)
        if answer.status_code == 200:
            body, item = answer.get_json(), self.plain.items[item_id]
            assert (body["title"], body["price"]) == (item["title"], item.get("price"))

    def filter(self) -> None:
        """A page of what filters pass, in the order of a field, with total, facets and ranges."""
        self.catch_up()
        filters, sort = self._filters(), self._sort()
        k, offset = self.chance.choice([1, 7, 30, 100]), self.chance.choice([0, 0, 0, 5, 40, 500])
        asked = {"filters": filters, "sort": sort, "k": k, "offset": offset}
        answer = self.client.post("/api/search", json=asked)
        known = {name for row in self.plain.rows().values() for name in row}
        named = {*filters, *({sort.removeprefix("-")} - {"newest", "relevance"})}
        if answer.status_code != 200:
            is_range_of_words = any(
                isinstance(wanted, dict) and name not in self.plain.numbers() for name, wanted in filters.items()
            )
            assert answer.status_code == 422 and (named - known or is_range_of_words), (asked, answer.data)
            return
        found, expected = answer.get_json(), self.plain.ordered(filters, sort)
        assert [hit["item_id"] for hit in found["hits"]] == expected[offset : offset + k], asked
        assert found["total"] == len(expected), asked
        rows, items = self.plain.rows(), self.plain.items
        for hit in found["hits"]:
            item = items[hit["item_id"]]
            assert hit["title"] == item["title"] and hit["price"] == item.get("price"), asked
            shown = {name: rows[hit["item_id"]][name] for name in item["attributes"]}
            assert hit["attributes"] == shown, asked
        counted = {name: {one["value"]: one["count"] for one in values} for name, values in found["facets"].items()}
        assert counted == self.plain.facets(filters), asked
        ranges = {name: (one["min"], one["max"]) for name, one in found["ranges"].items()}
        assert ranges == self.plain.ranges(filters), asked

    def search_words(self) -> None:
        """Words find the items that have them in their titles, whatever else is in the catalogue."""
        self.catch_up()
        word = self.chance.choice(WORDS)
        having = {one for one, item in self.plain.items.items() if word in item["title"].split()}
        if having:
            answer = self.client.post("/api/search", json={"query": word, "mode": "lexical", "k": 200, "facets": False})
            assert {hit["item_id"] for hit in answer.get_json()["hits"]} == having, word

    # what must not change any of it

    def rebuild(self) -> None:
        """The order by a word is the same before and after; weights of several words follow the index's statistics."""
        self.catch_up()
        before = [self._order_by_word(word) for word in WORDS]
        rebuild(self.settings, self.database)
        self.catch_up()
        assert [self._order_by_word(word) for word in WORDS] == before

    def roll_back(self) -> None:
        if current_id(self.settings) != generation_ids(self.settings)[0]:
            roll_back(self.settings)

    def restart(self) -> None:
        self.close()
        self.open()

    # chance

    def catch_up(self) -> None:
        """Returns once the server has taken up every change; fails after a minute."""
        deadline = time.monotonic() + WITHIN_S
        self.engine.refresh()
        while self.engine.status()["changes_waiting"]:
            assert time.monotonic() < deadline, self.engine.status()
            self.engine.refresh()

    def _order_by_word(self, word: str) -> list[str]:
        answer = self.client.post("/api/search", json={"query": word, "mode": "lexical", "k": 200, "facets": False})
        return [hit["item_id"] for hit in answer.get_json()["hits"]]

    def some_id(self) -> str:
        return self.chance.choice(sorted(self.plain.items))

    def _put(self, item_id: str, body: dict[str, Any]) -> None:
        status = self.client.put(f"/api/items/{item_id}", json=body).status_code
        assert status == (200 if item_id in self.plain.items else 201), (item_id, body)
        self.plain.put(item_id, body)

    def _body(self) -> dict[str, Any]:
        chance = self.chance
        attributes: dict[str, Any] = {}
        for name, value in {
            "colour": chance.choice(COLOURS),
            "width": chance.choice([chance.randrange(40), chance.randrange(400) / 8, str(chance.randrange(40))]),
            "size": chance.sample(["S", "M", "L", "XL"], chance.randrange(1, 4)),
            "is_new": chance.choice([True, False, "yes", "no"]),
            "mixed": chance.choice([*ODD, chance.randrange(9), str(chance.randrange(9))]),
            f"rare {chance.randrange(3)}": chance.choice([-2.5, 1e15, "word"]),
        }.items():
            if chance.random() < (0.1 if name.startswith("rare") else 0.75):
                attributes[name] = value
        if chance.random() < 0.05:
            attributes["width"] = chance.choice(ODD)
        title = " ".join(chance.sample(WORDS, chance.randrange(1, 4)))
        body = {"title": title, "category": chance.choice(ALL["category"]), "attributes": attributes}
        if chance.random() < 0.8:
            body["price"] = chance.choice([0, 9.99, 5, chance.randrange(1, 100_000) / 100])
        return body

    def _filters(self) -> dict[str, Any]:
        chance = self.chance
        rows = list(self.plain.rows().values())
        filters: dict[str, Any] = {} if chance.random() < 0.5 else dict(ALL)
        for name in chance.sample(["colour", "width", "size", "is_new", "mixed", "price", "category", "rare 1"], 2):
            if name in ("width", "price", "mixed") and chance.random() < 0.6:
                low, high = sorted(chance.choice([0, 5, 9.99, 20, 33.125, 500]) for _ in range(2))
                filters[name] = {chance.choice(["gte", "gt"]): low, chance.choice(["lte", "lt"]): high}
                continue
            there = [row[name] for row in rows if name in row]
            values = [chance.choice(there) if there and chance.random() < 0.9 else "nothing" for _ in range(2)]
            texts = [one[0] if isinstance(one, list) else one for one in values]
            filters[name] = [one.upper() if isinstance(one, str) and chance.random() < 0.2 else one for one in texts]
        if len(filters) == 2 and chance.random() < 0.5:
            del filters[chance.choice(sorted(filters))]
        return {name: _as_sent(wanted) for name, wanted in filters.items()}

    def _sort(self) -> str:
        name = self.chance.choice(
            ["newest", "price", "title", "colour", "width", "size", "mixed", "category", "is_new"]
        )
        return f"{self.chance.choice(['', '-'])}{name}"


def _as_sent(wanted: Any) -> Any:
    """Values as texts, which is what filters compare."""
    if isinstance(wanted, dict):
        return wanted
    spelt = {True: "true", False: "false"}
    return [spelt[one] if isinstance(one, bool) else one if isinstance(one, str) else f"{one:g}" for one in wanted]


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few items make several segments, some of them kept as files."""
    monkeypatch.setattr(delta, "STEP", 16)
    monkeypatch.setattr(delta, "_SMALL", 4)
    monkeypatch.setattr(delta_builder, "SAVED_FROM", 8)


@pytest.mark.parametrize("steps", [SHORT, pytest.param(LONG, marks=pytest.mark.slow)])
def test_the_shop_and_a_plain_dictionary_never_differ(tmp_path: Path, steps: int) -> None:
    walk = Walk(tmp_path / "home", seed=steps)
    try:
        walk.take_steps(steps)
    finally:
        walk.close()
        walk.database.close()
