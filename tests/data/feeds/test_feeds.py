"""Feeds: every format, every mistake; each row becomes an item or a rejection with its line, none is lost."""

import csv
import io
import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyarrow import parquet

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.catalogue.items import ItemDraft
from magpie.data.errors import BadFeed
from magpie.data.feeds import csv_feed as feed_cells
from magpie.data.feeds.import_feed import ImportReport, import_feed
from magpie.data.feeds.prices import Price, parse_price
from magpie.data.feeds.progress import FeedPosition
from magpie.data.feeds.read_feed import Reject, read_feed
from tests.support.fresh_catalogue import fresh_catalogue


@pytest.fixture
def feed(tmp_path: Path) -> Callable[..., Path]:
    """feed(content, name) writes a feed and returns its path."""

    def write(content: str | bytes, name: str = "feed.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def drafts(path: Path, **mapping: str) -> list[ItemDraft]:
    rows = list(read_feed(path, mapping))
    assert not [row for row in rows if isinstance(row, Reject)]
    return [row for row in rows if isinstance(row, ItemDraft)]


def faults(path: Path, **mapping: str) -> dict[int, str]:
    return {row.line: row.reason for row in read_feed(path, mapping) if isinstance(row, Reject)}


def is_whole(report: ImportReport) -> bool:
    stored = report.inserted + report.updated + report.unchanged
    return report.read == stored + report.rejected + report.merged + report.left_out


# ---- the file full of mistakes ---------------------------------------------------------------------------------------
MISTAKES = (
    b"id,title,price,image\r\n"
    b"1,ok,10,\r\n"
    b",no id,1,\r\n"
    b'3,"bad price",ten,\r\n'
    b"4,ok too,5,../../../etc/passwd\r\n"
    b"1,twice,3,\r\n"
    b"5,\xff\xfe not utf8,1,\r\n"
    b"6,short\r\n"
    b"7,ok,1,x.jpg,extra,cells\r\n"
    b"8,last one,2,\r\n"
)


def test_a_file_full_of_mistakes_loses_only_them(catalogue: Catalogue, feed: Callable[..., Path]) -> None:
    report = import_feed(catalogue, feed(MISTAKES))
    counts = (report.read, report.inserted, report.rejected, report.merged, report.images_missing)
    assert counts == (9, 6, 2, 1, 1)
    assert report.rejects_file and Path(report.rejects_file).parent == catalogue.settings.rejects_dir
    entries = [json.loads(line) for line in Path(report.rejects_file).read_text("utf-8").split("\n")[:-1]]
    rejected = {entry["line"]: entry["reason"] for entry in entries if not entry.get("kept")}
    assert rejected == {3: "the id is empty", 9: "6 cells, but the header has 4 columns"}
    assert all(entry["row"] for entry in entries if not entry.get("kept"))
    notes = {entry["line"]: entry["reason"] for entry in entries if entry.get("kept")}
    assert notes.keys() == {4, 5, 6} and report.notes == ["read as cp1252"]
    assert "the last is taken" in notes[6] and "'ten'" in notes[4] and "outside" in notes[5]
    assert (catalogue.get("1").title, catalogue.get("3").price, catalogue.get("5").title) == (
        "twice",
        None,
        "ÿþ not utf8",
    )
    again = import_feed(catalogue, feed(MISTAKES))
    assert (again.unchanged, again.updated, again.inserted) == (6, 0, 0)


def test_a_clean_file_has_no_rejects_file(catalogue: Catalogue, feed: Callable[..., Path]) -> None:
    report = import_feed(catalogue, feed("id,title\n1,a\n2,b\n"))
    assert report.as_dict() == {
        "read": 2, "inserted": 2, "updated": 0, "unchanged": 0, "rejected": 0, "rejects_file": None,
        "images_missing": 0, "images_broken": 0, "merged": 0, "left_out": 0, "notes": [],
        "warnings": ["no column holds pictures"], "picture_hosts": {},
    }  # fmt: skip
    assert not catalogue.settings.rejects_dir.exists()


# ---- CSV and TSV -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_ways_to_write_cells(feed: Callable[..., Path], delimiter: str, encoding: str, ending: str) -> None:
    rows = [["id", "title", "colour"], ["1", f'a "b"{delimiter} c', "rot"], ["2", f"über{ending}zwei", "größer"]]
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=ending).writerows(rows)
    one, two = drafts(feed(out.getvalue().encode(encoding)))
    assert (one.title, two.title, two.attributes) == (rows[1][1], rows[2][1], {"colour": "größer"})
    assert (one.line, two.line) == (2, 3)


