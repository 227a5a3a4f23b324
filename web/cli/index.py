"""`magpie index`: build an index of the catalogue, check it, switch between generations."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import click

from magpie.web.cli.main import open_settings
from magpie.web.cli.output import as_json, print_facts, print_json, print_table, progress_on_stderr, say


@click.group()
def index() -> None:
    """Build, check and switch the index."""


@index.command()
@click.option("--model", help="Encoder: magpie-mini, an open_clip name, or a folder.  [env MAGPIE_MODEL]")
@click.option("--pretrained", metavar="TAG|PATH", help="Weights for an open_clip name.")
@click.option(
    "--fusion",
    default="auto",
    show_default=True,
    help="How an item's parts become one vector: auto, average, concat or attention; the last two are trained.",
)
@click.option(
    "--index",
    "factory",
    default="auto",
    show_default=True,
    metavar="auto|FACTORY",
    help="Kind of dense index, or a FAISS factory string.",
)
@click.option("--language", metavar="CODE", help="Language of most texts; else guessed.  [env MAGPIE_LANGUAGE]")
@click.option("--full", is_flag=True, help="Encode and build everything anew, ignoring caches and unchanged files.")
@click.option("--accept-worse", is_flag=True, help="Publish even if the golden queries get worse results.")
@as_json
@click.pass_context
def rebuild(ctx: click.Context, /, factory: str, accept_worse: bool, as_json: bool, **options: Any) -> None:
    """Index the whole catalogue and publish the result; a running server loads it by itself."""
    from magpie.data.database.connection import open_database
    from magpie.indexer.generations.recall_check import warn_of_recall
    from magpie.indexer.rebuild import RebuildOptions
    from magpie.indexer.rebuild import rebuild as rebuild_index
    from magpie.search.evaluation.golden_queries import golden_judge
    from magpie.search.ranker_training.clicked_queries import gather_clicked_queries

    settings = open_settings(ctx)
    database = open_database(settings)
    wanted = RebuildOptions(index=factory, **options)
    judge = golden_judge(settings, database, accept_worse)
    clicked = partial(gather_clicked_queries, settings, database)
    with progress_on_stderr(is_quiet=as_json) as progress:
        report = rebuild_index(settings, database, wanted, progress, judge, clicked)
    database.close()
    if as_json:
        print_json(report.as_dict())
        return
    facts = report.as_dict()
    warning = warn_of_recall(facts)
    broken, mix = facts.pop("pictures_broken"), facts.pop("mix")
    print_facts(facts)
    if report.is_taken_over:
        say("Nothing has changed since the last rebuild, so its files are used again; --full builds them anew.")
    if broken:
        say(f"{len(broken)} pictures could not be decoded, for instance {next(iter(broken.items()))}")
    if warning:
        say(warning)
    click.echo(mix["verdict"])


@index.command()
@as_json
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Show the current generation, how it was built, and whether data it learned from was deleted since."""
    from contextlib import closing

    from magpie.data.database.connection import open_database
    from magpie.data.erasure.erase import forgotten_at
    from magpie.indexer.generations.store import describe_current, is_stale

    settings = open_settings(ctx)
    described = describe_current(settings)
    with closing(open_database(settings)) as database:
        described["stale"] = is_stale(described, forgotten_at(database))
    if as_json:
        print_json(described)
        return
    mix = described.pop("mix", None)
    print_facts(described)
    if mix:
        _show_mix(mix)


@index.command()
@as_json
@click.pass_context
def verify(ctx: click.Context, as_json: bool) -> None:
    """Check every file of the current generation against its checksum."""
    from magpie.indexer.generations.store import verify_current

    _show(verify_current(open_settings(ctx)), as_json)


@index.command()
@as_json
@click.pass_context
def rollback(ctx: click.Context, as_json: bool) -> None:
    """Go back to the generation before the current one."""
    from magpie.indexer.generations.store import roll_back

    _show({"generation": roll_back(open_settings(ctx))}, as_json)


@index.command()
@click.option("--keep", type=click.IntRange(1), default=3, show_default=True, help="Generations to keep.")
@as_json
@click.pass_context
def prune(ctx: click.Context, keep: int, as_json: bool) -> None:
    """Delete old generations."""
    from magpie.indexer.generations.store import prune as prune_generations

    _show({"deleted": prune_generations(open_settings(ctx), keep)}, as_json)


def _show_mix(mix: Mapping[str, Any]) -> None:
    """The mean nDCG@10 of the mix and of each part by kind of query, and the verdict."""
    judged = mix["judgement"]
    if judged:
        parts = ("mix", "words", "text", "image")
        rows = [[kind, str(of["queries"]), *(f"{of[part]:.3f}" for part in parts)] for kind, of in judged.items()]
        print_table(("kind of query", "queries", *parts), rows, right=("queries", *parts))
    click.echo(mix["verdict"])


def _show(facts: dict[str, object], as_json: bool) -> None:
    if as_json:
        print_json(facts)
    else:
        print_facts(facts)
