"""The entry point of the command line: global options, the commands, and the message and exit status of errors.

Commands import what they need when they run: `magpie --help` and the catalogue's commands must not wait for torch.
"""

import os
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

import click

DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130

# command → (module, name there, help), in the order in which a new user needs them
_COMMANDS = {
    "demo": ("magpie.web.cli.serve", "demo", "Search the demo catalogue: import it, index it, serve it."),
    "catalog": ("magpie.web.cli.catalog", "catalog", "Import, export, count and label items."),
    "feed": ("magpie.web.cli.feed", "feed", "Name feeds that the server imports by itself."),
    "index": ("magpie.web.cli.index", "index", "Build, check and switch the index."),
    "search": ("magpie.web.cli.search", "search", "Search from the command line."),
    "recommend": ("magpie.web.cli.search", "recommend", "Recommend items beside an item, or for a person."),
    "serve": ("magpie.web.cli.serve", "serve", "Serve the search page and the HTTP interface."),
    "events": ("magpie.web.cli.events", "events", "Import, export and delete searches and events."),
    "token": ("magpie.web.cli.token", "token", "Create, list and revoke the tokens for writing and reading figures."),
    "suggestions": (
        "magpie.web.cli.suggestions",
        "suggestions",
        "Block what is suggested to people who type.",
    ),
    "train": ("magpie.web.cli.train", "train", "Train an encoder, a ranker or the fusion of texts and pictures."),
    "report": ("magpie.web.cli.report", "report", "Report clicks, exposure and compared rankings."),
    "backup": ("magpie.web.cli.backup", "backup", "Write the whole home into one file."),
    "restore": ("magpie.web.cli.backup", "restore", "Restore a home from a backup."),
    "migrate": ("magpie.web.cli.migrate", "migrate", "Copy catalogue and event log into another database."),
    "bench": ("magpie.web.cli.bench", "bench", "Measure how fast this home searches on this machine."),
    "evaluate": ("magpie.web.cli.search", "evaluate", "Measure the quality of the ranking against judgments."),
}


class _LazyGroup(click.Group):
    """Lists the commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[name]
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, _, help_text) in _COMMANDS.items()])


def _print_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"magpie {version('magpie-search')}")
        ctx.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="The home: the folder of all state.  [env MAGPIE_HOME, default ./var]",
)
@click.option("-v", "--verbose", is_flag=True, help="Log more, and show the traceback of an unexpected error.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
@click.pass_context
def cli(ctx: click.Context, home: Path | None, verbose: bool) -> None:
    """Magpie: a search engine for catalogues of things with pictures."""
    ctx.obj = {"home": home, "verbose": verbose}


def main() -> None:
    """Runs the command line and ends the process: 0 done, 1 failed, 2 wrong usage."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit status of one command; messages go to stderr."""
    from magpie.data.errors import MagpieError
    from magpie.data.home.disk_errors import disk_fault

    try:
        status = cli.main(arguments, prog_name="magpie", standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else DONE
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return WRONG_USAGE
    except click.UsageError as error:
        error.show()
        return WRONG_USAGE
    except click.ClickException as error:
        error.show()
        return FAILED
    except MagpieError as error:
        _say(f"Error: {error}")
        return FAILED
    except (click.Abort, KeyboardInterrupt):
        _say("Interrupted.")
        return INTERRUPTED
    except BrokenPipeError:
        # the reader of the output has closed it; without this Python reports the error again when it exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        named = disk_fault(error)
        if named is not None:
            _say(f"Error: {named}")
            return FAILED
        if "-v" in arguments or "--verbose" in arguments:
            traceback.print_exc()
        else:
            _say(f"Unexpected error: {type(error).__name__}: {error}\nRun `magpie -v …` to see where it came from.")
        return FAILED


def _say(message: str) -> None:
    click.echo(message, err=True)


def open_settings(ctx: click.Context, **changes: Any) -> Any:
    """The settings of environment and command line. Raises BadSetting that names what is wrong."""
    from magpie.data.settings import read_settings

    if ctx.obj["home"] is not None:
        changes["home"] = ctx.obj["home"]
    if ctx.obj["verbose"]:
        changes["log_level"] = "DEBUG"
    return read_settings(**changes)
