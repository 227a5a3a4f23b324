"""Reads JSON into the table: an object a line, an array, an object around a list, or a folder of files."""

import io
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

from magpie.data.errors import BadFeed, BadItem
from magpie.data.feeds.open_source import HEAD_BYTES, OpenFeed
from magpie.data.feeds.progress import FeedPosition
from magpie.data.feeds.table import Table
from magpie.data.feeds.text_encoding import find_encoding

MAX_LINE_BYTES = 4_000_000
WHOLE_BYTES = HEAD_BYTES - 1  # smaller feeds are read at once, so that the longest list is found wherever it is
MAX_FILES = 2_000_000
MAX_DEPTH_OF_LIST = 5


def read_json(feed: OpenFeed, table: Table, languages: Sequence[str]) -> None:
    """Puts the objects of a feed into the table. Raises BadFeed where it holds none."""
    head = feed.head()
    encoding = find_encoding(head)[0]
    stream: IO[bytes] = feed.stream
    if encoding.startswith("utf-16"):
        content = _decoded(feed.stream.read(), encoding, feed.name).removeprefix("\ufeff").encode("utf-8", "replace")
        stream, head = io.BytesIO(content), content[:HEAD_BYTES]
    if _is_lines(head, feed.suffix):
        put_objects(_parse_lines(stream), table, languages)
    elif len(head) <= WHOLE_BYTES:
        content = stream.read()
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = _decoded(content, find_encoding(content)[0], feed.name)
        try:
            _put_whole(text, table, feed.name, languages)
        except ValueError as error:
            _put_streamed(iter([text.encode("utf-8", "replace")]), table, feed.name, languages, str(error))
    else:
        _put_streamed(_chunks(stream), table, feed.name, languages)
    if not len(table):
        raise BadFeed(f"{feed.name}: has no row that is an object with fields")


def read_json_folder(folder: Path, table: Table, position: FeedPosition, languages: Sequence[str]) -> None:
    """Puts the objects of all .json files in the folder and below into the table; their lines are running numbers."""
    paths = sorted(_walk(folder))[:MAX_FILES]
    done = 0
    position.follow(len(paths), lambda: done)
    for done, path in enumerate(paths, 1):
        try:
            if path.stat().st_size > MAX_LINE_BYTES:
                raise BadItem(f"{path}: is larger than {MAX_LINE_BYTES:,} bytes")
            content = json.loads(path.read_bytes().decode("utf-8-sig"))
            records = longest_list(content)
            if not records:
                raise BadItem(f"{path}: holds no object with fields")
            for record in records:
                table.add_record(done, record, languages)
        except (OSError, ValueError, RecursionError, BadItem) as error:
            table.add_fault(done, f"{path.name}: {_reason(error)}", str(path))


def is_json_folder(folder: Path) -> bool:
    """Whether the folder holds more .json files than anything else of its kind."""
    return next(_walk(folder), None) is not None


def put_objects(rows: Iterator[tuple[int, object, object]], table: Table, languages: Sequence[str]) -> None:
    """Puts (line, object or its fault, raw row) into the table."""
    for line, record, raw in rows:
        if not isinstance(record, dict):
            table.add_fault(line, str(record), raw)
            continue
        try:
            table.add_record(line, record, languages)
        except (BadItem, ValueError, RecursionError) as error:
            table.add_fault(line, _reason(error), raw)


def longest_list(content: object, depth: int = 0) -> list[dict[str, Any]]:
    """The longest list of records in a JSON value, not below another list; a record alone is a list of one.

    Of objects that wrap each its record, as search engines answer (`hits.hits[]._source`), it holds what they wrap.
    """
    if isinstance(content, list):
        return [unwrapped(each) for each in content if isinstance(each, dict)]
    if not isinstance(content, dict) or depth > MAX_DEPTH_OF_LIST:
        return []
    is_one = _is_record(content)
    lists = [
        longest_list(part, depth + 1) for name, part in content.items() if not (is_one and not _are_records(name, part))
    ]
    values = list(content.values())
    if len(values) > 5 and all(isinstance(part, dict) and len(part) > 1 for part in values):  # {id: record}
        lists.append([part if "id" in part else {"id": key, **part} for key, part in content.items()])
    longest = max(lists, key=len, default=[])
    return longest if longest or not (is_one or depth == 0) else [content]


def _is_record(content: dict[str, Any]) -> bool:
    """Whether an object has an id and a name, as things have, or says that it is a product or a manifest."""
    names = {name.casefold() for name in content}
    kind = str(content.get("@type", content.get("type", "")))
    has_id = bool(
        names & {"id", "_id", "@id", "sku", "handle", "objectid", "item_id", "product_id", "acno", "asin", "ean"}
    )
    return (has_id and bool(names & {"title", "name", "label", "headline", "item_name"})) or kind in _KINDS


_KINDS = {"Product", "ProductGroup", "Manifest", "sc:Manifest"}
# what things have several of, and are no things of the feed themselves
_PARTS = {
    "variants",
    "variations",
    "hasvariant",
    "images",
    "media",
    "options",
    "offers",
    "metadata",
    "attributes",
    "tags",
}
_PARTS |= {"categories", "sequences", "contributors", "creators", "children", "reviews", "structures"}


