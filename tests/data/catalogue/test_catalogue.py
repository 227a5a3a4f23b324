"""The catalogue: upserts by content, typed attributes, revisions, deletions, pictures that change."""

import os
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from magpie.data.catalogue.attribute_types import Kind, kind_of, kind_of_column, typed
from magpie.data.catalogue.catalogue import Catalogue, ItemDraft, PictureFault, UpsertCounts, UpsertWatch
from magpie.data.catalogue.items import Value
from magpie.data.database.connection import open_database
from magpie.data.errors import BadItem, BadSetting, ItemNotFound
from magpie.data.feeds.export_catalogue import export_catalogue
from magpie.data.feeds.import_feed import import_feed
from tests.support.fresh_catalogue import fresh_catalogue
from tests.support.older_database import undo_origins

pytestmark = pytest.mark.every_database


def put(catalogue: Catalogue, *drafts: ItemDraft, root: Path | None = None) -> UpsertCounts:
    return catalogue.upsert(drafts, root or catalogue.settings.home)


def test_an_item_comes_back_as_it_was_given(catalogue: Catalogue, picture: Callable[..., Path]) -> None:
    path = picture("pics/a.png", size=(32, 24))
    before = datetime.now(UTC)
    draft = ItemDraft("sku/1", "Ruby Rüschenkleid 赤", "long", "Dresses", 12.5, "EUR", "http://x", {"n": 3}, ("a.png",))
    assert put(catalogue, draft, root=path.parent) == UpsertCounts(inserted=1)
    item = catalogue.get("sku/1")
    assert (item.item_id, item.title, item.description, item.category) == ("sku/1", draft.title, "long", "Dresses")
    assert (item.price, item.currency, item.url, item.attributes) == (12.5, "EUR", "http://x", {"n": 3})
    assert before <= item.updated_at <= datetime.now(UTC)
    (shown,) = item.pictures
    assert (shown.position, shown.path, shown.width, shown.height, shown.status) == (1, path, 32, 24, "ok")
    assert len(shown.content_hash) == 32
    assert catalogue.get_many([item.id, 99]) == {item.id: item}
    assert catalogue.ids_of(["sku/1", "nope"]) == {"sku/1": item.id}


def test_only_what_changed_is_written(catalogue: Catalogue) -> None:
    drafts = [ItemDraft(str(n), f"item {n}") for n in range(5)]
    assert put(catalogue, *drafts) == UpsertCounts(inserted=5)
    first = catalogue.revision()
    assert put(catalogue, *drafts) == UpsertCounts(unchanged=5)
    assert catalogue.revision() == first
    drafts[2] = ItemDraft("2", "item two")
    assert put(catalogue, *drafts, ItemDraft("9", "new")) == UpsertCounts(inserted=1, updated=1, unchanged=4)
    changes = catalogue.changes_since(first, 10)
    assert {item.item_id for item in changes.items} == {"2", "9"} and changes.revision == changes.latest
    assert catalogue.get("2").id == 3 and catalogue.count() == 6


@pytest.mark.parametrize(
    "changed",
    [
        {"title": "other"},
        {"description": "other"},
        {"category": "other"},
        {"price": 2.0},
        {"price": None},
        {"currency": "USD"},
        {"url": "other"},
        {"attributes": {"colour": "blue"}},
        {"attributes": {}},
        {"attributes": {"colour": "red", "size": "L"}},
    ],
)
def test_every_field_counts_as_content(catalogue: Catalogue, changed: dict[str, object]) -> None:
    whole: dict[str, object] = {"item_id": "1", "title": "t", "price": 1.0, "attributes": {"colour": "red"}}
    put(catalogue, ItemDraft(**whole))  # type: ignore[arg-type]
    assert put(catalogue, ItemDraft(**(whole | changed))) == UpsertCounts(updated=1)  # type: ignore[arg-type]
    assert put(catalogue, ItemDraft(**(whole | changed))) == UpsertCounts(unchanged=1)  # type: ignore[arg-type]


def test_the_order_of_attributes_is_no_content(catalogue: Catalogue) -> None:
    put(catalogue, ItemDraft("1", "t", attributes={"a": "x", "b": "y"}))
    assert put(catalogue, ItemDraft("1", "t", attributes={"b": "y", "a": "x"})) == UpsertCounts(unchanged=1)


def test_the_same_id_twice_in_one_call_is_taken_in_order(catalogue: Catalogue) -> None:
    assert put(catalogue, ItemDraft("1", "a"), ItemDraft("1", "b")) == UpsertCounts(inserted=1, updated=1)
    assert catalogue.get("1").title == "b"


