"""`magpie report`: what was learned from behaviour, for people to look at."""

from typing import TYPE_CHECKING, Any

import click

from magpie.web.cli.exposure import comparison, exposure, print_comparisons
from magpie.web.cli.main import open_settings
from magpie.web.cli.output import as_json, print_facts, print_json, print_table

if TYPE_CHECKING:
    from magpie.data.database.connection import Database
    from magpie.data.settings import Settings


@click.group()
def report() -> None:
    """What was learned from behaviour."""


report.add_command(exposure)
report.add_command(comparison)


@report.command()
@as_json
@click.pass_context
def clicks(ctx: click.Context, as_json: bool) -> None:
    """The click log, what of it is set aside, how far people look, and the rankers with their verdicts."""
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
        print_comparisons(found["comparisons"])


def clicks_report(settings: "Settings", database: "Database") -> dict[str, Any]:
    """The report as JSON values."""
    from dataclasses import asdict

    from magpie.data.aggregates.click_cells import read_cells, refresh_cells
    from magpie.data.erasure.erase import forgotten_at
    from magpie.data.spam.click_spam import set_aside_counts
    from magpie.search.click_models.click_models import choose_click_model
    from magpie.search.ranker.named_rankings import FIRST_STAGE
    from magpie.search.ranker.ranker_store import current_ranker, is_stale, ranker_versions, read_manifest
    from magpie.search.reports.interleaving_report import read_comparisons

    counted, cells = refresh_cells(database), read_cells(database)
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
        "set_aside": set_aside_counts(database),
        "browsing": choose_click_model(cells).as_dict(),
        "serving": current_ranker(settings) or FIRST_STAGE,
        "rankers": rankers,
        "comparisons": [asdict(one) for one in read_comparisons(database)],
    }


def _print_positions(browsing: dict[str, Any]) -> None:
    found = browsing["propensities"]
    how = "measured" if found["measured"] else "assumed"
    click.echo(f"\nHow likely each position is looked at ({how}; clicks follow the {browsing['likelier']} model):")
    pairs = list(enumerate(zip(found["theta"], found["se"], strict=True), 1))
    rows = [[str(position), f"{theta:.3f}", f"± {error:.3f}"] for position, (theta, error) in pairs[:10]]
    print_table(["position", "looked at", ""], rows, right=["position", "looked at"])
    for layout, own in browsing["layouts"].items():
        click.echo(f"in {layout}: " + " ".join(f"{theta:.3f}" for theta in own["theta"][:10]))
    click.echo()
