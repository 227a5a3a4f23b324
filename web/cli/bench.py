"""`magpie bench`: measures how fast a home encodes and searches on this machine."""

from dataclasses import asdict
from typing import Any

import click

from magpie.web.cli.main import open_settings
from magpie.web.cli.output import as_json, print_facts, print_json, progress_on_stderr, say


@click.command()
@click.option("--queries", type=click.IntRange(10, 100_000), default=500, show_default=True, help="Searches to time.")
@as_json
@click.pass_context
def bench(ctx: click.Context, queries: int, as_json: bool) -> None:
    """Time encoding and searching on this home, one query at a time, in one process."""
    from magpie.data.catalogue.catalogue import Catalogue
    from magpie.data.database.connection import open_database
    from magpie.search.engine import SearchEngine
    from magpie.search.evaluation.latency_benchmark import measure_speed

    settings = open_settings(ctx)
    database = open_database(settings)
    engine = SearchEngine(settings, database)
    try:
        with progress_on_stderr(is_quiet=as_json) as progress:
            speed = asdict(measure_speed(engine, Catalogue(database, settings), queries, progress))
    finally:
        engine.close()
        database.close()
    if as_json:
        print_json(speed)
        return
    notes = speed.pop("notes")
    print_facts({name: _one_line(value) for name, value in speed.items() if value is not None})
    for note in notes:
        say(note)


def _one_line(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return f"p50 {value['p50_ms']} ms, p90 {value['p90_ms']} ms, p99 {value['p99_ms']} ms ({value['count']} times)"
