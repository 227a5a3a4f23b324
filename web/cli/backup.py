"""`magpie backup` and `magpie restore`: write a home into one file, and restore it."""

from pathlib import Path

import click

from magpie.web.cli.main import open_settings
from magpie.web.cli.output import as_json, print_facts, print_json, progress_on_stderr, say


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@as_json
@click.pass_context
def backup(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Write the whole home into FILE; a server may run meanwhile."""
    from magpie.data.backup.backup import back_up

    with progress_on_stderr(is_quiet=as_json) as progress:
        report = back_up(open_settings(ctx), file, progress)
    if as_json:
        print_json(report.as_dict())
    else:
        print_facts({name: fact for name, fact in report.as_dict().items() if fact != []})


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_json
@click.pass_context
def restore(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Restore FILE into an empty home, after a check of every byte of FILE."""
    from magpie.data.backup.restore import restore as restore_home

    with progress_on_stderr(is_quiet=as_json) as progress:
        report = restore_home(open_settings(ctx), file, progress)
    if as_json:
        print_json(report.as_dict())
        return
    print_facts(report.as_dict())
    say("Next: magpie serve")
