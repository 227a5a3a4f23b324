"""A restore's last step, the exchange of a home's content: once decided it is finished, whoever is killed on the way.

Renaming many files is not one step. So a plan is written first, by one rename; who finds a plan when opening the home
carries it out, from wherever it stopped.
"""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from magpie.data.home.locks import lock_home

_PLAN = ".restore-plan.json"
_LOCK = "restore"


def exchange_content(home: Path, staging: Path, aside: Path | None, former: Sequence[str], new: Sequence[str]) -> None:
    """Moves the `former` names of the home into `aside`, then the `new` ones out of `staging` into the home, in order.

    Both folders lie in the home; `staging` is gone afterwards. Raises HomeLocked while another exchange runs.
    """
    plan = {"staging": staging.name, "aside": aside.name if aside else None, "former": list(former), "new": list(new)}
    with lock_home(home, _LOCK):
        beside = home / f"{_PLAN}.new"
        with beside.open("w", encoding="utf-8") as file:
            json.dump(plan, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(home / _PLAN)
        _carry_out(home)


def is_decided(home: Path) -> bool:
    """Whether an exchange was decided that is not finished."""
    return (home / _PLAN).exists()


def finish_restore(home: Path) -> None:
    """Carries out what a restore that was killed had decided; nothing where there is no such thing.

    Raises HomeLocked where another process has been at it for a minute.
    """
    if is_decided(home):
        with lock_home(home, _LOCK, wait_s=60):
            if is_decided(home):
                _carry_out(home)


def _carry_out(home: Path) -> None:
    plan = json.loads((home / _PLAN).read_text(encoding="utf-8"))
    staging = home / plan["staging"]
    for name in plan["former"]:
        place = home / plan["aside"] / name
        # what is aside already is followed, in the home, by what was restored
        if (home / name).exists() and not place.exists():
            (home / name).rename(place)
    for name in plan["new"]:
        if (staging / name).exists():
            (staging / name).rename(home / name)
    (home / _PLAN).unlink()
    shutil.rmtree(staging, ignore_errors=True)
