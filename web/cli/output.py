"""Output of the commands: one JSON value, or tables; progress and messages go to stderr."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

Progress = Callable[[str, int, int], None]

PLAIN_INTERVAL_S = 10.0

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")


def print_json(value: Any) -> None:
    """Prints one JSON value on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


def print_facts(facts: Mapping[str, Any]) -> None:
    """Prints names and values, one pair a line."""
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        label = name.replace("_", " ")
        click.echo(f"{label:<{width}}  {_shown(value)}")


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(one)}" for name, one in value.items())
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Prints a table as wide as the terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: nothing in a title is markup
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)


def say(message: str) -> None:
    """Prints a message on stderr; stdout is for the requested output."""
    click.echo(message, err=True)


@contextmanager
def progress_on_stderr(is_quiet: bool = False) -> Iterator[Progress]:
    """A function for (stage, done, total): a bar on a terminal, a line every ten seconds elsewhere."""
    if not sys.stderr.isatty():
        yield (lambda stage, done, total: None) if is_quiet else _plain_progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show


def _plain_progress() -> Progress:
    said = time.monotonic()

    def show(stage: str, done: int, total: int) -> None:
        nonlocal said
        if time.monotonic() - said >= PLAIN_INTERVAL_S:
            said = time.monotonic()
            say(f"{stage}: {done:,} of {total:,}")

    return show