def test_a_picture_file_that_changes_changes_its_item(catalogue: Catalogue, picture: Callable[..., Path]) -> None:
    path = picture("a.png", "red")
    draft = ItemDraft("1", "t", pictures=("a.png",))
    put(catalogue, draft, root=path.parent)
    before = catalogue.get("1").pictures[0]
    os.utime(path, (1, 1))  # touched, not changed
    assert put(catalogue, draft, root=path.parent) == UpsertCounts(unchanged=1)
    picture("a.png", "blue")
    assert put(catalogue, draft, root=path.parent) == UpsertCounts(updated=1)
    assert catalogue.get("1").pictures[0].content_hash != before.content_hash
    path.unlink()
    assert put(catalogue, draft, root=path.parent) == UpsertCounts(updated=1, images_missing=1)
    assert put(catalogue, draft, root=path.parent) == UpsertCounts(unchanged=1, images_missing=1)


def test_a_picture_is_read_again_only_when_its_file_changed(
    catalogue: Catalogue, picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = picture("a.png")
    draft = ItemDraft("1", "t", pictures=("a.png",))
    put(catalogue, draft, root=path.parent)
    os.utime(path, (1, 1))
    put(catalogue, draft, root=path.parent)  # reads it once more, and remembers the new time
    reads: list[Path] = []
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: reads.append(self) or read(self))
    put(catalogue, draft, root=path.parent)
    assert reads == []
    os.utime(path, (2, 2))
    put(catalogue, draft, root=path.parent)
    assert reads == [path]


def test_pictures_outside_their_folder_are_refused(catalogue: Catalogue, picture: Callable[..., Path]) -> None:
    secret, root = picture("secret.png"), picture("root/a.png").parent
    (root / "link.png").symlink_to(secret)
    (root / "up").symlink_to(secret.parent)
    (root / "inner.png").symlink_to(root / "a.png")
    outside = ("../secret.png", str(secret), "link.png", "up/secret.png", "a/../../secret.png", "/etc/passwd", "..", "")
    faults: list[PictureFault] = []
    inside = ("a.png", str(root / "a.png"), "./a.png", "inner.png", "up/root/a.png")
    draft = ItemDraft("1", "t", pictures=(*outside, "http://x.org/a.png", "a\0.png", *inside))
    with pytest.raises(BadItem, match="NUL"):
        put(catalogue, draft, root=root)
    draft = ItemDraft("1", "t", pictures=(*outside, "http://x.org/a.png", *inside))
    counts = catalogue.upsert([draft], root, UpsertWatch(faults.append))
    shown = catalogue.get("1").pictures
    assert [picture.path for picture in shown if picture.status == "ok"] == [root / "a.png"]
    assert counts.images_missing == len(faults) == sum(picture.status == "missing" for picture in shown)
    assert all("outside" in fault.reason or "MAGPIE_PICTURE_HOSTS" in fault.reason for fault in faults)


def test_broken_pictures_are_counted_with_a_reason(catalogue: Catalogue, picture: Callable[..., Path]) -> None:
    path = picture("a.jpg", size=(64, 64))
    (path.parent / "cut.jpg").write_bytes(path.read_bytes()[:-100])
    (path.parent / "text.jpg").write_text("hello")
    (path.parent / "empty.jpg").touch()
    (path.parent / "folder.jpg").mkdir()
    faults: list[PictureFault] = []
    names = ("cut.jpg", "text.jpg", "empty.jpg", "folder.jpg", "a.jpg")
    counts = catalogue.upsert([ItemDraft("1", "t", pictures=names, line=7)], path.parent, UpsertWatch(faults.append))
    assert counts == UpsertCounts(inserted=1, images_missing=1, images_broken=3)
    assert [p.status for p in catalogue.get("1").pictures] == ["broken", "broken", "broken", "missing", "ok"]
    assert all(fault.line == 7 and fault.reason and fault.item_id == "1" for fault in faults)


def test_a_deleted_item_is_gone_and_its_number_is_not_used_again(catalogue: Catalogue) -> None:
    put(catalogue, ItemDraft("a", "a"), ItemDraft("b", "b"))
    gone, before = catalogue.get("b").id, catalogue.revision()
    catalogue.delete("b")
    with pytest.raises(ItemNotFound, match="'b'"):
        catalogue.get("b")
    with pytest.raises(ItemNotFound):
        catalogue.delete("b")
    changes = catalogue.changes_since(before, 10)
    assert (changes.items, changes.deleted_ids, changes.revision) == ([], [gone], before + 1)
    put(catalogue, ItemDraft("b", "b"))
    assert catalogue.get("b").id > gone and catalogue.count() == 2


