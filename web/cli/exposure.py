"""`magpie report exposure` and `comparison`: who is seen, and which of two rankings people click more."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from magpie.web.cli.main import open_settings
from magpie.web.cli.output import as_json, print_json, print_table, say


@click.command()
@click.option("--by", required=True, metavar="FIELD", help="Attribute, or category, whose values are compared.")
@click.option("--days", type=click.IntRange(1), default=30, show_default=True, help="Days of the log that count.")
@click.option("--new-days", type=click.IntRange(1), default=7, show_default=True, help="Days an item is new.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Rows to print; JSON has all.")
@as_json
@click.pass_context
def exposure(ctx: click.Context, by: str, days: int, new_days: int, limit: int, as_json: bool) -> None:
    """Compare how much is seen of each value with how much people like it."""
    from magpie.data.catalogue.catalogue import Catalogue
    from magpie.data.database.connection import open_database
    from magpie.search.reports.exposure_fairness import report_exposure

    settings = open_settings(ctx)
    database = open_database(settings)
    try:
        found = report_exposure(database, Catalogue(database, settings), by, days, new_days)
    finally:
        database.close()
    if as_json:
        print_json(found.as_dict())
        return
    columns = [by, "items", "of items", "of what is seen", "of choices", "of merit", "seen per merit"]
    rows = [
        [
            group.value,
            f"{group.items:,}",
            *(
                f"{share:.1%}"
                for share in (group.items_share, group.exposure_share, group.people_share, group.merit_share)
            ),
            f"{group.ratio:.2f}" if group.ratio is not None else "–",
        ]
        for group in found.groups[:limit]
    ]
    print_table(columns, rows, right=columns[1:])
    new = found.new_items
    click.echo(
        f"New within {new.days} days: {new.items:,} items ({new.items_share:.1%}), {new.exposure_share:.1%} of what is "
        f"seen, {new.people_share:.1%} of choices; {new.never_shown:,} were never shown"
    )
    if not found.impressions:
        say(f"The log holds no search of the last {days} days.")


@click.command()
@as_json
@click.pass_context
def comparison(ctx: click.Context, as_json: bool) -> None:
    """Say which of two interleaved rankings people click more, and how sure that is."""
    from dataclasses import asdict

    from magpie.data.database.connection import open_database
    from magpie.search.reports.interleaving_report import read_comparisons

    database = open_database(open_settings(ctx))
    try:
        found = [asdict(one) for one in read_comparisons(database)]
    finally:
        database.close()
    if as_json:
        print_json({"comparisons": found})
    elif found:
        print_comparisons(found)
    else:
        say("Nothing was compared yet; `magpie serve --compare first-stage current` does.")


def print_comparisons(found: Sequence[Mapping[str, Any]]) -> None:
    """The comparisons as a table."""
    columns = ["A", "B", "searches", "people", "for A", "for B", "ties", "p"]
    counted = ("searches", "people", "for_a", "for_b", "ties")
    rows = [[*one["rankings"], *(f"{one[name]:,}" for name in counted), f"{one['p_value']:.4f}"] for one in found]
    print_table(columns, rows, right=columns[2:])