def _are_records(name: str, part: object) -> bool:
    """Whether a list in what looks like a record holds records itself, as a collection does."""
    if not isinstance(part, list) or name.casefold() in _PARTS:
        return False
    objects = [each for each in part if isinstance(each, dict)]
    kinds = {str(each.get("type", each.get("@type"))) for each in objects}
    return len(objects) > 1 and all(map(_is_record, objects)) and not any("Canvas" in kind for kind in kinds)


def unwrapped(record: dict[str, Any]) -> dict[str, Any]:
    """What a record wraps where that is all there is to it."""
    for key in ("_source", "node", "product", "item", "fields"):
        inner = record.get(key)
        if (
            isinstance(inner, dict)
            and len(inner) > 1
            and all(not isinstance(part, dict | list) for name, part in record.items() if name != key)
        ):
            return {**{name: part for name, part in record.items() if name == "id"}, **inner}
    return record


def _put_whole(text: str, table: Table, name: str, languages: Sequence[str]) -> None:
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise BadFeed(f"{name}: is nested too deeply") from error
    records = longest_list(content)
    put_objects(((n, record, json.dumps(record)[:2_000]) for n, record in enumerate(records, 1)), table, languages)


def _put_streamed(chunks: Iterator[bytes], table: Table, name: str, languages: Sequence[str], fault: str = "") -> None:
    """Puts the objects of the list that is open at the end of the head; what comes after a fault is lost, and said."""
    import ijson

    head = next(chunks, b"")
    prefix = _open_list(head)
    if prefix is None:
        raise BadFeed(f"{name}: is not JSON ({fault or 'no list of objects begins in its first bytes'})")
    number = 0
    try:
        for number, record in enumerate(ijson.items(_Reader(head, chunks), prefix, use_float=True), 1):
            put_objects(
                iter(
                    [
                        (
                            number,
                            unwrapped(record) if isinstance(record, dict) else "is no JSON object",
                            str(record)[:2_000],
                        )
                    ]
                ),
                table,
                languages,
            )
    except (ijson.JSONError, UnicodeDecodeError) as error:
        table.add_fault(number + 1, f"is not JSON, and what comes after it is not read ({str(error)[:200]})", "")


def _open_list(head: bytes) -> str | None:
    """Where the list of objects lies that is being read when the head ends, as ijson names it."""
    import ijson

    open_maps: list[str] = []
    try:
        for prefix, event, _ in ijson.parse(_Reader(head, iter(()))):
            if (
                event == "start_map"
                and prefix.endswith("item")
                and prefix not in open_maps
                and prefix.count("item") == 1
            ):
                open_maps.append(prefix)
            elif event == "end_array" and f"{prefix}.item".lstrip(".") in open_maps and len(open_maps) > 1:
                open_maps.remove(f"{prefix}.item".lstrip("."))
    except (ijson.JSONError, UnicodeDecodeError):
        pass
    return open_maps[-1] if open_maps else None


class _Reader:
    """Chunks as a file to read from."""

    def __init__(self, head: bytes, chunks: Iterator[bytes]) -> None:
        self._waiting, self._chunks = head.removeprefix(b"\xef\xbb\xbf"), chunks

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size`."""
        if size == 0:
            return b""
        if not self._waiting:
            self._waiting = next(self._chunks, b"")
        taken, self._waiting = (self._waiting, b"") if size < 0 else (self._waiting[:size], self._waiting[size:])
        return taken


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(HEAD_BYTES):
        yield chunk


def _is_lines(head: bytes, suffix: str) -> bool:
    """Whether each line is an object of its own: the feed is named so, or several of its first lines parse alone."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        return False
    if suffix in (".jsonl", ".ndjson"):
        return True
    lines = [line for line in text.split(b"\n", 50)[:50] if line.strip()]
    return len(lines) > 1 and sum(isinstance(_parse(line), dict) for line in lines) >= len(lines) / 3


def _decoded(content: bytes, encoding: str, name: str) -> str:
    try:
        return content.decode(encoding, "replace")
    except LookupError as error:
        raise BadFeed(f"{name}: is not text") from error


def _parse_lines(stream: IO[bytes]) -> Iterator[tuple[int, object, object]]:
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            while (rest := stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield number, f"more than {MAX_LINE_BYTES:,} bytes", line[:2_000].decode("utf-8", "replace")
        elif not line.isspace():
            parsed = _parse(line)
            yield number, unwrapped(parsed) if isinstance(parsed, dict) else parsed, _raw(line)


def _raw(line: bytes) -> str:
    return line[:2_000].decode("utf-8", "backslashreplace").rstrip("\r\n")


def _parse(line: bytes) -> dict[str, Any] | str:
    """The JSON object of the line, or its fault."""
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        try:
            value = json.loads(line.decode("cp1252"))
        except (UnicodeDecodeError, ValueError, RecursionError):
            return "is not UTF-8"
    except RecursionError:
        return "is nested too deeply"
    except ValueError as error:
        return f"is not JSON ({error})"
    return cast(dict[str, Any], value) if isinstance(value, dict) else "is no JSON object"


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    return f"is not JSON ({error})" if isinstance(error, json.JSONDecodeError) else str(error)


def _walk(folder: Path) -> Iterator[Path]:
    for place, subfolders, names in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in names:
            if not name.startswith(".") and name.lower().endswith(".json"):
                yield Path(place, name)