@settings(max_examples=15)
@given(limit=st.integers(1, 7), ops=st.lists(st.tuples(st.sampled_from("pd"), st.integers(0, 4)), max_size=25))
def test_following_the_changes_gives_the_catalogue(limit: int, ops: list[tuple[str, int]]) -> None:
    with fresh_catalogue() as catalogue:
        mirror: dict[int, str] = {}
        revision = 0
        for number, (op, name) in enumerate(ops):
            if op == "p":
                put(catalogue, ItemDraft(str(name), f"title {number}"))
            elif catalogue.ids_of([str(name)]):
                catalogue.delete(str(name))
            if number % 5 == 0:
                revision = follow(catalogue, mirror, revision, limit)
        assert follow(catalogue, mirror, revision, limit) == catalogue.revision()
        assert mirror == {item.id: item.title for batch in catalogue.scan() for item in batch}


def follow(catalogue: Catalogue, mirror: dict[int, str], revision: int, limit: int) -> int:
    while True:
        changes = catalogue.changes_since(revision, limit)
        assert len(changes.items) <= limit
        mirror.update({item.id: item.title for item in changes.items})
        for gone in changes.deleted_ids:
            mirror.pop(gone, None)
        revision = changes.revision
        if revision == changes.latest:
            return revision


def test_scanning_goes_on_after_a_number(catalogue: Catalogue) -> None:
    put(catalogue, *(ItemDraft(str(n), "t") for n in range(7)))
    batches = [[item.id for item in batch] for batch in catalogue.scan(batch=3)]
    assert batches == [[1, 2, 3], [4, 5, 6], [7]]
    assert [item.id for batch in catalogue.scan(batch=3, after_id=5) for item in batch] == [6, 7]


def test_many_items_are_read_in_any_number(catalogue: Catalogue) -> None:
    put(catalogue, *(ItemDraft(str(n), "t") for n in range(6_000)))
    found = catalogue.get_many(range(1, 6_001))
    assert len(found) == 6_000 and found[6_000].item_id == "5999"
    assert len(catalogue.ids_of([str(n) for n in range(6_000)])) == 6_000


# ---- attribute kinds -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        ("2016", "number", 2016),
        ("-3.50", "number", -3.5),
        ("0", "number", 0),
        (7, "number", 7),
        (2.5, "number", 2.5),
        ("007", "text", "007"),
        ("4006381333931234567", "text", "4006381333931234567"),
        ("1e5", "text", "1e5"),
        ("nan", "text", "nan"),
        ("٣", "text", "٣"),
        ("True", "boolean", True),
        ("no", "boolean", False),
        (False, "boolean", False),
        ("2016-04-30", "date", "2016-04-30"),
        ("2016-04-30 03:22:56 +0000", "date", "2016-04-30T03:22:56+00:00"),
        ("2016-13-30", "text", "2016-13-30"),
        ("Red", "text", "Red"),
        ("S|M|L", "list", ["S", "M", "L"]),
        ("Magpie | Home", "text", "Magpie | Home"),
        (["a", "b"], "list", ["a", "b"]),
        ('{"a": 1}', "text", '{"a": 1}'),
        ("5" * 1_001, "text", "5" * 1_001),
        (1e308, "number", 1e308),
        (-sys.float_info.max, "number", -sys.float_info.max),
        (5e-324, "number", 5e-324),
        ("NaN", "text", "NaN"),
        ("1e400", "text", "1e400"),
    ],
)
def test_one_value_has_a_kind(catalogue: Catalogue, value: Value, kind: Kind, shown: Value) -> None:
    put(catalogue, ItemDraft("1", "t", attributes={"x": value}))
    assert catalogue.attribute_kinds() == {"x": kind}
    got = catalogue.get("1").attributes["x"]
    assert got == shown and type(got) is type(shown)


