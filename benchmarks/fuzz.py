"""What strangers can send, generated and damaged at random, against all inputs in one process: nothing may break.

    python -m benchmarks.fuzz [--seconds-each 120] [--most 40000] [--seed 1]

Every input is tried until its time is over or it was tried often enough. An answer of 500, an error that is not one of
Magpie's own, or an import that loses a row without a word is a fault, and is printed with what led to it. The home is
a small shop of its own.
"""

import argparse
import gzip
import io
import json
import logging
import random
import shutil
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow
from PIL import Image
from pyarrow import parquet

from magpie.data.backup.backup import back_up
from magpie.data.backup.restore import restore
from magpie.data.catalogue.catalogue import Catalogue
from magpie.data.database.connection import open_database
from magpie.data.errors import MagpieError
from magpie.data.events.ubi_ndjson import parse_line
from magpie.data.feeds.import_feed import import_feed
from magpie.data.pictures.decode import open_picture
from magpie.data.settings import Settings
from magpie.web.api.openapi import NDJSON
from magpie.web.app import create_app
from magpie.web.server.http_server import adjustments
from magpie.web.server.request_head import Request
from tests.support.serving import Client, client_of
from tests.support.shop import build_shop

Chance = random.Random
Attempt = Callable[[Chance], str]
TEXTS = (
    "",
    "red",
    "a" * 1001,
    "\0",
    "\ud800",
    "'; DROP TABLE items; --",
    "../../etc/passwd",
    "%00",
    "日本語 🎈",
    "{{7*7}}",
)
TEXTS += (
    "<script>alert(1)</script>",
    "-1",
    "1e309",
    "NaN",
    "null",
    "colour:Red",
    "price:1..",
    "price:..",
    'a:"b',
    "\\:\\",
)
NUMBERS = (0, -1, 1, 1000, 1001, 2**31, 2**63, 10**30, 0.5, -0.0, 1e308)
PARAMETERS = ("q", "k", "offset", "mode", "sort", "filter", "explain", "like", "not", "image_weight", "rerank", "page")
PARAMETERS += ("client_id", "session_id", "item", "id", "n", "w", "v", "limit", "picture", "min:price", "unknown")
ADDRESSES = (
    "/",
    "/results",
    "/item",
    "/pictures",
    "/api/search",
    "/api/suggest",
    "/api/recommend",
    "/docs",
    "/insights",
)
FIELDS = (
    "query",
    "k",
    "offset",
    "mode",
    "sort",
    "filters",
    "explain",
    "like",
    "not",
    "image_weight",
    "rerank",
    "facets",
)
EVENT_FIELDS = ("action_name", "query_id", "client_id", "timestamp", "event_attributes", "event_id", "message", "extra")
ITEM_FIELDS = ("title", "description", "category", "price", "currency", "url", "attributes", "images", "item_id")
# columns of some makers' exports, by which a feed is recognised
MAKERS: tuple[tuple[str, ...], ...] = (
    (),
    ("Handle", "Title", "Option1 Name", "Option1 Value", "Variant Price", "Image Src", "Status"),
    (
        "ID",
        "Type",
        "SKU",
        "Name",
        "Published",
        "Regular price",
        "Parent",
        "Images",
        "Attribute 1 name",
        "Attribute 1 value(s)",
    ),
    ("image_link", "link", "item_group_id", "sale_price"),
    ("sku", "product_type", "attribute_set_code", "name", "configurable_variations", "additional_attributes"),
    ("Item Type", "Product ID", "Product Name", "Product Visible?"),
    ("handle", "variants", "vendor", "options"),
)
KINDS = ("application/json", "text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "")
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")


def a_text(chance: Chance) -> str:
    """A nasty text, or any characters."""
    if chance.random() < 0.6:
        return chance.choice(TEXTS)
    return "".join(
        chr(chance.choice((chance.randrange(128), chance.randrange(0xD800)))) for _ in range(chance.randrange(30))
    )


def a_value(chance: Chance, depth: int = 0) -> Any:
    """Any JSON value, not very deep."""
    kind = chance.randrange(8 if depth < 3 else 5)
    if kind < 2:
        return a_text(chance)
    if kind < 4:
        return chance.choice(NUMBERS)
    if kind == 4:
        return chance.choice((None, True, False))
    if kind == 5:
        return [a_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    names = ("gte", "lt", "object", "object_id", "position", "ordinal", "colour", "price", a_text(chance))
    return {chance.choice(names): a_value(chance, depth + 1) for _ in range(chance.randrange(4))}


def an_object(chance: Chance, fields: tuple[str, ...]) -> dict[str, Any]:
    """Some of the fields with any values."""
    return {chance.choice(fields): a_value(chance) for _ in range(chance.randrange(5))}


def damaged(chance: Chance, data: bytes) -> bytes:
    """The bytes with some changed, cut out, repeated or cut off."""
    found = bytearray(data)
    for _ in range(chance.randrange(6)):
        if not found:
            break
        at, size = chance.randrange(len(found)), chance.randrange(1, 20)
        how = chance.randrange(4)
        if how == 0:
            found[at] = chance.randrange(256)
        elif how == 1:
            del found[at : at + size]
        elif how == 2:
            found[at:at] = found[at : at + size]
        else:
            del found[at:]
    return bytes(found)


class Inputs:
    """The shop under attack; each method tries one generated input and says what came of it."""

    def __init__(self, folder: Path) -> None:
        settings = build_shop(folder).model_copy(update={"rate_limit": "1000000 per second"})
        self.settings = settings.model_copy(update={"client_rate_limit": "1000000 per second"})
        self.app = create_app(self.settings)
        self.app.testing = False
        self.client: Client = client_of(self.app)
        self.feed = folder / "feed.csv"
        self.database = open_database(replace_home(self.settings, folder / "feeds"))
        self.catalogue = Catalogue(self.database, replace_home(self.settings, folder / "feeds"))
        self.pictures = [picture_bytes(kind) for kind in FORMATS]
        self.tables = {".parquet": parquet_bytes(), ".xlsx": workbook_bytes(), ".ods": document_bytes()}
        kept = replace_home(self.settings, folder / "kept")
        open_database(kept).close()
        back_up(kept, folder / "backup.tar", lambda *_: None)
        self.backup = (folder / "backup.tar").read_bytes()

    def addresses(self, chance: Chance) -> str:
        """Pages and searches by address."""
        parameters = [(chance.choice(PARAMETERS), a_text(chance)) for _ in range(chance.randrange(5))]
        query = "&".join(f"{name}={quote(text.encode('utf-8', 'surrogatepass'))}" for name, text in parameters)
        return self._status("GET", f"{chance.choice(ADDRESSES)}?{query}")

    def paths(self, chance: Chance) -> str:
        """Items, uploads and files by path."""
        before = chance.choice(("/api/items/", "/uploads/", "/static/", "/", "/api/"))
        after = quote(a_text(chance).encode("utf-8", "surrogatepass")) + chance.choice(("", "/similar", "/.."))
        return self._status(chance.choice(("GET", "DELETE", "OPTIONS", "HEAD", "PATCH")), before + after)

    def searches(self, chance: Chance) -> str:
        """Searches as JSON."""
        return self._send(chance, "POST", "/api/search", an_object(chance, FIELDS))

    def events(self, chance: Chance) -> str:
        """Events as JSON, alone and in lists."""
        one = an_object(chance, EVENT_FIELDS) | ({"action_name": "click"} if chance.random() < 0.5 else {})
        return self._send(chance, "POST", "/api/events", [one] if chance.random() < 0.3 else one)

    def items(self, chance: Chance) -> str:
        """Items put alone and in lists."""
        item = an_object(chance, ITEM_FIELDS) | ({"title": "x"} if chance.random() < 0.5 else {})
        if chance.random() < 0.5:
            return self._send(chance, "POST", "/api/items", [item])
        return self._send(chance, "PUT", f"/api/items/{chance.randrange(50)}", item)

    def uploads(self, chance: Chance) -> str:
        """Damaged pictures in forms."""
        name = a_text(chance)[:20].encode("utf-8", "replace").decode() or "x"
        form: dict[str, Any] = {"image": (io.BytesIO(damaged(chance, chance.choice(self.pictures))), name)}
        if chance.random() < 0.3:
            form[chance.choice(("query", "k", "filters", "q"))] = "1"
        return self._status("POST", chance.choice(("/api/search", "/results", "/")), data=form)

    def forms(self, chance: Chance) -> str:
        """Damaged multipart bodies, for searches and for items."""
        one = self.pictures[0] if chance.random() < 0.5 else a_text(chance).encode("utf-8", "replace")
        parts = [(chance.choice(("image", "title", "query", "filters", "attributes", "images", "")), one)]
        parts += [(chance.choice(ITEM_FIELDS), a_text(chance).encode("utf-8", "replace")) for _ in range(2)]
        lines = [
            b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
            % (name.encode(), b'; filename="a"' if name == "image" else b"", content)
            for name, content in parts
        ]
        body = damaged(chance, b"".join([*lines, b"--x--\r\n"]))
        method, address = chance.choice((("POST", "/api/search"), ("PUT", "/api/items/form"), ("POST", "/results")))
        return self._status(method, address, data=body, content_type="multipart/form-data; boundary=x")

    def item_lines(self, chance: Chance) -> str:
        """Items as NDJSON; every line must be answered."""
        rows = [an_object(chance, ITEM_FIELDS) | {"item_id": f"n{chance.randrange(9)}"} for _ in range(4)]
        lines = [json.dumps(row).encode() for row in rows]
        body = damaged(chance, b"\n".join(lines)) if chance.random() < 0.5 else b"\n".join(lines)
        answer = self.client.post("/api/items", data=body, content_type=NDJSON)
        if answer.status_code == 200:
            wanted = sum(bool(line.strip()) for line in body.split(b"\n"))
            told = answer.get_data().splitlines()
            assert len(told) == wanted, f"{wanted} lines sent, {len(told)} answered"
        assert answer.status_code < 500, answer.get_data(as_text=True)[:200]
        return str(answer.status_code)

    def backups(self, chance: Chance) -> str:
        """Damaged backups, restored: whole or not at all."""
        file, home = self.feed.with_suffix(".tar"), self.feed.with_name("restored")
        file.write_bytes(damaged(chance, self.backup) if chance.random() < 0.5 else garbled(chance, self.backup))
        shutil.rmtree(home, ignore_errors=True)
        settings = replace_home(self.settings, home)
        try:
            restore(settings, file, lambda *_: None)
        except MagpieError as error:
            left = [path.name for path in home.iterdir() if path.suffix != ".lock"] if home.exists() else []
            assert not left, f"a refused backup left {left}"
            return type(error).__name__
        open_database(settings).close()
        return "restored"

    def picture_bytes(self, chance: Chance) -> str:
        """Damaged pictures, decoded."""
        try:
            open_picture(
                damaged(chance, chance.choice(self.pictures)), 1_000_000, chance.choice((None, (64, 64)))
            ).close()
        except MagpieError as error:
            return type(error).__name__
        return "decoded"

    def feeds(self, chance: Chance) -> str:
        """Feeds of every format, generated and damaged; every row must be counted."""
        kind, content = self._a_feed(chance)
        path = self.feed.with_name(f"feed{kind}")
        path.write_bytes(damaged(chance, content) if chance.random() < 0.7 else content)
        try:
            report = import_feed(self.catalogue, path)
        except MagpieError as error:
            return type(error).__name__
        finally:
            path.unlink()
        stored = report.inserted + report.updated + report.unchanged
        counted = stored + report.rejected + report.merged + report.left_out
        assert report.read == counted, f"{report.read} rows read, {counted} accounted for"
        return f"imported {kind}"

    def _a_feed(self, chance: Chance) -> tuple[str, bytes]:
        """(suffix, bytes) of a feed of any format."""
        fields = (*ITEM_FIELDS, "id", *chance.choice(MAKERS))
        rows = [an_object(chance, fields) for _ in range(chance.randrange(6))]
        kind = chance.choice(
            (".csv", ".tsv", ".jsonl", ".json", ".xml", ".yaml", ".xlsx", ".ods", ".parquet", ".zip", ".gz")
        )
        if kind in (".parquet", ".xlsx", ".ods"):
            return kind, self.tables[kind]
        if kind == ".jsonl":
            text = "\n".join(json.dumps(row) for row in rows)
        elif kind == ".json":
            text = json.dumps(chance.choice((rows, {"products": rows}, {"data": {"items": rows}})))
        elif kind == ".yaml":
            text = json.dumps(rows)
        elif kind == ".xml":
            parts = [
                "".join(f"<{name.split()[0]}>{value}</{name.split()[0]}>" for name, value in row.items() if name)
                for row in rows
            ]
            text = "<rss>" + "".join(f"<item>{part}</item>" for part in parts) + "</rss>"
        else:
            mark = "\t" if kind == ".tsv" else chance.choice(",;|")
            header = list(dict.fromkeys(chance.choice(fields) for _ in range(6)))
            lines = [mark.join(header)] + [mark.join(a_text(chance) for _ in range(chance.randrange(8))) for _ in rows]
            text = "\n".join(lines)
        content = text.encode(chance.choice(("utf-8", "utf-8", "utf-16")), "surrogatepass")
        if kind == ".gz":
            return ".csv.gz", gzip.compress(content)
        if kind == ".zip":
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w") as archive:
                archive.writestr("feed.csv", content)
                archive.writestr(chance.choice(("a.png", "../a.png", "/a.png", "b/a.jpg")), self.pictures[0])
            return kind, out.getvalue()
        return kind, content

    def lines(self, chance: Chance) -> str:
        """Lines of behaviour (NDJSON)."""
        fields = (*EVENT_FIELDS, "user_query", "query_response_hit_ids", "query_response_hits", "query_attributes")
        try:
            base = chance.choice(({}, {"action_name": "click", "timestamp": 1_790_000_000_000}, {"query_id": "q"}))
            parse_line(damaged(chance, json.dumps(base | an_object(chance, fields)).encode()))
        except MagpieError as error:
            return type(error).__name__
        return "parsed"

    def heads(self, chance: Chance) -> str:
        """Bytes of a connection."""
        head = b"POST /api/search HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n"
        request = Request(adjustments(1_000_000, "localhost"))
        request.received(damaged(chance, head))
        return str(request.error.code) if request.error else "request" if request.completed else "part of a request"

    def close(self) -> None:
        """Ends the application."""
        self.app.extensions["magpie"].close()
        self.database.close()

    def _send(self, chance: Chance, method: str, address: str, body: Any) -> str:
        data = json.dumps(body).encode()
        data = damaged(chance, data) if chance.random() < 0.2 else data
        kind = chance.choice(KINDS) if chance.random() < 0.1 else "application/json"
        return self._status(method, address, data=data, content_type=kind)

    def _status(self, method: str, address: str, **how: Any) -> str:
        answer = self.client.open(f"http://localhost{address}", method=method, **how)
        is_honest = answer.status_code < 500 or answer.status_code == 503
        assert is_honest, f"{method} {address}: {answer.status_code} {answer.get_data(as_text=True)[:200]}"
        return str(answer.status_code)


def replace_home(settings: Settings, home: Path) -> Settings:
    """The settings of another home."""
    return settings.model_copy(update={"home": home})


def picture_bytes(kind: str) -> bytes:
    """A small noisy picture as a file of this format."""
    out = io.BytesIO()
    Image.effect_noise((40, 30), 80).convert("RGB").save(out, kind)
    return out.getvalue()


def parquet_bytes() -> bytes:
    """A small table as a Parquet file."""
    out = io.BytesIO()
    rows = [{"id": f"p{n}", "title": f"Thing {n}", "price": n / 3, "tags": ["a", "b"]} for n in range(20)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), out)
    return out.getvalue()


def workbook_bytes() -> bytes:
    """A small table as a workbook of Excel."""
    from openpyxl import Workbook

    book, out = Workbook(), io.BytesIO()
    for row in (["id", "title", "price"], *([n, f"Thing {n}", n / 3] for n in range(20))):
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def document_bytes() -> bytes:
    """A small table as an OpenDocument sheet."""
    names = ("office", "table", "text")
    spaces = " ".join(f'xmlns:{each}="urn:oasis:names:tc:opendocument:xmlns:{each}:1.0"' for each in names)
    cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    rows = ["".join(map(cell.format, row)) for row in (("id", "title"), *((str(n), f"Thing {n}") for n in range(9)))]
    sheet = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        content = f'<table:table table:name="S">{sheet}</table:table>'
        archive.writestr("content.xml", f"<office:document-content {spaces}>{content}</office:document-content>")
    return out.getvalue()


def garbled(chance: Chance, data: bytes) -> bytes:
    """The bytes with a few of them exchanged, anywhere."""
    found = bytearray(data)
    for _ in range(1 + chance.randrange(4)):
        found[chance.randrange(len(found))] = chance.randrange(256)
    return bytes(found)


def attempts_of(inputs: Inputs) -> dict[str, Attempt]:
    """Every way in, by name."""
    names = ("addresses", "paths", "searches", "events", "items", "item_lines", "uploads", "forms")
    names += ("picture_bytes", "feeds", "lines", "heads", "backups")
    return {name: getattr(inputs, name) for name in names}


def fuzz(attempt: Attempt, seed: int, most: int, seconds: float) -> tuple[Counter[str], list[str]]:
    """What came of so many attempts, and the faults: the seed of each with its message."""
    found: Counter[str] = Counter()
    faults: list[str] = []
    until = time.monotonic() + seconds
    for number in range(most):
        if time.monotonic() > until:
            break
        try:
            found[attempt(Chance(f"{seed}/{number}"))] += 1
        except Exception as error:  # whatever it is, it is what we look for
            found["fault"] += 1
            faults.append(f"seed {seed}/{number}: {traceback.format_exception(error)[-1].strip()[:300]}")
    return found, faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds-each", type=float, default=120)
    parser.add_argument("--most", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        inputs = Inputs(Path(folder))
        print("| input | tried | faults | what came of it |\n|---|---|---|---|")
        for name, attempt in attempts_of(inputs).items():
            found, faults = fuzz(attempt, given.seed, given.most, given.seconds_each)
            told = ", ".join(f"{outcome} {count:,}" for outcome, count in found.most_common(6))
            print(f"| {name} | {found.total():,} | {len(faults)} | {told} |", flush=True)
            for fault in faults[:5]:
                print(f"  {fault}", flush=True)
            total += found
        print(f"{total.total():,} inputs tried, {total['fault']} faults")
        inputs.close()


if __name__ == "__main__":
    main()
