"""`kill -9` at random moments, again and again: the home opens afterwards, whole, with all that was acknowledged.

    python -m benchmarks.faults FOLDER [--times 100] [--only import rebuild] [--seed 1]

FOLDER keeps the homes and the results, so that a run that was ended goes on where it stopped. Each work has a home of
its own, in which it is killed over and over: sometimes its process alone, as the system does when memory is short,
sometimes with all its children. After each kill the home is checked; after every tenth the work is done undisturbed,
the index is rebuilt, and nothing temporary may be left, no file and no process. Prints a markdown table.
"""

import argparse
import json
import logging
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from magpie.data.settings import Settings

SETTLED_EVERY = 10
ORPHANS_END_WITHIN_S = 15.0
_TEMPORARY = (".building-*", ".deleting-*", ".backup-*", ".restoring-*", "*.new", "*.partial", "*.tmp")
_PRELOADED = "benchmarks.fault_works"  # with torch and faiss: a process to be killed starts in a moment


@dataclass(frozen=True)
class Try:
    """One kill: when it came, whether the work had ended by then, what was acknowledged and lost, and what broke."""

    work: str
    number: int
    after_s: float
    had_ended: bool
    acknowledged: int
    lost: int
    problem: str


@dataclass(frozen=True)
class Performance:
    """What a work told while it was done, whether it came to its end, and what it left running."""

    told: list[Any]
    had_ended: bool
    took_s: float
    problem: str


class Killer:
    """The homes of a folder, and the results of what was done to them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._seed = folder, seed
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload([_PRELOADED])
        self._results = folder / "results.jsonl"
        self._usual_s: dict[str, float] = {}

    def tries(self) -> list[Try]:
        """What was tried so far."""
        lines = self._results.read_text(encoding="utf-8").splitlines() if self._results.exists() else []
        return [Try(**json.loads(line)) for line in lines]

    def kill(self, name: str) -> Try:
        """Does the work once more, kills it at a random moment, and checks the home."""
        number = sum(one.work == name for one in self.tries()) + 1
        chance = random.Random(f"{self._seed}/{name}/{number}")
        settings = self._settings(name)
        after_s = chance.uniform(0, 1.05) * self._usual(name, settings)
        done = self._perform(name, settings, number, after_s, alone=chance.random() < 0.5)
        lost, problem = self._check(name, settings, number, done.told)
        problem = problem or done.problem
        if number % SETTLED_EVERY == 0 and not problem:
            problem = self._settle(name, settings, number)
        if problem:  # kept to be looked at, and begun anew
            settings.home.parent.rename(self._folder / f"broken-{name}-{number}".replace(" ", "-"))
        tried = Try(name, number, round(after_s, 3), done.had_ended, len(done.told), lost, problem)
        with self._results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(tried)) + "\n")
        return tried

    def _settings(self, name: str) -> Settings:
        """A home of this work's own, copied from one that all share."""
        from benchmarks.fault_works import build_base  # here: processes that decode pictures import this module too

        base, own = self._folder / "base", self._folder / name.replace(" ", "-")
        if not (base / "done").exists():
            shutil.rmtree(base, ignore_errors=True)
            build_base(base)
            (base / "done").touch()
        if not (own / "done").exists():
            shutil.rmtree(own, ignore_errors=True)
            shutil.copytree(base, own)
        return Settings(home=own / "home", rate_limit="10000 per second", trust_loopback=True)

    def _usual(self, name: str, settings: Settings) -> float:
        """Seconds that the work takes undisturbed."""
        if name not in self._usual_s:
            self._perform(name, settings, 0)  # the first one pays for what is cached
            self._usual_s[name] = self._perform(name, settings, 0).took_s
        return self._usual_s[name]

    def _perform(
        self, name: str, settings: Settings, number: int, kill_after_s: float | None = None, alone: bool = False
    ) -> Performance:
        """Does the work in a process of its own, which is killed so long after it began; None lets it be."""
        mine, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_do, args=(name, settings, number, theirs))
        process.start()
        theirs.close()
        mine.recv()  # "began"
        started, had_ended = time.monotonic(), True
        if kill_after_s is not None and process.pid:
            process.join(kill_after_s)
            had_ended = process.exitcode is not None
            if not had_ended:
                (os.kill if alone else os.killpg)(process.pid, signal.SIGKILL)
        told = list(_all_of(mine))
        process.join()
        problem = _await_orphans(process.pid or 0)
        if kill_after_s is None and process.exitcode:
            problem = f"{name}, undisturbed, ended with status {process.exitcode}"
        return Performance(told, had_ended, time.monotonic() - started, problem)

    def _check(self, name: str, settings: Settings, number: int, acknowledged: list[Any]) -> tuple[int, str]:
        from benchmarks.fault_works import WORKS

        try:
            return WORKS[name].check(settings, number, acknowledged), ""
        except Exception as error:  # whatever it is, it is what we look for
            return 0, f"{type(error).__name__}: {error}"

    def _settle(self, name: str, settings: Settings, number: int) -> str:
        """After the work was done undisturbed and the index rebuilt: what is left that nobody will ever take away."""
        done = self._perform(name, settings, number)
        _, problem = self._check(name, settings, number, done.told)
        rebuilt = self._perform("rebuild", settings, number)
        left = sorted(str(path) for pattern in _TEMPORARY for path in settings.home.parent.rglob(pattern))
        return done.problem or problem or rebuilt.problem or (f"left behind: {', '.join(left[:5])}" if left else "")


