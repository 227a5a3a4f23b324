"""Sources: archives, workbooks, XML, databases, addresses, encodings; and what hostile ones cannot do."""

import gzip
import io
import sqlite3
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
import zstandard
from openpyxl import Workbook

from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.catalogue.items import ItemDraft
from magpie.data.errors import BadFeed
from magpie.data.feeds import open_source, spreadsheet_feed
from magpie.data.feeds.import_feed import Sync, import_feed
from magpie.data.feeds.read_feed import FeedOptions, Reject, opened_feed, read_feed
from magpie.data.feeds.row_to_draft import Taken

TABLE = "id,title,price,colour\n1,Copper Kettle,48.00,copper\n2,Slate Board,19.90,grey\n"


def titles(source: Path | str, home: Path, **options: object) -> list[str]:
    with opened_feed(str(source), home, None, FeedOptions(**options)) as feed:  # type: ignore[arg-type]
        return [each.draft.title for each in feed.outcomes() if isinstance(each, Taken)]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# ---- packed ----------------------------------------------------------------------------------------------------------
def test_packed_tables_are_unpacked(tmp_path: Path) -> None:
    write(tmp_path / "a.csv.gz", gzip.compress(TABLE.encode()))
    write(tmp_path / "b.csv.zst", zstandard.compress(TABLE.encode()))
    write(tmp_path / "named-otherwise", gzip.compress(gzip.compress(TABLE.encode())))
    for name in ("a.csv.gz", "b.csv.zst", "named-otherwise"):
        assert titles(tmp_path / name, tmp_path) == ["Copper Kettle", "Slate Board"]


def test_a_packed_table_that_is_cut_off_says_so(tmp_path: Path) -> None:
    packed = gzip.compress(("id,title\n" + "".join(f"{n},t{n}\n" for n in range(50_000))).encode())
    with pytest.raises(BadFeed, match="cut off or damaged"):
        list(read_feed(write(tmp_path / "a.csv.gz", packed[: len(packed) // 2])))


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_source, "ALWAYS_ALLOWED", 1_000_000)
    with pytest.raises(BadFeed, match="more than 200 times"):
        list(read_feed(write(tmp_path / "a.csv.gz", gzip.compress(b"id,title\n" + b"1,a\n" * 5_000_000))))


def test_a_zip_holds_a_feed_and_its_pictures(
    catalogue: Catalogue, picture: Callable[..., Path], tmp_path: Path
) -> None:
    picture("a.png")
    content = (tmp_path / "a.png").read_bytes()
    with zipfile.ZipFile(tmp_path / "shop.zip", "w") as archive:
        archive.writestr("shop/feed.csv", "id,title,image\n1,Kettle,pics/a.png\n2,Way out,../../b.png\n")
        archive.writestr("shop/pics/a.png", content)
        archive.writestr("../b.png", content)
        archive.writestr("__MACOSX/feed.csv", "no")
    report = import_feed(catalogue, tmp_path / "shop.zip")
    assert (report.inserted, report.images_missing) == (2, 1)
    assert not list(tmp_path.glob("**/b.png"))
    assert catalogue.settings.home in catalogue.get("1").pictures[0].path.parents
    assert import_feed(catalogue, tmp_path / "shop.zip").unchanged == 2


def test_a_zip_of_several_feeds_asks_which(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", TABLE)
        archive.writestr("b.csv", TABLE)
    with pytest.raises(BadFeed, match=r"holds 2 feeds \(a\.csv, b\.csv\)"):
        list(read_feed(tmp_path / "two.zip"))


# ---- text ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "Größe Æbelø 木製"), ("utf-8-sig", "Größe"), ("utf-16", "Größe 木製"), ("utf-16-le", "Größe und mehr"),
        ("cp1252", "Stehleuchte Größe „M“, Fußmatte, Küche"), ("latin-1", "Décor Æbelø Crème Ångström"),
        ("cp1250", "Dřevěná židle, Skleněný stůl, Křeslo žluté"), ("cp1250", "Krzesło drewniane żółte, łóżko, ręcznik"),
        ("cp1251", "Стул деревянный, Стол стеклянный"), ("cp1253", "Καρέκλα ξύλινη, Τραπέζι"),
        ("cp1254", "Ahşap sandalye, büyük ışık, gümüş yağmur"), ("cp932", "木製の椅子、ガラスのテーブル、赤いランプ"),
        ("gb18030", "木椅子,玻璃桌子,红色的灯"), ("cp949", "나무 의자, 유리 테이블"),
    ],
)  # fmt: skip
def test_encodings_are_found(tmp_path: Path, encoding: str, text: str) -> None:
    rows = "".join(f'{n};"{text}"\n' for n in range(3))
    assert titles(write(tmp_path / "a.csv", f"id;title\n{rows}".encode(encoding)), tmp_path) == [text] * 3


def test_one_line_of_another_encoding_costs_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,title\n1,Größe\n2,Küche\n".encode() + b"3,caf\xe9\n")
    rows = list(read_feed(path))
    assert [row.title for row in rows if isinstance(row, ItemDraft)] == ["Größe", "Küche", "café"]
    assert "is not UTF-8" in rows[2].notes[0]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "above",
    ["FERN – PRICE LIST,,,\nprices in EUR,,,\n,,,\n", "# exported by a shop of this name | a | b\n", "\n\n", "# Required | The id,# Required | Its title,# Required | x,# y | z\n"],
)  # fmt: skip
def test_what_stands_above_the_header_is_passed_over(tmp_path: Path, above: str) -> None:
    assert titles(write(tmp_path / "a.csv", above + TABLE), tmp_path) == ["Copper Kettle", "Slate Board"]


def test_a_table_without_a_header_is_read_by_its_values(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "1,Oak lamp,$12.50,a.jpg\n2,Pine chair,$40,b.jpg\n3,Ash desk,$90,c.jpg\n")
    rows = [row for row in read_feed(path) if isinstance(row, ItemDraft)]
    first = rows[0]
    assert (first.title, first.price, first.pictures, len(rows)) == ("Oak lamp", 12.5, ("a.jpg",), 3)


# ---- JSON, XML, YAML -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "content",
    [
        '[{"id": 1, "title": "a"}, {"id": 2, "title": "b"}]',
        '{"total": 2, "products": [{"id": 1, "title": "a"}, {"id": 2, "title": "b"}]}',
        '{"hits": {"hits": [{"_id": "x", "_source": {"id": 1, "title": "a"}}, {"_id": "y", "_source": {"id": 2, "title": "b"}}]}}',
        '{"id": 1, "title": "a"}\n{"id": 2, "title": "b"}\n',
        '{"version": "1", "title": "My feed", "items": [{"id": 1, "title": "a"}, {"id": 2, "title": "b"}]}',
    ],
)  # fmt: skip
def test_json_is_found_wherever_the_list_is(tmp_path: Path, content: str) -> None:
    assert titles(write(tmp_path / "a.json", content), tmp_path) == ["a", "b"]


