"""Reads XML into the table: RSS, Atom, and any element that repeats; entities are never resolved, nothing is fetched.

What shops get wrong (a bare `&`, HTML's entities, control characters) is mended as it is read.
"""

import contextlib
import html
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from html.entities import html5
from typing import Any

from lxml import etree

from magpie.data.errors import BadFeed, BadItem
from magpie.data.feeds.open_source import HEAD_BYTES, OpenFeed
from magpie.data.feeds.table import Table
from magpie.data.feeds.text_encoding import find_encoding

# elements that hold one thing each, in the feeds of shops, of news, of libraries
_KNOWN = {"item", "entry", "product", "offer", "shopitem", "article", "record", "book", "artikel", "produkt", "listing",
          "row", "artwork", "object", "property", "vehicle", "job", "url", "doc", "recipe"}  # fmt: skip
_ENTITY = re.compile(r"&(?:(#\d{1,7}|#x[0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos);|(\w{2,31};)?)")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_XLINK = "{http://www.w3.org/1999/xlink}href"
_MAX_RECORD_VALUES = 20_000


def read_xml(feed: OpenFeed, table: Table, languages: Sequence[str]) -> None:
    """Puts the repeated elements of an XML feed into the table; their lines are running numbers. Raises BadFeed."""
    head = feed.head()
    encoding = find_encoding(head)[0]
    text = head.decode(encoding, "replace")
    if re.match(r"\ufeff?\s*(<!doctype\s+html|<html)", text, re.IGNORECASE):
        raise BadFeed(f"{feed.name}: is a web page and no feed; is there a sign-in before it?")
    path = _repeated(_mended(text))
    if path is None:
        raise BadFeed(f"{feed.name}: holds no element that looks like an item")
    stream = _Mended(io.TextIOWrapper(feed.stream, encoding=encoding, errors="replace", newline=""))
    number = 0
    events = etree.iterparse(
        stream, events=("start", "end"), encoding="utf-8", recover=True, resolve_entities=False, no_network=True,
        load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    stack: list[str] = []
    try:
        for event, element in events:
            if event == "start":
                stack.append(_local(element.tag))
                continue
            at = tuple(stack)
            stack.pop()
            if at == path:
                number += 1
                try:
                    table.add_record(number, _record(element), languages)
                except (BadItem, RecursionError) as error:
                    table.add_fault(number, str(error), etree.tostring(element, encoding="unicode")[:2_000])
            if len(at) <= len(path):
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        if not number:
            raise BadFeed(f"{feed.name}: is not XML ({error.msg})") from error
        table.add_fault(number + 1, f"is not XML, and what comes after it is not read ({error.msg})", "")
    faults = [entry for entry in events.error_log if entry.level >= etree.ErrorLevels.ERROR]
    if faults:
        table.notes.append(f"is not quite XML, and was mended (line {faults[0].line}: {faults[0].message[:100]})")


def _repeated(text: str) -> tuple[str, ...] | None:
    """The path of the element that is the item, by what is known and by what repeats in the head."""
    parser = etree.XMLPullParser(
        events=("start", "end"), recover=True, resolve_entities=False, no_network=True, load_dtd=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    with contextlib.suppress(etree.XMLSyntaxError):
        parser.feed(text.encode("utf-8", "replace"))
    counts: Counter[tuple[str, ...]] = Counter()
    parts: Counter[tuple[str, ...]] = Counter()
    stack: list[str] = []
    for event, element in parser.read_events():
        if event == "start":
            stack.append(_local(element.tag))
            counts[tuple(stack)] += 1
            if len(stack) > 1:
                parts[tuple(stack[:-1])] += 1
            parts[tuple(stack)] += len(element.attrib)
        elif stack:
            stack.pop()
    likely = [path for path in counts if len(path) > 1 and parts[path] > counts[path]]  # more than one part each
    if not likely:
        return None
    known = [path for path in likely if path[-1].casefold() in _KNOWN]
    repeated = [path for path in likely if counts[path] > 1]
    # an item's own parts may repeat more often than it does, so that what lies higher comes first
    return min(known or repeated or likely, key=lambda path: (len(path), -parts[path]))


def _record(element: Any) -> dict[str, object]:
    record: dict[str, object] = {}
    for name, value in element.attrib.items():
        if _local(name) not in ("space", "type", "schemaLocation"):
            record[_local(name)] = value
    _add_children(record, element, 0)
    return record


def _add_children(record: dict[str, object], element: Any, depth: int) -> None:
    for child in element:
        if not isinstance(child.tag, str):
            continue
        name, value = _local(child.tag), _value(child, depth + 1)
        before = record.get(name)
        if before is None:
            record[name] = value
        elif value is not None:
            both = before if isinstance(before, list) else [before]
            record[name] = both if value in both else [*both, value]


def _value(element: Any, depth: int) -> object:
    """The text of an element, or an object of what it holds; with attributes both."""
    if depth > 60:
        raise BadItem("is nested too deeply")
    attributes = {_local(name): value for name, value in element.attrib.items()}
    if len(element):
        if not any(isinstance(child.tag, str) for child in element):
            return _text(element)
        if _is_prose(element):
            return _text(element)
        record: dict[str, object] = dict(attributes)
        _add_children(record, element, depth)
        return record
    text = (element.text or "").strip()
    if not text:
        address = element.get("href") or element.get(_XLINK) or element.get("url") or element.get("src")
        return address if address else (attributes if len(attributes) > 1 else next(iter(attributes.values()), None))
    language = attributes.pop("lang", None)
    currency = next((value for name, value in attributes.items() if "currency" in name.casefold()), None)
    if currency:
        return {"amount": text, "currency": currency}
    unit = attributes.get("unit") or attributes.get("units")
    if unit:
        return f"{text} {unit}"
    named = attributes.get("name") or attributes.get("label") or attributes.get("key")
    if named:
        return {"name": named, "value": text}
    return {"language": language, "value": text} if language else text


def _is_prose(element: Any) -> bool:
    """Whether an element holds text with marks such as <b> in it, rather than fields."""
    return any((child.tail or "").strip() for child in element)


def _text(element: Any) -> str:
    return "".join(element.itertext()).strip()


def _local(tag: object) -> str:
    return str(tag).rpartition("}")[2]


class _Mended:
    """A text stream as UTF-8 bytes of mended XML."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self._pieces = _pieces(stream)
        self._waiting = b""

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size`."""
        while not self._waiting:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._waiting = piece.encode("utf-8", "replace")
        taken, self._waiting = (self._waiting, b"") if size < 0 else (self._waiting[:size], self._waiting[size:])
        return taken


def _pieces(stream: io.TextIOWrapper) -> Iterator[str]:
    """The text in pieces, mended outside of CDATA; a piece ends where no entity and no CDATA mark can be cut."""
    waiting, is_inside = "", False
    while True:
        chunk = stream.read(1 << 17)
        waiting += chunk
        while waiting:
            mark = "]]>" if is_inside else "<![CDATA["
            at = waiting.find(mark)
            if at >= 0:
                piece, waiting = waiting[: at + len(mark)], waiting[at + len(mark) :]
                yield _CONTROLS.sub("", piece) if is_inside else _mended(piece)
                is_inside = not is_inside
                continue
            cut = len(waiting) if not chunk or len(waiting) > HEAD_BYTES else _safe_end(waiting, is_inside)
            piece, waiting = waiting[:cut], waiting[cut:]
            yield _CONTROLS.sub("", piece) if is_inside else _mended(piece)
            break
        if not chunk:
            return


def _safe_end(text: str, is_inside: bool) -> int:
    return max(0, len(text) - 2) if is_inside else text.rfind(">") + 1


def _mended(text: str) -> str:
    """The text with entities that XML knows, and without characters that it forbids."""
    text = _CONTROLS.sub("", text)
    return _ENTITY.sub(_entity, text) if "&" in text else text


def _entity(found: re.Match[str]) -> str:
    if found[1]:
        return found[0]
    name = found[2] or ""
    return html.escape(html5[name]) if name in html5 else f"&amp;{name}"
