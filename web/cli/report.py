"""`magpie report`: the click log, position bias and rankers; exposure by attribute; compared rankings."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from magpie.web.cli.main import open_settings
from magpie.web.cli.output import as_json, print_facts, print_json, print_table, say

if TYPE_CHECKING:
    from magpie.data.database.connection import Database
    from magpie.data.settings import Settings


@click.group()
def report() -> None:
    """Report clicks, exposure and compared rankings."""


@report.command()
@as_json
@click.pass_context
def clicks(ctx: click.Context, as_json: bool) -> None:
    """Report the click log, what is filtered out as spam, position bias, and the rankers with their verdicts."""
    from magpie.data.database.connection import open_database

    settings = open_settings(ctx)
    database = open_database(settings)
    try:
        found = clicks_report(settings, database)
    finally:
        database.close()
    if as_json:
        print_json(found)
        return
    print_facts({**found["data"], "set_aside": found["set_aside"] or "nothing", "serving": found["serving"]})
    _print_positions(found["browsing"])
    rows = [
        [one["version"], "yes" if one["published"] else "no", "yes" if one["stale"] else "no", one["reason"]]
        for one in found["rankers"]
    ]
    if rows:
        print_table(["ranker", "passed", "stale", "why"], rows)
    if found["comparisons"]:
        click.echo("\nInterleaved (p: chance of so uneven a split between equally good rankings):")
        _print_comparisons(found["comparisons"])


@report.command()
@click.option("--by", required=True, metavar="FIELD", help="Attribute, or category, whose values are compared.")
@click.option("--days", type=click.IntRange(1), default=30, show_default=True, help="Count the last days of the log.")
@click.option("--new-days", type=click.IntRange(1), default=7, show_default=True, help="Days an item counts as new.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Rows to print; JSON has all.")
@as_json
@click.pass_context
def exposure(ctx: click.Context, by: str, days: int, new_days: int, limit: int, as_json: bool) -> None:
    """Compare the exposure of each value of an attribute with the share of clicks that it earns."""
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


@report.command()
@as_json
@click.pass_context
def comparison(ctx: click.Context, as_json: bool) -> None:
    """Report which of two interleaved rankings people click more, and with what certainty."""
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
        _print_comparisons(found)
    else:
        say("Nothing was compared yet; `magpie serve --compare first-stage current` does.")


def clicks_report(settings: "Settings", database: "Database") -> dict[str, Any]:
    """The report as JSON values."""
    from dataclasses import asdict

    from magpie.data.aggregates.click_aggregates import read_click_aggregates, refresh_click_aggregates
    from magpie.data.erasure.erase import forgotten_at
    from magpie.data.spam.click_spam import count_filtered
    from magpie.search.click_models.click_models import choose_click_model
    from magpie.search.ranker.named_rankings import FIRST_STAGE
    from magpie.search.ranker.ranker_store import current_ranker, is_stale, ranker_versions, read_manifest
    from magpie.search.reports.interleaving_report import read_comparisons

    counted, cells = refresh_click_aggregates(database), read_click_aggregates(database)
    rankers, forgotten_ms = [], forgotten_at(database)
    for version in ranker_versions(settings):
        manifest = read_manifest(settings, version)
        verdict, stale = manifest["report"], is_stale(manifest, forgotten_ms)
        rankers.append({"version": version, "published": verdict["publish"], "stale": stale, **verdict})
    return {
        "data": {
            "days": counted.days,
            "searches": counted.searches,
            "capped": counted.capped,
            "impressions": int(cells.impressions.sum()),
            "clicks": cells.num_clicks,
            "conversions": int(cells.conversions.sum()),
            "queries": len(cells.queries),
            "items": len(cells.items),
        },
        "set_aside": count_filtered(database),
        "browsing": choose_click_model(cells).as_dict(),
        "serving": current_ranker(settings) or FIRST_STAGE,
        "rankers": rankers,
        "comparisons": [asdict(one) for one in read_comparisons(database)],
    }


def _print_positions(browsing: dict[str, Any]) -> None:
    from magpie.search.reports.learning_in_words import describe_browsing

    found = browsing["propensities"]
    click.echo("\n" + "\n".join(describe_browsing(browsing)))
    pairs = list(enumerate(zip(found["theta"], found["se"], strict=True), 1))
    how = "looked at" if found["measured"] else "assumed"
    rows = [[str(position), f"{theta:.3f}", f"± {error:.3f}"] for position, (theta, error) in pairs[:10]]
    print_table(["position", how, ""], rows, right=["position", how])
    for layout, own in browsing["layouts"].items():
        click.echo(f"in {layout}: " + " ".join(f"{theta:.3f}" for theta in own["theta"][:10]))
    click.echo()


def _print_comparisons(found: Sequence[Mapping[str, Any]]) -> None:
    """The comparisons as a table."""
    columns = ["A", "B", "searches", "people", "for A", "for B", "ties", "p"]
    counted = ("searches", "people", "for_a", "for_b", "ties")
    rows = [[*one["rankings"], *(f"{one[name]:,}" for name in counted), f"{one['p_value']:.4f}"] for one in found]
    print_table(columns, rows, right=columns[2:])
