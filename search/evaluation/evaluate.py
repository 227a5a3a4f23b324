"""`magpie evaluate`: searches queries with relevance judgments, and computes measures (ir-measures) and a TREC run."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ir_measures

from magpie.data.errors import BadQuery
from magpie.search.engine import SearchEngine
from magpie.search.request import SearchRequest

DEFAULT_MEASURES = "nDCG@10 P@10 R@100"
_SEARCHED = ("text", "image", "like", "not", "filters")
_FIELDS = {"query_id", *_SEARCHED}
_QRELS_COLUMNS = 4


@dataclass(frozen=True)
class EvaluationOptions:
    """The options of an evaluation: `depth` results a query, `run_out` a file for the TREC run."""

    measures: str = DEFAULT_MEASURES
    mode: str = "hybrid"
    rerank: bool = True
    depth: int = 100
    run_out: Path | None = None


@dataclass(frozen=True)
class EvaluationReport:
    """Means over all queries with judgments; a query without results counts as zero.

    `notes` say what of the files was not read: fields of queries and columns of judgments that Magpie does not know.
    """

    measures: dict[str, float]
    num_queries: int
    mode: str
    unjudged: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {
            "measures": self.measures,
            "num_queries": self.num_queries,
            "mode": self.mode,
            "unjudged": self.unjudged,
            "notes": self.notes,
        }


def evaluate(engine: SearchEngine, queries: Path, qrels: Path, options: EvaluationOptions) -> EvaluationReport:
    """Searches every query and compares with the judgments. Raises BadQuery naming the file and line of a fault."""
    measures = parse_measures(options.measures)
    judgments = list(read_qrels(qrels))
    run, asked = [], set()
    for query_id, request in read_queries(queries, options):
        asked.add(query_id)
        hits = engine.search(request).hits
        run += [ir_measures.ScoredDoc(query_id, hit.item_id, -float(hit.position)) for hit in hits]
    if options.run_out:
        write_run(options.run_out, run)
    judged = {judgment.query_id for judgment in judgments}
    relevant = [j for j in judgments if j.query_id in asked]
    found = ir_measures.calc_aggregate(measures, relevant, run) if relevant else {}
    return EvaluationReport(
        {str(m): round(float(found[m]), 6) for m in measures if m in found},
        len(asked & judged),
        options.mode,
        sorted(asked - judged),
        [*note_unknown_fields(queries), *note_further_columns(qrels)],
    )


def parse_measures(text: str) -> list[Any]:
    """The measures named in ir-measures' notation, such as "nDCG@10 P@10". Raises BadQuery."""
    try:
        measures = [ir_measures.parse_measure(name) for name in text.replace(",", " ").split()]
    except (NameError, ValueError, SyntaxError, KeyError) as error:
        raise BadQuery(
            f"--measures {text!r} is not in ir-measures' notation, such as 'nDCG@10 P@10 R@100': {error}"
        ) from error
    if not measures:
        raise BadQuery("--measures is empty; give for example 'nDCG@10 P@10 R@100'.")
    return measures


def read_queries(path: Path, options: EvaluationOptions) -> Iterator[tuple[str, SearchRequest]]:
    """The queries of a JSONL file as requests. Image paths are relative to the file.

    Fields that are not known are left out (`note_unknown_fields` names them). Raises BadQuery, also for a line that has
    such fields and nothing to search for: they may be misspelt.
    """
    for number, query in _queries(path):
        unknown = set(query) - _FIELDS
        if unknown and not any(query.get(name) for name in _SEARCHED):
            raise BadQuery(
                f"{path}, line {number}: nothing to search for beside the unknown fields {', '.join(sorted(unknown))}; "
                f"known: {', '.join(sorted(_FIELDS))}."
            )
        yield (
            str(query["query_id"]),
            SearchRequest(
                text=query.get("text") or "",
                picture=_read_picture(path, number, query.get("image")),
                like=query.get("like") or None,
                not_text=query.get("not") or "",
                filters=query.get("filters") or {},
                k=options.depth,
                mode=options.mode,
                rerank=options.rerank,
                facets=False,
            ),
        )


def note_unknown_fields(path: Path) -> list[str]:
    """A note for each field of a query file that is not known: how many lines have it, and the first of them."""
    lines: dict[str, list[int]] = {}
    for number, query in _queries(path):
        for name in query.keys() - _FIELDS:
            lines.setdefault(name, []).append(number)
    return [
        f"{path}: the field {name!r} is not known and was not used (lines: {len(at)}, the first: {at[0]})"
        for name, at in sorted(lines.items())
    ]


def note_further_columns(path: Path) -> list[str]:
    """A note where lines of a qrels file have more than its four columns; none where no line has."""
    at = [number for number, line in enumerate(_lines(path), 1) if len(line.split()) > _QRELS_COLUMNS]
    return [f"{path}: columns after the grade were not used (lines: {len(at)}, the first: {at[0]})"] if at else []


def read_qrels(path: Path) -> Iterator[Any]:
    """The judgments of a TREC qrels file: `query_id 0 item_id grade` a line. Raises BadQuery.

    Further columns are left out (`note_further_columns` says so).
    """
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            query_id, _, item_id, grade = line.split()[:_QRELS_COLUMNS]
            yield ir_measures.Qrel(query_id, item_id, int(grade))
        except ValueError as error:
            raise BadQuery(f"{path}, line {number}: not `query_id 0 item_id grade`.") from error


def write_run(path: Path, run: Sequence[Any]) -> None:
    """Writes a TREC run (`query_id Q0 item_id rank score tag`), beside its place and renamed."""
    beside = path.with_name(path.name + ".new")
    with beside.open("w", encoding="utf-8") as file:
        for doc in run:
            file.write(f"{doc.query_id} Q0 {doc.doc_id} {int(-doc.score)} {doc.score} magpie\n")
    beside.replace(path)


def _read_picture(path: Path, number: int, name: str | None) -> bytes | None:
    if not name:
        return None
    try:
        return (path.parent / name).read_bytes()
    except OSError as error:
        raise BadQuery(f"{path}, line {number}: the picture {name} cannot be read ({error.strerror}).") from error


def _queries(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines of a query file by number (from 1), each an object with a query_id. Raises BadQuery."""
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            query = json.loads(line)
            if not isinstance(query, dict) or "query_id" not in query:
                raise ValueError("query_id is missing")
        except ValueError as error:
            raise BadQuery(f"{path}, line {number}: not a JSON object with a query_id ({error}).") from error
        yield number, query


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BadQuery(f"{path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise BadQuery(f"{path} is not in UTF-8.") from error
