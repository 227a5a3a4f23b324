"""A temporary cluster of PostgreSQL for the tests: started once, a database for each test, ended and deleted after."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from magpie.data.database.connection import open_database
from magpie.data.settings import Settings
from tests.support.browsing import do_without

# nothing of it outlives the tests, so it need not reach the disk
HURRIED = "-c fsync=off -c full_page_writes=off"
SERVER_OPTIONS = "-c max_connections=200 -c shared_buffers=64MB"
EMPTY, MIGRATED = "template0", "migrated"


@dataclass(frozen=True)
class Cluster:
    """A running server that listens on a socket in its folder."""

    folder: Path
    programs: Path
    control: Callable[[str], None]  # "start" or "stop"
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def run(self, statement: str) -> None:
        """Runs one statement outside any transaction."""
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql(statement)
        finally:
            engine.dispose()

    @contextmanager
    def database(self, template: str = MIGRATED) -> Iterator[str]:
        """The URL of a database of its own, at the newest schema unless it is to be EMPTY; dropped afterwards."""
        name = f"test{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        try:
            yield self.url(name)
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")


def _programs() -> Path | None:
    """Where initdb and pg_ctl lie: on the PATH, or where Debian keeps the newest version's."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: -int(folder.parent.name))
    return next((folder for folder in folders if (folder / "pg_ctl").exists()), None)


@contextmanager
def running_cluster(durability: str = HURRIED) -> Iterator[Cluster]:
    """A new cluster, run by another user than root, whom PostgreSQL refuses."""
    programs = _programs()
    if programs is None:
        do_without("POSTGRESQL IS NOT INSTALLED: IT IS NOT TESTED (apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="magpie-pg-", dir="/tmp"))  # a socket's path is 107 bytes long at most
    as_whom: dict[str, Any] = {"cwd": folder, "check": True, "stdout": subprocess.DEVNULL}
    if os.getuid() == 0:
        user = _unprivileged()
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_whom |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data = str(folder / "data")
    options = f"{durability} {SERVER_OPTIONS} -c listen_addresses='' -c unix_socket_directories={folder}"

    def control(action: str) -> None:
        command = [str(programs / "pg_ctl"), "-D", data, "-w", "-m", "immediate", "-l", str(folder / "log")]
        subprocess.run([*command, "-o", options, action], **as_whom)

    try:
        new = [str(programs / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run([*new, "--locale=C.UTF-8"], **as_whom)
        control("start")
        try:
            yield Cluster(folder, programs, control)
        finally:
            control("stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster of this run of the tests, with a database at the newest schema to copy others from."""
    with running_cluster() as running:
        running.run(f"CREATE DATABASE {MIGRATED} TEMPLATE {EMPTY}")
        home = tmp_path_factory.mktemp("migrated")
        open_database(Settings(home=home, database_url=running.url(MIGRATED))).close()
        yield running


@pytest.fixture
def postgresql_url(cluster: Cluster) -> Iterator[str]:
    """The URL of a database of the newest schema with nothing in it."""
    with cluster.database() as url:
        yield url


@pytest.fixture
def empty_postgresql_url(cluster: Cluster) -> Iterator[str]:
    """The URL of a database without any table."""
    with cluster.database(EMPTY) as url:
        yield url