def test_lines_are_those_of_the_file(feed: Callable[..., Path]) -> None:
    rows = list(read_feed(feed('id,title\n\n1,"a\nb\nc"\n,none\n3,"d\ne"\n4,f\n')))
    assert [(row.line, isinstance(row, Reject)) for row in rows] == [(3, False), (6, True), (7, False), (9, False)]


def test_known_columns_are_known_in_any_case_and_the_rest_are_attributes(feed: Callable[..., Path]) -> None:
    header = "ID,Title,DESCRIPTION,Price,Currency,URL,Category,Image,Shoe Size,"
    (draft,) = drafts(feed(f"{header}\n 1 , t ,d,9,EUR,u,c,a.jpg|b.jpg, 42 ,last\n"))
    assert draft == ItemDraft(
        "1", "t", "d", "c", 9.0, "EUR", "u", {"Shoe Size": "42", "column_10": "last"}, ("a.jpg", "b.jpg")
    )


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("id,images", "1,a.jpg | b.jpg|a.jpg"),
        ("id,image1,image2", "1,a.jpg,b.jpg"),
        ("image_2,id,Image_1", "b.jpg,1,a.jpg"),
        ("id,image,image2", "1,a.jpg,b.jpg"),
        ("id,image_path,image2", "1,a.jpg,b.jpg"),
    ],
)
def test_ways_to_name_pictures(feed: Callable[..., Path], header: str, cells: str) -> None:
    (draft,) = drafts(feed(f"{header}\n{cells}\n"))
    assert draft.pictures == ("a.jpg", "b.jpg") and draft.attributes == {}


def test_map_renames(feed: Callable[..., Path]) -> None:
    path = feed("SKU,name,price,sale,pic,Hue\n1,Hat,10,8,h.jpg,red\n")
    mapping = {"id": "sku", "title": "name", "price": "sale", "image": "pic", "colour": "Hue"}
    (draft,) = drafts(path, **mapping)
    assert draft == ItemDraft(
        "1", "Hat", price=8.0, attributes={"colour": "red", "feed_price": "10"}, pictures=("h.jpg",)
    )


def test_short_rows_are_filled_and_empty_extra_cells_ignored(feed: Callable[..., Path]) -> None:
    assert [draft.item_id for draft in drafts(feed("id,title,a,b\n1\n2,x\n3,x,y,z,,\n"))] == ["1", "2", "3"]


def test_a_quote_that_is_never_closed_costs_one_row(feed: Callable[..., Path]) -> None:
    path = feed('id,title\n1,a\n2,"open\n3,c\n4,d\n')
    assert faults(path) == {3: "a quote is opened and never closed"}
    assert [row.item_id for row in read_feed(path) if isinstance(row, ItemDraft)] == ["1", "3", "4"]


def test_a_huge_cell_costs_one_row(feed: Callable[..., Path]) -> None:
    for cell in ("x" * 10_000_000, '"' + ("x" * 1_000 + "\n") * 2_500 + '"'):
        path = feed(f"id,title\n1,a\n2,{cell}\n3,c\n")
        rows = list(read_feed(path))
        assert [row.item_id for row in rows if isinstance(row, ItemDraft)] == ["1", "3"]
        assert faults(path)[3].startswith("more than 2,000,000 characters")


def test_lines_of_a_broken_row_are_no_items(feed: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_cells, "MAX_ROW_CHARS", 40)
    path = feed('id,title,a\n1,"' + "prose and more\n" * 5 + '",x\n2,b,y\n')
    assert [row.item_id for row in read_feed(path) if isinstance(row, ItemDraft)] == ["2"]
    assert len(faults(path)) >= 6


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"2,nul\0byte", "holds a NUL byte"),
        (b"  ,spaces", "the id is empty"),
        (b"a\x01b,control", "control character"),
        (b"x" * 600 + b",long", "600 characters, at most 512"),
    ],
)
def test_bad_rows_are_rejected_with_their_reason(feed: Callable[..., Path], row: bytes, reason: str) -> None:
    path = feed(b"id,title\n1,a\n" + row + b"\n9,z\n")
    assert [row.item_id for row in read_feed(path) if isinstance(row, ItemDraft)] == ["1", "9"]
    assert reason in faults(path)[3]


def test_a_replacement_character_is_text(feed: Callable[..., Path]) -> None:
    assert drafts(feed("id,title\n1,repouss\ufffd\n"))[0].title == "repouss\ufffd"