def test_large_json_is_streamed_and_what_is_before_a_fault_stays(tmp_path: Path) -> None:
    rows = ",".join(f'{{"id": {n}, "title": "t{n}", "text": "{"x" * 60}"}}' for n in range(30_000))
    path = write(tmp_path / "a.json", f'{{"filters": [{{"a": 1}}], "data": {{"rows": [{rows}, {{broken')
    found = list(read_feed(path))
    assert sum(isinstance(row, ItemDraft) for row in found) == 30_000
    assert [row.line for row in found if isinstance(row, Reject)] == [30_001]


def test_a_folder_of_json_files_is_a_feed(tmp_path: Path) -> None:
    for n in (1, 2):
        (tmp_path / "objects" / str(n)).mkdir(parents=True)
        write(tmp_path / "objects" / str(n) / "a.json", f'{{"id": {n}, "title": "t{n}"}}')
    assert titles(tmp_path / "objects", tmp_path) == ["t1", "t2"]


XML = """<?xml version="1.0"?><shop><info><name>Shop</name></info><items>
<thing sku="1"><name>Tea &amp; pot &nbsp; &eacute;</name><url>https://s.example/?a=1&b=2</url><price currency="EUR">9,50</price>
<param name="Colour">red</param><photo>a.jpg</photo><photo>b.jpg</photo></thing>
<thing sku="2"><name><![CDATA[Cup & <b>saucer</b>]]></name><url>https://s.example/2</url><price currency="EUR">4</price></thing>
</items></shop>"""


