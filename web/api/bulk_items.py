"""Upserts or changes items sent as lines of JSON (NDJSON), and answers each line with what became of it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from flask import Response, request
from pydantic import TypeAdapter, ValidationError

from magpie.data.catalogue.catalogue import Catalogue, PictureFault
from magpie.data.catalogue.items import MAX_TEXT_BYTES, ItemDraft
from magpie.data.catalogue.patch import ItemPatch
from magpie.data.catalogue.upsert import Outcome, UpsertWatch
from magpie.data.errors import BadInput, BadItem, MagpieError, TooLarge
from magpie.web.api.item_drafts import ANYWHERE, drafts_of
from magpie.web.api.item_schemas import MAX_BULK_LINES, NamedItemBody, NamedItemPatchBody
from magpie.web.api.json_text import parse_json
from magpie.web.api.openapi import NDJSON
from magpie.web.api.problems import describe_wrong_fields

_ITEM = TypeAdapter(NamedItemBody)
_PATCH = TypeAdapter(NamedItemPatchBody)


def put_lines(catalogue: Catalogue) -> Response:
    """Upserts every line of the request body that is a valid item; the response has a line of JSON for each.

    Lines answered as written are on disk. Raises TooLarge for more than MAX_BULK_LINES lines, BadInput for none.
    """
    results = _Results()
    bodies = dict(_bodies(_numbered_lines(request.get_data(cache=False)), results))
    drafts = zip(bodies, drafts_of(catalogue, list(bodies.values())), strict=True)
    sound = [replace(draft, line=number) for number, draft in drafts if _is_storable(draft, number, results)]
    catalogue.upsert(sound, ANYWHERE, UpsertWatch(on_fault=results.lacks, on_outcome=results.written))
    return Response(results.lines(), mimetype=NDJSON)


def patch_lines(catalogue: Catalogue) -> Response:
    """Changes the items that the lines of the request body name; the response has a line of JSON for each.

    Lines of the same item act one after the other. Raises as `put_lines`.
    """
    results = _Results()
    patches = [patch for line in _numbered_lines(request.get_data(cache=False)) if (patch := _patch(*line, results))]
    watch = UpsertWatch(on_fault=results.lacks, on_outcome=results.written)
    catalogue.patch(patches, ANYWHERE, watch, results.refused)
    return Response(results.lines(), mimetype=NDJSON)


def _patch(number: int, line: bytes, results: "_Results") -> ItemPatch | None:
    """The patch of a line, None where it is rejected."""
    sent: Any = None
    try:
        sent = parse_json(line, MAX_TEXT_BYTES, "the line")
        body = _PATCH.validate_python(sent)
    except (ValidationError, BadInput) as error:
        named = sent.get("item_id") if isinstance(sent, dict) else None
        reason = describe_wrong_fields(error) if isinstance(error, ValidationError) else str(error)
        results.rejected(number, reason, named if isinstance(named, str) else "")
        return None
    return body.to_patch(body.item_id, number)


class _Results:
    """The outcome of each line, by line number."""

    def __init__(self) -> None:
        self._of_line: dict[int, dict[str, Any]] = {}
        self._faults: dict[int, str] = {}

    def lacks(self, fault: PictureFault) -> None:
        self._faults.setdefault(fault.line, f"without a picture: {fault.path} {fault.reason}")

    def written(self, draft: ItemDraft, outcome: Outcome) -> None:
        fault = {"detail": self._faults[draft.line]} if draft.line in self._faults else {}
        self._of_line[draft.line] = {"line": draft.line, "item_id": draft.item_id, "result": outcome, **fault}

    def rejected(self, number: int, reason: str, item_id: str = "") -> None:
        named = {"item_id": item_id} if item_id else {}
        self._of_line[number] = {"line": number, **named, "result": "rejected", "detail": reason}

    def refused(self, patch: ItemPatch, error: MagpieError) -> None:
        self.rejected(patch.line, str(error), patch.item_id)

    def lines(self) -> str:
        ordered = (self._of_line[number] for number in sorted(self._of_line))
        return "".join(json.dumps(result, ensure_ascii=False) + "\n" for result in ordered)


def _numbered_lines(body: bytes) -> Sequence[tuple[int, bytes]]:
    numbered = [(number, line) for number, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    if len(numbered) > MAX_BULK_LINES:
        raise TooLarge(f"{len(numbered):,} lines came, at most {MAX_BULK_LINES:,} are taken; send them in parts")
    if not numbered:
        raise BadInput("The body holds no line. Send one item a line, as JSON.")
    return numbered


def _bodies(lines: Sequence[tuple[int, bytes]], results: _Results) -> Iterator[tuple[int, NamedItemBody]]:
    """Line number and body of the valid lines; of lines with the same id only the first."""
    seen: dict[str, int] = {}
    for number, line in lines:
        try:
            body = _ITEM.validate_python(parse_json(line, MAX_TEXT_BYTES, "the line"))
        except ValidationError as error:
            results.rejected(number, describe_wrong_fields(error))
            continue
        except BadInput as error:
            results.rejected(number, str(error))
            continue
        if body.item_id in seen:
            results.rejected(number, f"item_id: {body.item_id!r} stands in line {seen[body.item_id]} already")
            continue
        seen[body.item_id] = number
        yield number, body


def _is_storable(draft: ItemDraft, number: int, results: _Results) -> bool:
    try:
        _ = draft.canonical
    except BadItem as error:
        results.rejected(number, str(error))
        return False
    return True