# ---- whole feeds that cannot be read ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "name", "mapping", "reason"),
    [
        (b"", "a.csv", {}, r"a\.csv: is empty"),
        (b"\n\n", "a.csv", {}, "is empty"),
        (b"id,title\n", "a.csv", {"title": "name"}, "--map title=name: no such column; there are 'id', 'title'"),
        (b"PK\x03\x04", "a.xlsx", {}, "is no whole .zip file"),
        (b"not really", "a.xlsx", {}, "is no workbook"),
        (b"\xd0\xcf\x11\xe0", "a.xls", {}, "save it as .xlsx"),
        (b"<!DOCTYPE html><html></html>", "a.csv", {}, "is a web page"),
        (b"not really", "a.xml", {}, "is no XML"),
        (b"<a>b</a>", "a.xml", {}, "no element that looks like an item"),
        (b"\x1f\x8b not really", "a.csv.gz", {}, "is cut off or damaged"),
        (b"{", "a.json", {}, "is not JSON"),
        (b"a: [", "a.yaml", {}, "is not YAML"),
        (b"", "a.jsonl", {}, "no row that is an object"),
        (b"[1]\n", "a.jsonl", {}, "no row that is an object"),
        (b'{"id": 1}\n', "a.jsonl", {"title": "name"}, "no such column"),
        (b"PAR1 not really", "a.parquet", {}, "cannot be read as Parquet"),
        (b"", "a.parquet", {}, "cannot be read as Parquet"),
    ],
)
def test_a_feed_that_cannot_be_read_says_why(
    catalogue: Catalogue, feed: Callable[..., Path], content: bytes, name: str, mapping: dict[str, str], reason: str
) -> None:
    with pytest.raises(BadFeed, match=reason):
        import_feed(catalogue, feed(content, name), mapping=mapping)


def test_missing_sources_say_so(catalogue: Catalogue, tmp_path: Path, feed: Callable[..., Path]) -> None:
    with pytest.raises(BadFeed, match=r"nothing\.csv: no such file"):
        import_feed(catalogue, tmp_path / "nothing.csv")
    with pytest.raises(BadFeed, match="no such folder of pictures"):
        import_feed(catalogue, feed("id\n1\n"), images=tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadFeed, match="holds no pictures"):
        import_feed(catalogue, tmp_path / "empty")
    with pytest.raises(BadFeed, match="leave out --map"):
        import_feed(catalogue, tmp_path / "empty", mapping={"title": "x"})


# ---- JSONL -----------------------------------------------------------------------------------------------------------
def test_json_lines_keep_types_lists_and_nesting(catalogue: Catalogue, feed: Callable[..., Path]) -> None:
    record = {
        "id": 17, "title": "Hat", "price": 9.5, "category": ["Clothes", "Hats"], "images": ["a.jpg", "b.jpg"],
        "sizes": ["S", 4, True], "eco": True, "stock": 3, "made": {"in": {"city": "Łódź"}},
        "attributes": {"hue": "red"}, "parts": [{"n": 1}], "big": 2**70, "none": None, "nan": float("nan"), "empty": "",
    }  # fmt: skip
    (draft,) = drafts(feed(json.dumps(record) + "\n", "feed.jsonl"))
    assert draft == ItemDraft(
        "17",
        "Hat",
        category="Clothes > Hats",
        price=9.5,
        pictures=("a.jpg", "b.jpg"),
        attributes={
            "sizes": ["S", "4", "true"], "eco": True, "stock": 3, "made.in.city": "Łódź", "hue": "red",
            "parts.n": ["1"], "big": str(2**70),
        },
    )  # fmt: skip
    catalogue.upsert([draft], catalogue.settings.home)
    assert catalogue.attribute_kinds()["eco"] == "boolean"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{not json", "is not JSON"),
        (b"[1, 2]", "is no JSON object"),
        (b'{"title": "no id"}', "id is empty"),
        (b'{"id": null}', "id is empty"),
        (b'{"id": true}', "id is empty"),
        (b'{"id": {"a": 1}}', "id is empty"),
        (b'{"id": "2", "title": "\\ud800"}', "not UTF-8"),
        (b'{"id": "2", "title": "\\u0000"}', "NUL"),
        (b'{"id": "2", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"id": "2", "x": ' + b"9" * 5_000 + b"}", "is not JSON"),
        (b'{"id": "2", "x": "' + b"y" * 5_000_000 + b'"}', "more than 4,000,000 bytes"),
    ],
)
def test_bad_json_lines_are_rejected(feed: Callable[..., Path], line: bytes, reason: str) -> None:
    path = feed(b'{"id": "1"}\n' + line + b'\n\n{"id": "9"}', "feed.jsonl")
    rows = list(read_feed(path))
    assert [row.item_id for row in rows if isinstance(row, ItemDraft)] == ["1", "9"]
    assert [row.line for row in rows] == [1, 2, 4] and reason in faults(path)[2]


