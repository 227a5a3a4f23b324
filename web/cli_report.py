"""`magpie report`: what the log says about the ranking."""

import click

from web.cli_exposure import comparison, exposure


@click.group()
def report() -> None:
    """What the log says about the ranking."""


report.add_command(exposure)
report.add_command(comparison)
