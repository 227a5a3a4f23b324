"""`magpie migrate`: move a home's content into another database."""

import click

from magpie.web.cli.main import open_settings
from magpie.web.cli.output import as_json, print_facts, print_json, print_table, progress_on_stderr, say


@click.command()
@click.option("--to-database", "url", required=True, help="The SQLAlchemy URL of an empty database.")
@as_json
@click.pass_context
def migrate(ctx: click.Context, url: str, as_json: bool) -> None:
    """Copy catalogue and event log into another, empty database."""
    from magpie.data.database.copy_database import copy_database

    with progress_on_stderr(is_quiet=as_json) as progress:
        report = copy_database(open_settings(ctx), url, progress)
    if as_json:
        print_json(report.as_dict())
        return
    print_table(
        ("table", "rows", "checksum"),
        [(name, f"{table.rows:,}", table.checksum) for name, table in report.tables.items()],
        right=("rows",),
    )
    print_facts({"source": report.source, "target": report.target, "rows": report.rows})
    say("Next: set MAGPIE_DATABASE_URL to the new database for everything that uses this home.")
