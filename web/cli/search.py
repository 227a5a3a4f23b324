"""`magpie search`, `recommend` and `evaluate`: searching without a server."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from magpie.web.cli.main import open_settings
from magpie.web.cli.output import as_json, print_facts, print_json, print_table, say

if TYPE_CHECKING:
    from magpie.search.engine import SearchEngine
    from magpie.search.request import SearchResult, Understood

MODES = ("hybrid", "fused", "text", "image", "lexical")


@click.command()
@click.argument("text", default="")
@click.option("--image", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Search with this picture.")
@click.option("--like", metavar="ITEM", help="Search for items similar to this one.")
@click.option("--not", "not_text", metavar="TEXT", default="", help="What hits must not be about.")
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Repeatable; price=10..50 is a range, -colour=red excludes, colour=* asks for any value.",
)
@click.option("--read/--no-read", default=True, help="Whether prices, exclusions and the like are read in TEXT.")
@click.option("--literal", multiple=True, metavar="PART", help="A part of TEXT to take as plain words. Repeatable.")
@click.option("--prefix", is_flag=True, help="The last word is still being typed: find what begins with it, too.")
@click.option("-k", type=click.IntRange(1, 1000), default=10, show_default=True, help="Hits wanted.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Hits to skip.")
@click.option("--mode", type=click.Choice(MODES), default="hybrid", show_default=True)
@click.option(
    "--sort",
    default="relevance",
    show_default=True,
    help="relevance, price, title, newest or an attribute; - reverses.",
)
@click.option("--image-weight", type=click.FloatRange(0, 1), help="0: words only … 1: picture only.")
@click.option("--explain", is_flag=True, help="Show the parts of each score.")
@as_json
@click.pass_context
def search(ctx: click.Context, /, image: Path | None, filters: tuple[str, ...], as_json: bool, **fields: Any) -> None:
    """Search with TEXT, a picture, an item, or any mixture of them."""
    from magpie.data.errors import BadPicture
    from magpie.search.request import SearchRequest
    from magpie.web.api.answer_search import result_as_dict
    from magpie.web.api.filter_notation import parse_filter_parameters
    from magpie.web.api.search_requests import MAX_TEXT, checked

    if max(len(fields["text"]), len(fields["not_text"])) > MAX_TEXT:
        raise click.BadParameter(f"a query has at most {MAX_TEXT} characters", param_hint="TEXT")
    picture = image.read_bytes() if image else None
    if picture == b"":
        raise BadPicture(f"{image}: the file is empty")
    wanted = parse_filter_parameters([_as_parameter(one) for one in filters])
    request = checked(SearchRequest(picture=picture, filters=wanted, facets=as_json, **fields))
    with opened_engine(ctx) as engine:
        result = engine.search(request)
    if as_json:
        print_json(result_as_dict(result))
    else:
        _print_result(result)


@click.command()
@click.option("--item", default="", help="Recommend items beside this one.")
@click.option("--client", "--client-id", "client_id", metavar="ID", default="", help="Recommend items for this client.")
@click.option("-k", type=click.IntRange(1, 1000), default=10, show_default=True, help="Items wanted.")
@as_json
@click.pass_context
def recommend(ctx: click.Context, item: str, client_id: str, k: int, as_json: bool) -> None:
    """Recommend items beside an item, or for a person by what they chose before."""
    from magpie.data.catalogue.catalogue import Catalogue
    from magpie.data.database.connection import open_database
    from magpie.search.recommendations.recommender import Recommender
    from magpie.web.api.answer_search import result_as_dict

    if not item and not client_id:
        raise click.UsageError("Nothing to recommend for: give --item or --client.")
    settings = open_settings(ctx)
    database = open_database(settings)
    try:
        with opened_engine(ctx) as engine:
            recommender = Recommender(database, Catalogue(database, settings), engine)
            found = recommender.beside(item, k, client_id) if item else recommender.for_person(client_id, k=k)
    finally:
        database.close()
    if as_json:
        print_json(result_as_dict(found.result))
    else:
        _print_result(found.result)


@click.command()
@click.option(
    "--queries",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='JSONL: {"query_id", "text"?, "image"?, "like"?, "not"?, "filters"?}.',
)
@click.option(
    "--qrels",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TREC: query_id 0 item_id grade.",
)
@click.option("--measures", default="nDCG@10 P@10 R@100", show_default=True, help="In ir-measures' notation.")
@click.option("--mode", type=click.Choice(MODES), default="hybrid", show_default=True)
@click.option("--rerank/--no-rerank", default=True, help="Whether the ranker trained on clicks may change the order.")
@click.option("--depth", type=click.IntRange(1, 1000), default=100, show_default=True, help="Hits a query.")
@click.option("--run-out", type=click.Path(dir_okay=False, path_type=Path), help="Write the rankings as a TREC run.")
@as_json
@click.pass_context
def evaluate(
    ctx: click.Context,
    queries: Path,
    qrels: Path,
    measures: str,
    mode: str,
    rerank: bool,
    depth: int,
    run_out: Path | None,
    as_json: bool,
) -> None:
    """Measure the ranking against judgments."""
    from magpie.search.evaluation.evaluate import EvaluationOptions
    from magpie.search.evaluation.evaluate import evaluate as measure

    options = EvaluationOptions(measures=measures, mode=mode, rerank=rerank, depth=depth, run_out=run_out)
    with opened_engine(ctx) as engine:
        found = measure(engine, queries, qrels, options).as_dict()
    for note in found["notes"]:
        say(note)
    if as_json:
        print_json(found)
    else:
        del found["notes"]
        print_facts({**{name: f"{value:.4f}" for name, value in found.pop("measures").items()}, **found})


@contextmanager
def opened_engine(ctx: click.Context) -> "Iterator[SearchEngine]":
    """The search engine on the command line's home. Raises NoIndex when there is no index."""
    from magpie.data.database.connection import open_database
    from magpie.search.engine import SearchEngine

    settings = open_settings(ctx).model_copy(update={"rerank_limit_ms": 0.0})  # no time budget on the command line
    database = open_database(settings)
    engine = SearchEngine(settings, database)
    try:
        engine.refresh()
        yield engine
    finally:
        engine.close()
        database.close()