def test_records_may_differ_in_their_fields(feed: Callable[..., Path]) -> None:
    lines = [{"Item_ID": 1, "name": "a", "x": 1}, {"y": 2, "Item_ID": 2}, {"name": "c", "Item_ID": 3, "title": "no"}]
    path = feed("\n".join(map(json.dumps, lines)), "feed.ndjson")
    assert [(draft.item_id, draft.attributes) for draft in drafts(path, title="name")] == [
        ("1", {"x": 1}),
        ("2", {"y": 2}),
        ("3", {"feed_title": "no"}),
    ]


# ---- Parquet ---------------------------------------------------------------------------------------------------------
def test_parquet_keeps_types(catalogue: Catalogue, tmp_path: Path) -> None:
    rows = [
        {
            "id": 1, "title": "a", "price": Decimal("9.90"), "tags": ["x", "y"], "made": date(2020, 1, 2),
            "seen": datetime(2020, 1, 2, 3, 4), "dims": {"w": 3}, "blob": b"\x00", "ok": True, "weight": 1.5,
        },
        {"id": None, "title": "b"},
    ]  # fmt: skip
    path = tmp_path / "feed.parquet"
    parquet.write_table(pa.Table.from_pylist(rows), path)
    report = import_feed(catalogue, path)
    assert (report.read, report.inserted, report.rejected) == (2, 1, 1)
    item = catalogue.get("1")
    assert item.price == 9.9
    assert item.attributes == {
        "tags": ["x", "y"], "made": "2020-01-02", "seen": "2020-01-02T03:04:00", "dims.w": 3, "ok": True, "weight": 1.5,
    }  # fmt: skip
    entries = [json.loads(line) for line in Path(report.rejects_file or "").read_text("utf-8").split("\n")[:-1]]
    assert [(entry["line"], entry.get("kept", False)) for entry in entries] == [(1, True), (2, False)]
    assert "'blob' is binary" in entries[0]["reason"]


# ---- a folder of pictures --------------------------------------------------------------------------------------------
def test_a_folder_of_pictures_is_a_feed(catalogue: Catalogue, picture: Callable[..., Path], tmp_path: Path) -> None:
    picture("shop/red-running_shoes 02.jpg")
    picture("shop/Living Room/Lamps/DeskLamp.PNG")
    picture("shop/.hidden/a.jpg")
    (tmp_path / "shop" / "notes.txt").write_text("not a picture")
    (tmp_path / "shop" / "broken.jpg").write_text("not a picture either")
    report = import_feed(catalogue, tmp_path / "shop")
    assert (report.read, report.inserted, report.images_broken) == (3, 3, 1)
    lamp = catalogue.get("Living Room/Lamps/DeskLamp.PNG")
    assert (lamp.title, lamp.category, len(lamp.pictures)) == ("Desk Lamp", "Living Room > Lamps", 1)
    assert catalogue.get("red-running_shoes 02.jpg").title == "red running shoes 02"
    assert import_feed(catalogue, tmp_path / "shop").unchanged == 3


# ---- prices ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("10", 10, ""), ("10.5", 10.5, ""), ("0.99", 0.99, ""), ("1,299.00", 1299, ""), ("1,299", 1299, ""),
        ("1,29,999.00", 129999, ""), ("1.299,00", 1299, ""), ("1.299.000", 1299000, ""), ("12,50", 12.5, ""),
        ("1 299,50", 1299.5, ""), ("1'299.50", 1299.5, ""), ("€ 12,50", 12.5, "EUR"), ("12.50 €", 12.5, "EUR"),
        ("£5", 5, "GBP"), ("$1,000", 1000, ""), ("USD 5", 5, "USD"), ("5 CHF", 5, "CHF"), ("Rs. 899", 899, "INR"),
    ],
)  # fmt: skip
def test_clear_prices_are_read(text: str, amount: float, currency: str) -> None:
    assert parse_price(text) == Price(amount, currency)


@pytest.mark.parametrize(
    "text", ["ten", "-3", "1,2,3", "1.2.3", "12,5000", "EUR", "5 apples", "$5 EUR CHF", "1e5", "٣", "2 for 5", "50%"]
)
def test_unclear_prices_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        parse_price(text)


