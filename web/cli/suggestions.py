"""`magpie suggestions`: says what is suggested to nobody; a running server follows at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from magpie.web.cli.main import open_settings
from magpie.web.cli.output import as_json, print_json, say

if TYPE_CHECKING:
    from magpie.data.database.connection import Database

_PHRASES = click.argument("phrases", metavar="PHRASE...", nargs=-1, required=True)


@click.group()
def suggestions() -> None:
    """Block what is suggested to people who type."""


@suggestions.command()
@_PHRASES
@as_json
@click.pass_context
def block(ctx: click.Context, phrases: tuple[str, ...], as_json: bool) -> None:
    """Suggest nothing that holds a PHRASE, a word or several."""
    from magpie.data.aggregates.blocked_phrases import block_phrases

    with _database(ctx) as database:
        blocked = block_phrases(database, phrases)
    if as_json:
        print_json({"blocked": blocked})
    else:
        say(f"Blocked: {', '.join(blocked) or 'nothing new'}")


@suggestions.command()
@_PHRASES
@as_json
@click.pass_context
def unblock(ctx: click.Context, phrases: tuple[str, ...], as_json: bool) -> None:
    """Suggest a PHRASE again."""
    from magpie.data.aggregates.blocked_phrases import unblock_phrases

    with _database(ctx) as database:
        unblocked = unblock_phrases(database, phrases)
    if as_json:
        print_json({"unblocked": unblocked})
    else:
        say(f"Unblocked: {', '.join(unblocked)}")


@suggestions.command("list")
@as_json
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List the blocked phrases."""
    from magpie.data.aggregates.blocked_phrases import read_blocked_phrases

    with _database(ctx) as database:
        blocked = read_blocked_phrases(database)
    if as_json:
        print_json({"blocked": blocked})
    else:
        click.echo("".join(f"{phrase}\n" for phrase in blocked), nl=False)


@contextmanager
def _database(ctx: click.Context) -> "Iterator[Database]":
    from magpie.data.database.connection import open_database

    database = open_database(open_settings(ctx))
    try:
        yield database
    finally:
        database.close()
