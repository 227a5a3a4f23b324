"""`magpie token`: creates, lists and revokes tokens for writing, for reading figures, and for sending events."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from magpie.data.database.api_tokens import SCOPES, create_token, read_tokens, revoke_token
from magpie.data.events.ubi import format_timestamp
from magpie.web.cli.main import open_settings
from magpie.web.cli.output import as_json, print_json, print_table, say

if TYPE_CHECKING:
    from magpie.data.database.connection import Database


@click.group()
def token() -> None:
    """Create, list and revoke the tokens for writing and reading figures."""


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    required=True,
    help="What it allows; repeatable.",
)
@as_json
@click.pass_context
def create(ctx: click.Context, name: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Create a token called NAME and print it; it is never shown again."""
    with _database(ctx) as database:
        made = create_token(database, name, scopes)
    if as_json:
        print_json({"name": name, "scopes": list(scopes), "token": made})
        return
    click.echo(made)
    say("Keep it safe: it is not shown again.")


@token.command("list")
@as_json
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List the names and scopes of the tokens."""
    with _database(ctx) as database:
        bearers = [known.bearer for known in read_tokens(database)]
    rows = [(one.name, " ".join(one.scopes), format_timestamp(one.created_at)) for one in bearers]
    if as_json:
        shown = [{"name": name, "scopes": scopes.split(), "created_at": made} for name, scopes, made in rows]
        print_json({"tokens": shown})
    else:
        print_table(["name", "scopes", "created at"], rows)


@token.command()
@click.argument("name")
@as_json
@click.pass_context
def revoke(ctx: click.Context, name: str, as_json: bool) -> None:
    """Revoke the token called NAME; a running server refuses it within a second."""
    with _database(ctx) as database:
        revoke_token(database, name)
    if as_json:
        print_json({"revoked": name})
    else:
        say(f"The token {name} is revoked.")


@token.command()
@click.option("--url", default="http://127.0.0.1:8000/", show_default=True, help="The address of the search page.")
@as_json
@click.pass_context
def link(ctx: click.Context, url: str, as_json: bool) -> None:
    """Print a link that lets a browser read the insights; it opens once, within an hour."""
    from magpie.data.database.owner_token import make_owner_token
    from magpie.web.middleware.owner_link import owner_link

    if not url.startswith(("http://", "https://")):
        raise click.BadParameter(f"{url!r} is no address; write http://127.0.0.1:8000/", param_hint="--url")
    made = owner_link(url, make_owner_token(open_settings(ctx).home))
    if as_json:
        print_json({"link": made})
    else:
        click.echo(made)


@contextmanager
def _database(ctx: click.Context) -> "Iterator[Database]":
    from magpie.data.database.connection import open_database

    database = open_database(open_settings(ctx))
    try:
        yield database
    finally:
        database.close()
