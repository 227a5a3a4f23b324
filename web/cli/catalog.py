"""`magpie catalog`: import, export, count and label items, and list conflicts of picture and text."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from magpie.web.cli.main import open_settings
from magpie.web.cli.output import as_json, print_facts, print_json, print_table, progress_on_stderr, say

if TYPE_CHECKING:
    from magpie.data.feeds.import_feed import ImportReport
    from magpie.data.settings import Settings


@click.group()
def catalog() -> None:
    """Import, export, count and label items."""


@catalog.command("import")
@click.argument("source")
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that relative picture paths start from.  [default: the feed's folder]",
)
@click.option(
    "--map",
    "mapping",
    default="",
    metavar="FIELD=COLUMN,…",
    help="Which column holds which field, such as title=product_name,price=mrp.",
)
@click.option("--profile", default="auto", metavar="NAME", help="Who made the feed: auto, none, or a maker's name.")
@click.option("--language", "languages", metavar="CODE,…", default="", help="Languages wanted of texts in several.")
@click.option("--picture-pattern", default="", metavar="PATH", help='Where pictures lie, such as "images/{id:03}.png".')
@click.option("--picture-host", "picture_hosts", multiple=True, metavar="HOST", help="Fetch pictures from this host.")
@click.option("--table", metavar="NAME", help="Table of a database.")
@click.option("--query", metavar="SELECT", help="Query of a database, instead of a table.")
@click.option("--keep-variants", is_flag=True, help="Make each variant an item of its own, with group_id.")
@click.option("--dry-run", is_flag=True, help="Write nothing; say what each column is taken for.")
@click.option("--sync", is_flag=True, help="Also take out the items that the feed does not name.")
@click.option(
    "--sync-max",
    type=click.FloatRange(0, 1),
    default=0.3,
    show_default=True,
    help="Change nothing where --sync would take out more than this share of the items.",
)
@click.option("--force", is_flag=True, help="Take out as many as the feed does not name.")
@as_json
@click.pass_context
def import_(ctx: click.Context, /, source: str, images: Path | None, mapping: str, as_json: bool, **given: Any) -> None:
    """Import SOURCE: a file (.csv, .tsv, .txt, .json, .jsonl, .xml, .xlsx, .ods, .yaml, .parquet, also packed), a
    folder, an https:// or s3:// address, an SQLAlchemy URL with --table, or - for standard input.

    Items with a known id are updated; rows that cannot be used are written to a rejects file with the reason.
    """
    from magpie.data.errors import BadFeed
    from magpie.data.feeds.open_source import is_file

    if is_file(source) and not Path(source).exists():
        raise click.BadParameter(f"{source}: no such file or folder", param_hint="SOURCE")
    given |= {"images": images, "mapping": mapping}
    report = import_source(open_settings(ctx), source, given, is_quiet=as_json)
    _tell(report, as_json)
    if not report.num_taken:
        where = f"; see {report.rejects_file}" if report.rejects_file else ""
        raise BadFeed(f"{shown_source(source)}: no row could be taken{where}")


def import_source(settings: "Settings", source: str, given: dict[str, Any], is_quiet: bool) -> "ImportReport":
    """The report of importing a source with the options of `magpie catalog import`."""
    from magpie.data.catalogue.catalogue import Catalogue
    from magpie.data.database.connection import open_database
    from magpie.data.feeds.import_feed import Sync, import_feed
    from magpie.data.feeds.read_feed import FeedOptions

    if given["picture_hosts"]:
        named = ",".join(filter(None, (settings.picture_hosts, *given["picture_hosts"])))
        settings = settings.model_copy(update={"picture_hosts": named})
    options = FeedOptions(
        mapping=_parse_mapping(given["mapping"]),
        profile=given["profile"],
        languages=tuple(filter(None, (code.strip() for code in given["languages"].split(",")))),
        picture_pattern=given["picture_pattern"],
        table=given["table"],
        query=given["query"],
        keeps_variants=given["keep_variants"],
    )
    database = open_database(settings)
    try:
        with progress_on_stderr(is_quiet=is_quiet) as progress:
            return import_feed(
                Catalogue(database, settings),
                source,
                images=given["images"],
                options=options,
                on_progress=lambda rows, done, total: progress("import", done, total),
                sync=Sync(given["sync"], 1.0 if given["force"] else given["sync_max"]),
                is_dry_run=given["dry_run"],
            )
    finally:
        database.close()


def _tell(report: "ImportReport", as_json: bool) -> None:
    """Prints the report, and on stderr how the feed was understood and what is likely amiss."""
    for note in report.notes:
        say(f"Note: {note}")
    for warning in report.warnings:
        say(f"WARNING: {warning}")
    if as_json:
        print_json(report.as_dict())
    elif report.is_dry_run:
        names = ("column", "meaning", "type", "sample", "missing")
        rows = [
            [f"{each[name]:.0%}" if name == "missing" else str(each[name]) for name in names] for each in report.columns
        ]
        print_table(names, rows, right=["missing"])
        say(f"{report.num_taken:,} items of {report.read:,} rows; nothing was written")
    else:
        left_out = ("rejects_file", "notes", "warnings", "picture_hosts")
        print_facts({name: value for name, value in report.as_dict().items() if name not in left_out})
    if report.rejects_file:
        say(f"Rejected rows and notes: {report.rejects_file}")
    for host, number in list(report.picture_hosts.items())[:5]:
        say(f"{number:,} pictures lie at {host}; take them with --picture-host {host}")
    if report.num_taken and not report.is_dry_run:
        say("Next: magpie index rebuild")


@catalog.command()
@as_json
@click.pass_context
def stats(ctx: click.Context, as_json: bool) -> None:
    """Count the items, and show their attributes with their kinds, odd values and inferred labels."""
    from magpie.data.catalogue.catalogue import Catalogue
    from magpie.data.catalogue.inferred_labels import count_labels
    from magpie.data.database.connection import open_database

    settings = open_settings(ctx)
    database = open_database(settings)
    catalogue = Catalogue(database, settings)
    found = {
        "items": catalogue.count(),
        "revision": catalogue.revision(),
        "attributes": catalogue.attribute_kinds(),
        "odd_values": catalogue.odd_values(),
        "inferred": count_labels(database),
    }
    database.close()
    if as_json:
        print_json(found)
    else:
        print_facts(found)


@catalog.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@as_json
@click.pass_context
def export(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Write all items to FILE (.csv or .jsonl), which `catalog import` can read."""
    from magpie.data.catalogue.catalogue import Catalogue
    from magpie.data.database.connection import open_database
    from magpie.data.feeds.export_catalogue import export_catalogue

    settings = open_settings(ctx)
    database = open_database(settings)
    count = export_catalogue(Catalogue(database, settings), file)
    database.close()
    if as_json:
        print_json({"items": count, "file": str(file)})
    else:
        say(f"{count:,} items written to {file}")