def test_xml_of_any_element_is_read_and_mended(tmp_path: Path) -> None:
    first, second = [row for row in read_feed(write(tmp_path / "a.xml", XML)) if isinstance(row, ItemDraft)]
    assert (first.item_id, first.title, first.price, first.currency) == ("1", "Tea & pot é", 9.5, "EUR")
    assert (first.url, first.attributes["Colour"], first.pictures) == (
        "https://s.example/?a=1&b=2",
        "red",
        ("a.jpg", "b.jpg"),
    )
    assert second.title == "Cup & saucer"


def test_xml_bombs_and_outside_entities_do_nothing(tmp_path: Path) -> None:
    write(tmp_path / "secret", "do not read")
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "lol"}">' for n in range(12))
    bomb = f'<!DOCTYPE x [{lol}<!ENTITY out SYSTEM "file://{tmp_path}/secret">]>'
    rows = "<item><id>1</id><title>&l11; &out;</title></item><item><id>2</id><title>b</title></item>"
    path = write(tmp_path / "a.xml", f"<?xml version='1.0'?>{bomb}<rss>{rows}</rss>")
    assert "do not read" not in str(list(read_feed(path))) and "lollol" not in str(list(read_feed(path)))


def test_yaml_lists_and_documents_are_read(tmp_path: Path) -> None:
    assert titles(write(tmp_path / "a.yaml", "- {id: 1, title: a}\n- {id: 2, title: b}\n"), tmp_path) == ["a", "b"]
    assert titles(write(tmp_path / "b.yml", "id: 1\ntitle: a\n---\nid: 2\ntitle: b\n"), tmp_path) == ["a", "b"]
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9) if n else 'x'}]\n" for n in range(9))
    bomb = write(tmp_path / "c.yaml", f"{levels}items:\n- {{id: 1, title: a, x: *l8}}\n- {{id: 2, title: b}}\n")
    assert titles(bomb, tmp_path) == ["b"]


# ---- workbooks -------------------------------------------------------------------------------------------------------
def workbook(path: Path, **sheets: list[list[object]]) -> Path:
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_the_sheet_with_the_products_is_read(tmp_path: Path) -> None:
    rows = [["Our list", None], ["SKU", "Product name", "Price", "Weight"], [9780000000170, "Kettle", 48.5, 1.25]]
    path = workbook(tmp_path / "a.xlsx", Read_me=[["Hello"]], Products=rows)
    (draft,) = [row for row in read_feed(path) if isinstance(row, ItemDraft)]
    assert (draft.item_id, draft.title, draft.price, draft.attributes) == (
        "9780000000170",
        "Kettle",
        48.5,
        {"Weight": 1.25},
    )


def test_a_cell_far_away_costs_neither_time_nor_memory(tmp_path: Path) -> None:
    book = Workbook()
    book.active.append(["id", "title"])
    book.active.append([1, "a"])
    book.active["XFD20000"] = "far"
    book.save(tmp_path / "a.xlsx")
    assert titles(tmp_path / "a.xlsx", tmp_path) == ["a"]


def test_a_damaged_workbook_says_so(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", A=[["id", "title"], [1, "a"]])
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 200] = b"\0" * 200
    with pytest.raises(BadFeed, match=r"workbook|whole \.zip"):
        list(read_feed(write(tmp_path / "b.xlsx", bytes(content))))