def _as_parameter(given: str) -> str:
    """The filter `colour=Red` in the notation of addresses: `colour:Red`, in which it may come as well.

    Raises click.BadParameter.
    """
    field, equals, value = given.partition("=")
    if not equals and ":" in given:
        return given
    if not equals or not field:
        raise click.BadParameter(f"{given!r} is not FIELD=VALUE", param_hint="--filter")
    return field.replace("\\", "\\\\").replace(":", "\\:") + ":" + value


def _print_result(result: "SearchResult") -> None:
    from magpie.web.page.cards import price_label

    if not result.confident:
        click.echo("Nothing really matches. The nearest there is:")
    rows = []
    for hit in result.hits:
        why = "  ".join(f"{name} {value:+.3f}" for name, value in (hit.explain or {}).items())
        rows.append(
            [str(hit.position), f"{hit.score:.3f}", hit.item_id, hit.title, price_label(hit.price, hit.currency), why]
        )
    columns = ["", "score", "item", "title", "price", "why"]
    used = [at for at in range(len(columns)) if any(row[at] for row in rows)]
    print_table([columns[at] for at in used], [[row[at] for at in used] for row in rows], right=["", "score", "price"])
    click.echo(f"{len(result.hits)} of {result.total:,}, {result.took_ms:.1f} ms")
    for notice in result.notices:
        click.echo(notice)
    if result.did_you_mean:
        click.echo(f"Did you mean: {result.did_you_mean}")
    for one in result.understood:
        if one.kind == "synonym":
            click.echo(f"Also searched for {one.text!r}: {', '.join(one.words)}")
        elif one.kind != "value":  # a value of the catalogue means itself
            click.echo(f"Read {one.text!r} as {_meaning(one)}")


def _meaning(one: "Understood") -> str:
    """What a part of the query was read as, in words: `price: at most 50`, `exclusion: glass`."""
    words = {"gte": "at least", "gt": "more than", "lte": "at most", "lt": "less than"}
    if isinstance(one.filter, Mapping):
        limits = (f"{words[operator]} {end:g}" for operator, end in one.filter.items())
        return f"{one.field}: {', '.join(limits)}"
    return f"{one.field or one.kind}: {', '.join(one.words or one.filter or [one.kind])}"
