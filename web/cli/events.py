"""`magpie events`: imports and exports searches and events as UBI NDJSON, and deletes old or a client's ones."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from magpie.web.cli.main import open_settings
from magpie.web.cli.output import as_json, print_facts, print_json, progress_on_stderr, say

if TYPE_CHECKING:
    from magpie.data.erasure.erase import Forgotten
    from magpie.data.events.event_log import EventLog

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@click.group()
def events() -> None:
    """Import, export and delete searches and events."""


@events.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_json
@click.pass_context
def import_(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Import FILE: OpenSearch UBI as NDJSON, one query or event a line."""
    from magpie.data.spam.click_spam import filter_spam

    settings = open_settings(ctx)
    with _event_log(ctx) as log, progress_on_stderr(is_quiet=as_json) as progress:
        counts = log.import_lines(
            file, settings.rejects_dir, filter_spam, lambda done, total: progress("import", done, total)
        )
    _show(counts, as_json)


@events.command()
@click.pass_context
def export(ctx: click.Context) -> None:
    """Print all stored queries and events as NDJSON."""
    with _event_log(ctx) as log:
        for record in log.export():
            click.echo(json.dumps(record, ensure_ascii=False))


@events.command()
@click.option("--older-than", required=True, metavar="90d", help="Age, such as 90d, 12h or 6w.")
@as_json
@click.pass_context
def purge(ctx: click.Context, older_than: str, as_json: bool) -> None:
    """Delete searches and events older than an age, for good."""
    age = re.fullmatch(r"(\d{1,6})([smhdw])", older_than)
    if not age:
        raise click.BadParameter(f"{older_than!r} is no age; write 90d, 12h or 6w", param_hint="--older-than")
    from magpie.data.erasure.erase import purge as purge_log

    before = datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
    with _event_log(ctx) as log:
        gone = purge_log(log.database, before)
    _show(gone, as_json)
    _say_what_is_stale(ctx, gone)


@events.command()
@click.option("--client-id", required=True, help="The client_id in its events.")
@as_json
@click.pass_context
def forget(ctx: click.Context, client_id: str, as_json: bool) -> None:
    """Delete all searches and events of one client, for good."""
    from magpie.data.erasure.erase import forget_client

    with _event_log(ctx) as log:
        gone = forget_client(log.database, client_id)
    _show(gone, as_json)
    _say_what_is_stale(ctx, gone)


def _say_what_is_stale(ctx: click.Context, gone: "Forgotten") -> None:
    settings = open_settings(ctx)
    if not (gone.queries or gone.events):
        return
    if settings.rankers_dir.is_dir() and any(settings.rankers_dir.iterdir()):
        say("A ranker learned from these records. `magpie train ranker` replaces it.")
    if settings.current_file.is_file():
        say("The index may have learned from these records. `magpie index rebuild` replaces it.")


@contextmanager
def _event_log(ctx: click.Context) -> "Iterator[EventLog]":
    from magpie.data.database.connection import open_database
    from magpie.data.events.event_log import EventLog

    database = open_database(open_settings(ctx))
    try:
        yield EventLog(database)
    finally:
        database.close()


def _show(counts: object, as_json: bool) -> None:
    from dataclasses import asdict, is_dataclass

    facts = asdict(counts) if is_dataclass(counts) and not isinstance(counts, type) else counts
    if as_json:
        print_json(facts)
    elif isinstance(facts, dict):
        print_facts(facts)