# ---- nothing is lost -------------------------------------------------------------------------------------------------
CELLS = st.one_of(
    st.text(max_size=8), st.sampled_from(["", "1", "2", "a", '"', "\n", "\r", ",", "ten", "-1", "\0", "x.jpg"])
)


@given(data=st.binary(max_size=200))
@example(data=b'1,"a\n"b",c\n"')
def test_any_bytes_after_a_header_lose_no_row(data: bytes) -> None:
    with fresh_catalogue() as catalogue:
        path = catalogue.settings.home / "feed.csv"
        path.write_bytes(b"id,title,price,image\n" + data)
        assert_accounted(catalogue, path)


@given(rows=st.lists(st.lists(CELLS, min_size=1, max_size=6), max_size=12))
def test_an_import_of_anything_never_loses_a_row_without_saying_so(rows: list[list[str]]) -> None:
    with fresh_catalogue() as catalogue:
        path = catalogue.settings.home / "feed.csv"
        with path.open("w", encoding="utf-8", errors="surrogatepass", newline="") as stream:
            csv.writer(stream).writerows([["id", "title", "price", "image", "x"], *rows])
        report = assert_accounted(catalogue, path)
        assert report.read == len(rows)  # csv.writer quotes what needs it: every list of cells is one row


@given(lines=st.lists(st.one_of(st.binary(max_size=30), st.dictionaries(st.text(max_size=4), st.integers() | CELLS))))
@example(lines=[{"ID": 1}, {"Title": "x", "id": "y"}])
def test_json_lines_of_anything_lose_none(lines: list[bytes | dict[str, object]]) -> None:
    encoded = [json.dumps(line).encode() if isinstance(line, dict) else line.replace(b"\n", b"") for line in lines]
    with fresh_catalogue() as catalogue:
        path = catalogue.settings.home / "feed.jsonl"
        path.write_bytes(b"\n".join([b'{"id": "first"}', *encoded]))
        report = assert_accounted(catalogue, path)
        assert report.read == 1 + sum(bool(line.strip()) for line in encoded)


def assert_accounted(catalogue: Catalogue, path: Path) -> ImportReport:
    report = import_feed(catalogue, path)
    assert is_whole(report) and report.inserted == catalogue.count()
    entries = Path(report.rejects_file).read_text("utf-8").split("\n")[:-1] if report.rejects_file else []
    assert report.rejected == sum(not json.loads(entry).get("kept") for entry in entries)
    again = import_feed(catalogue, path)
    assert (again.read, again.unchanged, again.rejected) == (report.read, report.inserted, report.rejected)
    return report


# ---- progress and interruption ---------------------------------------------------------------------------------------
def test_progress_reaches_the_end(catalogue: Catalogue, feed: Callable[..., Path]) -> None:
    path = feed("id,title\n" + "".join(f"{n},t\n" for n in range(5_000)))
    steps: list[tuple[int, int, int]] = []
    import_feed(catalogue, path, on_progress=lambda rows, done, total: steps.append((rows, done, total)))
    assert [rows for rows, _, _ in steps][-1] == 5_000 and steps == sorted(steps)
    assert steps[-1][1] == steps[-1][2] == 5_000


def test_an_interrupted_import_goes_on_when_repeated(catalogue: Catalogue, feed: Callable[..., Path]) -> None:
    path = feed("id,title\n,bad\n" + "".join(f"{n},t\n" for n in range(5_000)))

    def interrupt(rows: int, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_feed(catalogue, path, on_progress=interrupt)
    assert catalogue.count() == 2_000
    assert len(list(catalogue.settings.rejects_dir.glob("*.jsonl"))) == 1
    report = import_feed(catalogue, path)
    assert (report.inserted, report.unchanged, report.rejected) == (3_000, 2_000, 1)


def test_a_position_is_safe_to_ask_at_any_time() -> None:
    position = FeedPosition()
    assert (position.done, position.total) == (0, 0)


@pytest.mark.parametrize("number", ["Infinity", "-1e400", "1" + "0" * 400, "[1, 1e400]"])
def test_a_number_that_no_column_holds_is_kept_out_with_a_note(feed: Callable[..., Path], number: str) -> None:
    (row,) = read_feed(feed(f'{{"id": "2", "x": {number}, "y": 1e308}}'.encode(), "feed.jsonl"))
    assert isinstance(row, ItemDraft) and row.attributes == {"y": 1e308}
    assert len(row.notes) == 1 and "'x'" in row.notes[0]
