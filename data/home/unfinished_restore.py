"""Refuses a home into which a restore was killed, so that nobody takes half a home for a whole one."""

from pathlib import Path

from magpie.data.errors import Conflict

UNFINISHED_RESTORE = ".unfinished-restore"  # the folder that holds what is not yet in its place
_EARLIER_PLAN = ".restore-plan.json"  # which `restore --replace` of earlier versions wrote


def check_restored(home: Path) -> None:
    """Raises Conflict where a restore into the home is going on or was killed; the message says what to do."""
    if (home / UNFINISHED_RESTORE).exists():
        raise Conflict(f"{home}: a restore is going on or was killed; if so, run `magpie restore FILE` once more")
    check_earlier_restore(home)


def check_earlier_restore(home: Path) -> None:
    """Raises Conflict where `restore --replace` of an earlier version was killed: both contents are there, in parts."""
    if (home / _EARLIER_PLAN).exists():
        raise Conflict(
            f"{home}: `restore --replace` of an earlier version was killed in it ({_EARLIER_PLAN}); "
            "run any command of that version on it, which finishes it, or restore the backup into another --home"
        )
