"""Reads queries and events from NDJSON, and rejects other lines with number and reason."""

import json
from collections.abc import Iterable, Iterator
from typing import IO

from magpie.data.errors import BadEvent
from magpie.data.events.ubi import EventRecord, QueryRecord, parse_event, parse_query
from magpie.data.home.rejects_file import RejectsFile

MAX_LINE_BYTES = 4_000_000


def numbered_lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines with their numbers, from 1; of one that is too long only the beginning, which is no JSON."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES):
        number += 1
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            while (rest := stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
        if not line.isspace():
            yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line


def parse_lines(
    lines: Iterable[tuple[int, bytes]], rejects: RejectsFile
) -> tuple[list[QueryRecord | EventRecord], int]:
    """The records of the lines, and how many lines were none."""
    found: list[QueryRecord | EventRecord] = []
    faults = 0
    for number, line in lines:
        try:
            found.append(parse_line(line))
        except BadEvent as error:
            faults += 1
            rejects.add(number, str(error), row=line[:1_000].decode("utf-8", "backslashreplace").rstrip())
    return found, faults


def parse_line(line: bytes) -> QueryRecord | EventRecord:
    """The query or event of one line of NDJSON. Raises BadEvent."""
    try:
        raw = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadEvent(f"is not JSON in UTF-8 ({error})") from error
    if isinstance(raw, dict) and "action_name" in raw:
        return parse_event(raw)
    if isinstance(raw, dict) and ("user_query" in raw or "query_response_hit_ids" in raw):
        return parse_query(raw)
    raise BadEvent("is neither an event (no action_name) nor a query (no user_query)")