@catalog.command()
@click.option("--limit", type=click.IntRange(1), help="List at most this many.")
@as_json
@click.pass_context
def conflicts(ctx: click.Context, limit: int | None, as_json: bool) -> None:
    """List items whose picture and text disagree, the least agreement first."""
    from magpie.indexer.generations.store import describe_current, read_conflicts

    settings = open_settings(ctx)
    found, about = read_conflicts(settings)[:limit], describe_current(settings)["conflicts"]
    if as_json:
        print_json({"conflicts": found, **about})
        return
    if about["flagged"]:
        say(f"{about['flagged']:,} items are flagged; about {about['precision']:.0%} of them should be wrong indeed.")
    rows = [[one["item_id"], f"{one['agreement']:.2f}", one["reason"], one["suggestion"]] for one in found]
    print_table(["item", "agreement", "reason", "suggestion"], rows, right=["agreement"])


@catalog.command()
@click.option("--field", required=True, help="The attribute to fill in for items that lack it.")
@click.option("--values", metavar="VALUE,…", help="The values to choose from, such as red,blue,green.")
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    default=0.8,
    show_default=True,
    help="Fill in only values that are at least this likely to be right.",
)
@click.option("--undo", is_flag=True, help="Remove the values that were filled in for this attribute.")
@as_json
@click.pass_context
def label(ctx: click.Context, field: str, values: str | None, min_confidence: float, undo: bool, as_json: bool) -> None:
    """Fill in a missing attribute from pictures and texts; values that the owner gave are never changed."""
    from magpie.data.database.connection import open_database

    if undo == (values is not None):
        raise click.UsageError("Give either --values, or --undo.")
    settings = open_settings(ctx)
    database = open_database(settings)
    if undo:
        from magpie.data.catalogue.inferred_labels import replace_labels

        found: dict[str, Any] = {"field": field, "removed": replace_labels(database, field, {})}
    else:
        from magpie.indexer.labelling.infer_labels import LabelRequest, label_items

        chosen = tuple(value.strip() for value in (values or "").split(","))
        with progress_on_stderr(is_quiet=as_json) as progress:
            found = label_items(settings, database, LabelRequest(field, chosen, min_confidence), progress).as_dict()
    database.close()
    if as_json:
        print_json(found)
    else:
        print_facts(found)
        say("A running server shows them within a second or so; the next magpie index rebuild adds them to the index")


def shown_source(source: str) -> str:
    from magpie.data.feeds.open_source import shown

    return shown(source)


def _parse_mapping(text: str) -> dict[str, str]:
    """{"title": "product_name"} of "title=product_name,…". Raises click.BadParameter."""
    mapping = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        field, equals, column = pair.partition("=")
        if not (field.strip() and equals and column.strip()):
            raise click.BadParameter(f"{pair!r} is not FIELD=COLUMN", param_hint="--map")
        mapping[field.strip()] = column.strip()
    return mapping
