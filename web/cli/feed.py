"""`magpie feed`: name feeds that the server imports by itself, and look after their runs."""

import json
import re
import time
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import click

from magpie.web.cli.main import open_settings
from magpie.web.cli.output import as_json, print_json, print_table, say

_UNITS = {"m": 60, "h": 3_600, "d": 86_400}


@click.group()
def feed() -> None:
    """Name feeds that the server imports by itself."""


@feed.command()
@click.argument("source")
@click.option("--every", required=True, metavar="TIME", help="How often, such as 30m, 1h or 1d.")
@click.option("--name", help="A name for it.  [default: made from the source]")
@click.option("--option", "options", multiple=True, metavar="OPTION", help='As of catalog import: "--sync", "--map=…".')
@as_json
@click.pass_context
def add(ctx: click.Context, source: str, every: str, name: str | None, options: tuple[str, ...], as_json: bool) -> None:
    """Import SOURCE now and then, by a server that runs; a feed of the same name is replaced."""
    from magpie.data.feeds.named_feeds import NamedFeed, add_feed
    from magpie.web.cli.catalog import import_

    match = re.fullmatch(r"(\d{1,5})([mhd])", every)
    if not match:
        raise click.BadParameter(f"{every!r} is no time; write 30m, 1h or 1d", param_hint="--every")
    import_.make_context("import", [source, *options])  # refuses options that it does not know
    made = NamedFeed(name or _name_of(source), source, int(match[1]) * _UNITS[match[2]], list(options), time.time())
    add_feed(open_settings(ctx), made)
    if as_json:
        print_json({"name": made.name, "source": source, "every_s": made.every_s})
    else:
        say(f"{made.name}: imported every {every} while magpie serve runs; magpie feed run {made.name} does it now")


@feed.command("list")
@as_json
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List the feeds with their last runs."""
    from magpie.data.feeds.named_feeds import feed_runs, named_feeds
    from magpie.data.feeds.open_source import shown

    settings = open_settings(ctx)
    last = {run.name: run for run in feed_runs(settings)}
    rows = []
    for each in named_feeds(settings):
        run = last.get(each.name)
        began = datetime.fromtimestamp(run.began_at, UTC).isoformat(timespec="seconds") if run else None
        rows.append(
            {
                "name": each.name, "source": shown(each.source), "every_s": each.every_s, "options": each.options,
                "last_run": began, "fault": run.fault if run else None,
            }
        )  # fmt: skip
    if as_json:
        print_json({"feeds": rows})
    else:
        columns = ("name", "source", "every_s", "last_run", "fault")
        print_table(columns, [[str(row[name] or "") for name in columns] for row in rows], right=["every_s"])


@feed.command()
@click.argument("name")
@as_json
@click.pass_context
def remove(ctx: click.Context, name: str, as_json: bool) -> None:
    """Forget the feed NAME; its items stay."""
    from magpie.data.feeds.named_feeds import remove_feed

    remove_feed(open_settings(ctx), name)
    if as_json:
        print_json({"removed": name})
    else:
        say(f"{name} is imported no more; its items stay")


@feed.command()
@click.argument("name")
@as_json
@click.pass_context
def run(ctx: click.Context, name: str, as_json: bool) -> None:
    """Import the feed NAME now, and record the run."""
    from magpie.data.errors import MagpieError
    from magpie.data.feeds.named_feeds import FeedRun, find_feed, record_run
    from magpie.data.home.locks import lock_home
    from magpie.web.cli.catalog import import_source

    settings = open_settings(ctx)
    found = find_feed(settings, name)
    began, counts = time.time(), {}
    with lock_home(settings.home, f"feed-{name}"):
        fault = ""
        try:
            report = import_source(settings, found.source, _options_of(found.options), is_quiet=True)
            counts = {key: getattr(report, key) for key in ("read", "inserted", "updated", "unchanged", "rejected")}
            counts["removed"] = report.removed or 0
            fault = "" if report.num_taken else "no row could be taken"
        except MagpieError as error:
            fault = str(error)
            raise
        except BaseException as error:
            fault = type(error).__name__
            raise
        finally:
            record_run(settings, FeedRun(name, began, round(time.time() - began, 1), fault=fault[:500], **counts))
    if as_json:
        print_json(report.as_dict())
    else:
        say(f"{name}: {json.dumps(counts)}")
    if fault:
        raise click.ClickException(f"{name}: {fault}")


def _options_of(options: list[str]) -> dict[str, Any]:
    from magpie.web.cli.catalog import import_

    return import_.make_context("import", ["-", *options]).params


def _name_of(source: str) -> str:
    """A name made from an address or a path: "shop.example-products.json"."""
    parts = urlsplit(source)
    host = parts.hostname or ""
    words = "-".join(filter(None, (host, PurePosixPath(parts.path).name)))
    return re.sub(r"[^\w.-]+", "-", words or source)[:60].strip("-.") or "feed"