def _do(name: str, settings: Settings, number: int, pipe: Connection) -> None:
    """In the process that is to be killed."""
    from benchmarks.fault_works import WORKS

    os.setsid()
    logging.disable(logging.ERROR)
    WORKS[name].do(settings, number, pipe.send)


def _all_of(pipe: Connection) -> Iterator[Any]:
    """What comes, up to the end of the process that tells it."""
    try:
        while True:
            yield pipe.recv()
    except (EOFError, OSError):
        return


def _await_orphans(session: int) -> str:
    """Processes that were started by one that is gone must end by themselves; says so where they do not."""
    deadline = time.monotonic() + ORPHANS_END_WITHIN_S
    while left := _processes_of(session):
        if time.monotonic() > deadline:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            return f"{len(left)} processes live on after the one that had started them"
        time.sleep(0.02)
    return ""


def _processes_of(session: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if fields[0] != "Z" and int(fields[3]) == session:
            found.append(int(stat.parent.name))
    return found


def table(tries: list[Try]) -> str:
    """What became of all tries, a line a work."""
    lines = ["| killed | times | while at work | survived | acknowledged | lost |", "|---|---|---|---|---|---|"]
    for name in dict.fromkeys(one.work for one in tries):
        own = [one for one in tries if one.work == name]
        counts = [len(own), sum(not one.had_ended for one in own), sum(not one.problem for one in own)]
        counts += [sum(one.acknowledged for one in own), sum(one.lost for one in own)]
        lines.append(" | ".join([f"| {name}", *(f"{count:,}" for count in counts)]) + " |")
    return "\n".join(lines)


def main() -> None:
    from benchmarks.fault_works import WORKS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--only", nargs="+", choices=list(WORKS), default=list(WORKS))
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # more would wait for each other on a machine that does other things
    given.folder.mkdir(parents=True, exist_ok=True)
    logging.disable(logging.ERROR)
    killer = Killer(given.folder.absolute(), given.seed)
    for name in given.only:
        while (done := sum(one.work == name for one in killer.tries())) < given.times:
            tried = killer.kill(name)
            if tried.problem or tried.lost or (done + 1) % 10 == 0:
                print(f"{name} {done + 1}/{given.times}: lost {tried.lost} {tried.problem}", flush=True)
    print(table(killer.tries()))


if __name__ == "__main__":
    main()