def test_open_document_sheets_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("office", "table", "text")
    spaces = " ".join(f'xmlns:{each}="urn:oasis:names:tc:opendocument:xmlns:{each}:1.0"' for each in names)

    def cell(value: str, kind: str = "string") -> str:
        if kind == "string":
            return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'
        attribute = "date-value" if kind == "date" else "value"
        return f'<table:table-cell office:value-type="{kind}" office:{attribute}="{value}"/>'

    rows = [
        cell("id") + cell("title") + cell("price") + cell("made"),
        cell("7", "float") + cell("Kettle") + cell("48.5", "float") + cell("2026-03-01", "date"),
    ]
    filler = '<table:table-cell table:number-columns-repeated="16380"/>'
    sheet = "".join(f"<table:table-row>{row}{filler}</table:table-row>" for row in rows)
    sheet += '<table:table-row table:number-rows-repeated="1048000"><table:table-cell/></table:table-row>'
    body = f'<office:body><office:spreadsheet><table:table table:name="S">{sheet}</table:table></office:spreadsheet></office:body>'
    with zipfile.ZipFile(tmp_path / "a.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", f"<office:document-content {spaces}>{body}</office:document-content>")
    (draft,) = [row for row in read_feed(tmp_path / "a.ods") if isinstance(row, ItemDraft)]
    assert (draft.item_id, draft.title, draft.price, draft.attributes) == ("7", "Kettle", 48.5, {"made": "2026-03-01"})
    monkeypatch.setattr(spreadsheet_feed, "ALWAYS_ALLOWED", 100)
    monkeypatch.setattr(spreadsheet_feed, "MOST_GROWTH", 1)
    with zipfile.ZipFile(tmp_path / "b.ods", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("content.xml", b" " * 100_000)
    with pytest.raises(BadFeed, match="unpacks to more than"):
        list(read_feed(tmp_path / "b.ods"))


# ---- databases and addresses -----------------------------------------------------------------------------------------
def test_a_database_is_read_by_table_or_query(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE products (id TEXT, title TEXT, price REAL)")
        connection.execute("CREATE TABLE other (a)")
        connection.executemany("INSERT INTO products VALUES (?, ?, ?)", [("1", "a", 2.5), ("2", "b", None)])
    connection.close()
    assert titles(f"sqlite:///{path}?table=products", tmp_path) == ["a", "b"]
    assert titles(path, tmp_path, table="products") == ["a", "b"]
    assert titles(f"sqlite:///{path}", tmp_path, query="SELECT * FROM products WHERE price > 1") == ["a"]
    with pytest.raises(BadFeed, match="there are other, products"):
        titles(path, tmp_path)
    for query in ("DELETE FROM products", "WITH x AS (SELECT 1) DELETE FROM products"):
        with pytest.raises(BadFeed):
            titles(path, tmp_path, query=query)
    assert titles(path, tmp_path, table="products") == ["a", "b"]
    with pytest.raises(BadFeed, match="no such file"):
        titles(f"sqlite:///{tmp_path}/missing.db", tmp_path, table="x")
    assert not (tmp_path / "missing.db").exists()


class Shop(BaseHTTPRequestHandler):
    """Answers each path with a body, or with where it leads."""

    answers: ClassVar[dict[str, bytes | str]] = {}

    def do_GET(self) -> None:
        answer = self.answers.get(self.path, b"")
        self.send_response(302 if isinstance(answer, str) else 200)
        if isinstance(answer, str):
            self.send_header("Location", answer)
            answer = b""
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    """Of a shop on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_an_address_that_the_owner_names_is_fetched(tmp_path: Path, port: int) -> None:
    Shop.answers = {
        "/feed": TABLE.encode(),
        "/there": "/feed",
        "/away": f"http://localhost:{port}/feed",
        "/round": "/round",
    }
    assert titles(f"http://127.0.0.1:{port}/feed", tmp_path) == ["Copper Kettle", "Slate Board"]
    assert titles(f"http://127.0.0.1:{port}/there", tmp_path) == ["Copper Kettle", "Slate Board"]
    with pytest.raises(BadFeed, match="no public address"):
        titles(f"http://127.0.0.1:{port}/away", tmp_path)
    with pytest.raises(BadFeed, match="redirects"):
        titles(f"http://127.0.0.1:{port}/round", tmp_path)
    with pytest.raises(BadFeed, match=r"^http://127\.0\.0\.1:1/x: was not fetched"):
        titles("http://name:secret@127.0.0.1:1/x".replace("name:secret@", ""), tmp_path)


def test_other_schemes_say_what_they_need(tmp_path: Path) -> None:
    with pytest.raises(BadFeed, match=r"magpie-search\[stores\]"):
        titles("s3://bucket/feed.csv", tmp_path)
    with pytest.raises(BadFeed, match="is not read"):
        titles("gopher://x/feed.csv", tmp_path)


def test_standard_input_is_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Input:
        buffer = io.BytesIO(gzip.compress(TABLE.encode()))

    monkeypatch.setattr("sys.stdin", Input)
    assert titles("-", tmp_path) == ["Copper Kettle", "Slate Board"]


# ---- keeping in step -------------------------------------------------------------------------------------------------
def test_sync_takes_out_what_the_feed_lacks(catalogue: Catalogue, tmp_path: Path) -> None:
    def feed(*numbers: int, status: str = "") -> Path:
        rows = "".join(f"{n},t{n},{status or 'active'}\n" for n in numbers)
        return write(tmp_path / "a.csv", f"id,title,status\n{rows}")

    import_feed(catalogue, feed(*range(10)))
    kept = import_feed(catalogue, feed(*range(8)))
    assert (kept.removed, catalogue.count()) == (None, 10)
    report = import_feed(catalogue, feed(*range(8)), sync=Sync(True))
    assert (report.removed, report.unchanged, catalogue.count()) == (2, 8, 8)
    with pytest.raises(BadFeed, match=r"lacks 7 of the 8 items.*--sync-max"):
        import_feed(catalogue, feed(0, 99), sync=Sync(True))
    assert catalogue.count() == 8
    with pytest.raises(BadFeed, match="no row of the feed can be taken"):
        import_feed(catalogue, write(tmp_path / "a.csv", "id,title\n,x\n"), sync=Sync(True))
    report = import_feed(catalogue, feed(0), sync=Sync(True, 1.0))
    assert (report.removed, catalogue.count()) == (7, 1)


def test_a_rejected_row_keeps_its_item(catalogue: Catalogue, tmp_path: Path) -> None:
    import_feed(catalogue, write(tmp_path / "a.csv", "id,title\n1,a\n2,b\n"))
    long = "x" * 1_100_000
    report = import_feed(catalogue, write(tmp_path / "a.csv", f"id,title\n1,a\n2,{long}\n"), sync=Sync(True, 1.0))
    assert (report.rejected, report.removed, catalogue.count()) == (1, 0, 2)


def test_a_dry_run_writes_nothing_and_names_meanings(catalogue: Catalogue, tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv", "Artikelnummer;Bezeichnung;Preis;Gewicht (kg);Bild\n1;Leuchte;1.349,00 €;2,75;a.png\n"
    )
    report = import_feed(catalogue, path, is_dry_run=True).as_dict()
    assert report["columns"] == {
        "Artikelnummer": "id", "Bezeichnung": "title", "Preis": "price", "Gewicht (kg)": "attribute Gewicht (kg)", "Bild": "image",
    }  # fmt: skip
    assert catalogue.count() == 0 and report["read"] == 1


def test_a_column_of_pictures_that_no_rule_knows_is_used(
    catalogue: Catalogue, picture: Callable[..., Path], tmp_path: Path
) -> None:
    picture("pics/a.png")
    report = import_feed(catalogue, write(tmp_path / "a.csv", "id,title,visual\n1,Easel,pics/a.png\n"))
    assert (len(catalogue.get("1").pictures), report.images_missing, report.warnings) == (1, 0, [])
    report = import_feed(catalogue, write(tmp_path / "b.csv", "id,title\n1,Easel\n"))
    assert report.warnings == ["no column holds pictures"]


def test_pictures_are_found_in_a_folder_below_and_by_the_id(
    catalogue: Catalogue, picture: Callable[..., Path], tmp_path: Path
) -> None:
    picture("photos/7.png")
    import_feed(catalogue, write(tmp_path / "a.csv", "id,title,image\n7,Easel,7.png\n"))
    import_feed(catalogue, write(tmp_path / "b.csv", "id,title\n7,Easel again\n"))
    assert catalogue.get("7").pictures[0].status == "ok"
    picture("0007.png")
    import_feed(
        catalogue, write(tmp_path / "c.csv", "id,title\n7,Third\n"), options=FeedOptions(picture_pattern="{id:04}.png")
    )
    assert catalogue.get("7").pictures[0].path.name == "0007.png"


# ---- what fuzzing found ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '{"id": 1, "title": "a"'.encode("utf-16")),
        ("a.json", b"1e309 x"),
        ("a.zip", b"PK\x03\x04" + b"\xff" * 60),
    ],
)
def test_damage_is_a_message(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(BadFeed):
        list(read_feed(write(tmp_path / name, content)))


def test_a_zip_of_an_unknown_kind_is_a_message(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.csv", TABLE)
    content = bytearray(out.getvalue())
    content[content.index(b"PK\x01\x02") + 6] = 143  # the version that is needed to unpack it
    with pytest.raises(BadFeed, match="is no whole"):
        list(read_feed(write(tmp_path / "a.zip", bytes(content))))


def test_variants_that_are_no_objects_are_passed_over(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        '{"id": 1, "title": "a", "variants": ["x", 3]}\n{"id": 2, "title": "b", "variants": [{"price": 2}]}\n',
    )
    assert [(row.title, row.price) for row in read_feed(path) if isinstance(row, ItemDraft)] == [
        ("a", None),
        ("b", 2.0),
    ]