def test_the_column_decides(catalogue: Catalogue) -> None:
    put(catalogue, ItemDraft("1", "t", attributes={"year": "2016", "tag": "red", "ok": True, "size": 4}))
    assert catalogue.get("1").attributes["year"] == 2016
    put(catalogue, ItemDraft("2", "t", attributes={"year": "unknown", "tag": ["a", "b"], "ok": "maybe", "size": "S|M"}))
    assert catalogue.attribute_kinds() == {"year": "text", "tag": "list", "ok": "text", "size": "list"}
    assert catalogue.get("1").attributes == {"year": "2016", "tag": ["red"], "ok": "true", "size": ["4"]}
    assert catalogue.get("2").attributes == {"year": "unknown", "tag": ["a", "b"], "ok": "maybe", "size": ["S", "M"]}


def test_empty_values_are_absent(catalogue: Catalogue) -> None:
    put(catalogue, ItemDraft("1", "t", attributes={"a": "", "b": [], "c": 0, "d": False}))
    assert catalogue.get("1").attributes == {"c": 0, "d": False}
    assert set(catalogue.attribute_kinds()) == {"c", "d"}


VALUES = st.one_of(
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.lists(st.text(min_size=1), min_size=1, max_size=3),
    st.text(min_size=1),
    st.sampled_from(["1", "-2.5", "yes", "2020-01-01", "2020-01-01T10:00Z", "a|b", "x"]),
)


@given(values=st.lists(VALUES, min_size=1, max_size=6))
def test_a_column_shows_each_value_by_its_kind_or_as_it_came(values: list[Value]) -> None:
    kind = kind_of_column(Counter(map(kind_of, values)))
    shown_as: dict[Kind, type | tuple[type, ...]]
    shown_as = {"number": (int, float), "boolean": bool, "date": str, "text": str, "list": list}
    for value in values:
        is_fitting = kind == "list" or kind_of(value) == kind or (kind == "text" and kind_of(value) != "list")
        if is_fitting or kind_of(value) == "list":
            assert isinstance(typed(value, kind), shown_as[kind if is_fitting else "list"])
        else:
            assert typed(value, kind) == value


@pytest.mark.parametrize(
    ("counts", "kind"),
    [
        ({"number": 4, "text": 1}, "number"),
        ({"number": 39, "text": 11}, "text"),
        ({"date": 8, "boolean": 1, "list": 1}, "date"),
        ({"text": 19, "list": 1}, "list"),
        ({"text": 20, "list": 1}, "text"),
        ({"number": 3, "list": 2}, "list"),
        ({}, "text"),
    ],
)
def test_nearly_all_values_decide(counts: dict[Kind, int], kind: Kind) -> None:
    assert kind_of_column(counts) == kind


def test_an_odd_value_is_kept_counted_and_forgotten_once_mended(catalogue: Catalogue) -> None:
    put(catalogue, *(ItemDraft(str(n), "t", attributes={"width": n, "note": "x"}) for n in range(6)))
    put(catalogue, ItemDraft("odd", "t", attributes={"width": "about 30", "note": ["a", "b"]}))
    assert catalogue.attribute_kinds() == {"width": "number", "note": "list"} and catalogue.odd_values() == {"width": 1}
    assert catalogue.get("odd").attributes == {"width": "about 30", "note": ["a", "b"]}
    put(catalogue, ItemDraft("odd", "t", attributes={"width": "30"}))
    assert catalogue.odd_values() == {} and catalogue.get("odd").attributes == {"width": 30}
    assert catalogue.attribute_kinds() == {"width": "number", "note": "text"}
    for name in ("odd", *map(str, range(6))):
        catalogue.delete(name)
    assert catalogue.attribute_kinds() == {}


OPERATIONS = st.lists(st.tuples(st.sampled_from("abc"), st.one_of(st.none(), VALUES)), max_size=12)


