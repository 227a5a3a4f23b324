"""`magpie catalog`: import, export, count and label items, and list conflicts of picture and text."""

from pathlib import Path
from typing import Any

import click

from magpie.web.cli.main import open_settings
from magpie.web.cli.output import as_json, print_facts, print_json, print_table, progress_on_stderr, say


@click.group()
def catalog() -> None:
    """Import, export, count and label items."""


@catalog.command("import")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
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
@as_json
@click.pass_context
def import_(ctx: click.Context, source: Path, images: Path | None, mapping: str, as_json: bool) -> None:
    """Import SOURCE: a .csv, .tsv, .jsonl or .parquet file, or a folder of pictures.

    Items with a known id are updated; rows that cannot be used are written to a rejects file with the reason.
    """
    from magpie.data.catalogue.catalogue import Catalogue
    from magpie.data.database.connection import open_database
    from magpie.data.feeds.import_feed import import_feed

    settings = open_settings(ctx)
    database = open_database(settings)
    with progress_on_stderr(is_quiet=as_json) as progress:
        report = import_feed(
            Catalogue(database, settings),
            source,
            images=images,
            mapping=_parse_mapping(mapping),
            on_progress=lambda rows, done, total: progress("import", done, total),
        )
    database.close()
    if as_json:
        print_json(report.as_dict())
        return
    print_facts({name: value for name, value in report.as_dict().items() if name != "rejects_file"})
    if report.rejects_file:
        say(f"Rejected rows, with reasons: {report.rejects_file}")
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


def _parse_mapping(text: str) -> dict[str, str]:
    """{"title": "product_name"} of "title=product_name,…". Raises click.BadParameter."""
    mapping = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        field, equals, column = pair.partition("=")
        if not (field.strip() and equals and column.strip()):
            raise click.BadParameter(f"{pair!r} is not FIELD=COLUMN", param_hint="--map")
        mapping[field.strip()] = column.strip()
    return mapping
