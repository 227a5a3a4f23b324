"""`magpie serve`, and `magpie demo`, which does everything from the first picture to the search page."""

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from magpie.web.cli.main import open_settings
from magpie.web.cli.output import progress_on_stderr, say

DEMO = Path(__file__).parents[2] / "data" / "demo"

_PORT = click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
_TRUST_LOOPBACK = click.option(
    "--trust-loopback",
    is_flag=True,
    default=None,
    help="Let programs on this machine write and read figures without a token.  [env MAGPIE_TRUST_LOOPBACK]",
)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for every network.")
@_PORT
@click.option(
    "--threads", type=click.IntRange(1, 256), help="Threads that answer requests.  [env MAGPIE_THREADS, default 4]"
)
@click.option(
    "--workers",
    metavar="N|auto",
    help="Processes that answer requests; auto: one a core.  [env MAGPIE_WORKERS, default 1]",
)
@click.option(
    "--compare",
    nargs=2,
    metavar="A B",
    help="Interleave two rankings, to see which one people click more: first-stage, current, or versions of rankers.",
)
@_TRUST_LOOPBACK
@click.pass_context
def serve(
    ctx: click.Context,
    host: str,
    port: int,
    threads: int | None,
    workers: str | None,
    compare: tuple[str, str] | None,
    trust_loopback: bool | None,
) -> None:
    """Serve the search page and the HTTP interface, until Ctrl-C."""
    from magpie.web.serve import serve as run_server

    compared = " ".join(compare) if compare else None
    settings = open_settings(
        ctx, threads=threads, workers=workers, compare=compared, trust_loopback=trust_loopback or None
    )
    if settings.compare:
        from magpie.search.ranker.named_rankings import find_rankings

        settings = settings.model_copy(update={"compare": find_rankings(settings, settings.compare)})
    run_server(settings, host, port, partial(_announce, settings))


@click.command()
@_PORT
@click.option("--no-serve", is_flag=True, help="Import and index only.")
@_TRUST_LOOPBACK
@click.pass_context
def demo(ctx: click.Context, port: int, no_serve: bool, trust_loopback: bool | None) -> None:
    """Search the demo catalogue: import it, index it, serve it."""
    from magpie.data.errors import BadFeed

    feed = DEMO / "catalog.csv"
    if not feed.is_file():
        raise BadFeed(
            f"The demo catalogue is not in this installation ({feed} is missing); "
            "`magpie catalog import` takes your own"
        )
    settings = open_settings(ctx, trust_loopback=trust_loopback or None)
    if no_serve:
        _build_demo(settings, feed)
        return
    from magpie.web.serve import serve as run_server
    from magpie.web.server.listener import check_address

    check_address("127.0.0.1", port)
    # in a process of its own: the server forks, and a fork of a process that has used torch hangs
    build = [
        sys.executable,
        "-P",
        "-m",
        "magpie",
        "--home",
        str(settings.home),
        "demo",
        "--no-serve",
    ]
    status = subprocess.run(build, check=False).returncode
    if status:
        ctx.exit(status)
    run_server(settings, "127.0.0.1", port, partial(_announce, settings))


def _build_demo(settings: Any, feed: Path) -> None:
    """Imports the demo's items, and indexes them unless the index shows them already."""
    from magpie.data.catalogue.catalogue import Catalogue
    from magpie.data.database.connection import open_database
    from magpie.data.feeds.import_feed import import_feed

    database = open_database(settings)
    try:
        catalogue = Catalogue(database, settings)
        with progress_on_stderr() as progress:
            report = import_feed(catalogue, feed, on_progress=lambda rows, done, total: progress("import", done, total))
        say(f"{catalogue.count():,} items in the catalogue ({report.inserted + report.updated:,} new or changed)")
        if _is_indexed(settings, catalogue.revision()):
            return
        from magpie.indexer.rebuild import rebuild

        with progress_on_stderr() as progress:
            built = rebuild(settings, database, progress=progress)
        say(f"Indexed {built.items:,} items in {built.seconds:.0f} s")
    finally:
        database.close()


def _is_indexed(settings: Any, revision: int) -> bool:
    """Whether the current generation shows this state of the catalogue, in vectors of the encoder at hand."""
    from magpie.data.errors import MagpieError
    from magpie.indexer.encoder.encoder import open_encoder
    from magpie.indexer.generations.store import describe_current

    try:
        about = describe_current(settings)
        encoder = open_encoder(settings.model, settings.pretrained, home=settings.home)
    except MagpieError:
        return False
    return bool(about["catalogue_revision"] == revision and about["fingerprint"] == encoder.spec.fingerprint)


def _announce(settings: Any, url: str) -> None:
    """Says where the page is; on a terminal also the owner's way in, which no log may hold."""
    from magpie.data.database.owner_token import make_owner_token
    from magpie.web.middleware.owner_link import owner_link

    click.echo(f"Magpie answers at {url}  (Ctrl-C ends it)")
    if sys.stdout.isatty():
        click.echo(f"Insights, once and within an hour: {owner_link(url, make_owner_token(settings.home))}")