@given(operations=OPERATIONS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_kinds_are_those_of_what_is_there_now(catalogue: Catalogue, operations: list[tuple[str, Value | None]]) -> None:
    expected: dict[str, Value] = {}
    for item in catalogue.scan():
        for one in item:
            catalogue.delete(one.item_id)
    for name, value in operations:
        if value is None:
            if expected.pop(name, None) is not None:
                catalogue.delete(name)
            continue
        with suppress(BadItem):  # a NUL character
            put(catalogue, ItemDraft(name, "t", attributes={"x": value}))
            expected[name] = value
    kinds = {"x": kind_of_column(Counter(map(kind_of, expected.values())))} if expected else {}
    assert catalogue.attribute_kinds() == kinds


def test_kinds_of_an_older_database_are_those_of_its_values(catalogue: Catalogue) -> None:
    values: list[Value] = [
        "7",
        7.5,
        "about 30",
        3,
        4,
        5,
        "2026-01-02",
        True,
        8,
        9,
        10,
        "S|M",
        1e308,
        2,
        6,
        11,
        12,
        13,
        14,
    ]
    values += [15, 16]
    put(catalogue, *(ItemDraft(str(n), "t", attributes={"x": value}) for n, value in enumerate(values)))
    expected = catalogue.attribute_kinds(), catalogue.odd_values()
    with catalogue.database.writing() as connection:
        connection.execute(text("DROP TABLE attribute_kinds"))
        connection.execute(
            text("CREATE TABLE attribute_kinds (name VARCHAR(256) PRIMARY KEY, kind VARCHAR(8) NOT NULL)")
        )
        connection.execute(text("INSERT INTO attribute_kinds VALUES ('x', 'list')"))
        undo_origins(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = '0008_personal_fields'"))
    open_database(catalogue.settings).close()
    assert (catalogue.attribute_kinds(), catalogue.odd_values()) == expected == ({"x": "number"}, {"x": 4})


# ---- what cannot be stored -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        (ItemDraft("", "t"), "id is empty"),
        (ItemDraft("  ", "t"), "id is empty"),
        (ItemDraft(" a", "t"), "space"),
        (ItemDraft("x" * 513, "t"), "513 characters, at most 512"),
        (ItemDraft("a\nb", "t"), "control character"),
        (ItemDraft("a\x85b", "t"), "control character"),
        (ItemDraft("1", "nul \0"), "NUL"),
        (ItemDraft("1", "\ud800"), "not UTF-8"),
        (ItemDraft("1", "t", price=float("nan")), "price"),
        (ItemDraft("1", "t", price=-1.0), "price"),
        (ItemDraft("1", "t", attributes={"price": 3}), "choose another name"),
        (ItemDraft("1", "t", attributes={"": 3}), "choose another name"),
        (ItemDraft("1", "t", attributes={"x": float("inf")}), "give a text, a number within"),
        (ItemDraft("1", "t", attributes={"x": -(10**400)}), "give a text, a number within"),
        (ItemDraft("1", "t", attributes={"x": {"a": 1}}), "give a text, a number"),  # type: ignore[dict-item]
        (ItemDraft("1", "t", attributes={"x": [1]}), "give a text, a number"),  # type: ignore[list-item]
        (ItemDraft("1", "t", attributes={f"a{n}": n for n in range(1_001)}), "more than 1000 attributes"),
        (ItemDraft("1", "x" * 1_000_001), "more than 1,000,000 bytes"),
    ],
)
def test_what_cannot_be_stored_is_refused(catalogue: Catalogue, draft: ItemDraft, reason: str) -> None:
    with pytest.raises(BadItem, match=reason):
        put(catalogue, draft)
    assert catalogue.count() == 0


def test_text_that_only_looks_like_nul_is_fine(catalogue: Catalogue) -> None:
    put(catalogue, ItemDraft("1", r"a \u0000 b"))
    assert catalogue.get("1").title == r"a \u0000 b"


# ---- export ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["all.jsonl", "all.csv"])
def test_an_export_can_be_imported_again(
    catalogue: Catalogue, picture: Callable[..., Path], name: str, tmp_path: Path
) -> None:
    path = picture("pics/a.png")
    attributes: dict[str, Value] = {
        "year": "2016",
        "sizes": ["S", "M"],
        "new": "yes",
        "since": "2020-01-01",
        "hue": "Red",
    }
    put(
        catalogue,
        ItemDraft("1", 'with "quotes", and\nlines', "d", "c", 9.9, "EUR", "u", attributes, ("a.png",)),
        ItemDraft("2", "bare"),
        root=path.parent,
    )
    target = tmp_path / name
    assert export_catalogue(catalogue, target) == 2
    with fresh_catalogue() as other:
        report = import_feed(other, target, images=path.parent)
        assert (report.inserted, report.rejected) == (2, 0)
        for item_id in ("1", "2"):
            one, two = catalogue.get(item_id), other.get(item_id)
            assert (one.title, one.price, one.attributes) == (two.title, two.price, two.attributes)
            assert [picture.path for picture in one.pictures] == [picture.path for picture in two.pictures]


def test_an_export_elsewhere_is_refused(catalogue: Catalogue, tmp_path: Path) -> None:
    for name in ("all.xlsx", "no/such/folder/all.csv"):
        with pytest.raises(BadSetting, match=name):
            export_catalogue(catalogue, tmp_path / name)
    assert list(tmp_path.glob("*partial*")) == []
