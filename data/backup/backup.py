"""Writes a home into one file, consistent while the home is used: databases, indexes, rankers, pictures.

The file is a plain tar whose last member lists every other with size and checksum, so that a truncated one is detected.
"""

import errno
import io
import json
import os
import shlex
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

from sqlalchemy.engine import URL, make_url

from magpie.data.database.migrations import HEAD
from magpie.data.database.owner_token import FILE as OWNER_TOKEN
from magpie.data.errors import BackupBroken, BadSetting, NotEnoughDisk
from magpie.data.home.locks import lock_home
from magpie.data.settings import Settings

FORMAT, FORMAT_WITHOUT_DATABASE = 1, 2  # the latter would be an empty shop for a Magpie that does not know it
MANIFEST = "backup.json"
SNAPSHOT_PREFIX = ".backup-"
DATABASE = "magpie.db"
# caches, temporary files, and copies of what is saved anyway
_LEFT_OUT = ("thumbnails", "models/cache", "live")
_LEFT_OUT_ENDINGS = (".lock", ".db-wal", ".db-shm", ".partial", ".new", ".damaged")
_SECRET = ("token", "secret", "key", "url", "home")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class BackupReport:
    """What a backup holds; `left_out` are caches that could not be read. `database` says how to save one elsewhere."""

    file: str
    files: int
    size_bytes: int
    left_out: list[str]
    database: str

    def as_dict(self) -> dict[str, Any]:
        """The report as `backup --json` prints it."""
        return asdict(self)


def back_up(settings: Settings, file: Path, progress: Progress) -> BackupReport:
    """The report of writing the home into `file`, which is replaced only when all is written.

    A database that lies elsewhere is not in it, and is to be saved by its own tools after this. The index that is
    saved never shows a later catalogue than the database that is saved with it. Raises BadSetting for a place that
    cannot be written, HomeLocked while another backup runs, BackupBroken where the database is damaged,
    NotEnoughDisk.
    """
    home = settings.home.absolute()
    is_inside = settings.database_url is None
    if not ((home / DATABASE).is_file() if is_inside else home.is_dir() and any(_files(home))):
        raise BadSetting(f"{home}: there is nothing to back up; give the home with --home")
    if file.absolute().is_relative_to(home):
        raise BadSetting(f"{file}: lies in the home that it is to save; choose a place outside {home}")
    partial = file.with_name(f".{file.name}.partial")
    with lock_home(home, "backup"), _disk_errors(file):
        try:
            with _snapshot(home) as folder, _for_owner_only(partial) as out:
                left_out = _copy_databases(home, folder, is_inside)
                files = _write_tar(out, folder, _about(settings), progress)
                out.flush()
                os.fsync(out.fileno())
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)
    return BackupReport(str(file), files, file.stat().st_size, left_out, _where_is_database(settings))


def _about(settings: Settings) -> dict[str, Any]:
    """The manifest's description of the home, without secret settings."""
    given = {
        name: value
        for name, value in settings.model_dump(mode="json").items()
        if name in settings.model_fields_set and not any(part in name for part in _SECRET)
    }
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "format": FORMAT if settings.database_url is None else FORMAT_WITHOUT_DATABASE,
        "created_at": created,
        "schema": HEAD,
        "home": str(settings.home.absolute()),
        "settings": given,
    }


@contextmanager
def _snapshot(home: Path) -> Iterator[Path]:
    """A folder of hard links to the home's files, so that deleted or replaced files remain readable."""
    for left_over in home.glob(f"{SNAPSHOT_PREFIX}*"):  # of a backup that was killed; we hold the lock
        shutil.rmtree(left_over)
    folder = Path(tempfile.mkdtemp(prefix=SNAPSHOT_PREFIX, dir=home))
    try:
        # CURRENT first: the generation that it names is not deleted while it names it, nor soon after
        for path in [home / "CURRENT", *_files(home)]:
            link = folder / path.relative_to(home)
            if not link.exists():
                link.parent.mkdir(parents=True, exist_ok=True)
                _link(path, link)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _files(home: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(home):
        inside = Path(parent).relative_to(home)
        folders[:] = [one for one in folders if not one.startswith(".") and (inside / one).as_posix() not in _LEFT_OUT]
        for name in names:
            is_left_out = name.endswith((*_LEFT_OUT_ENDINGS, ".db")) or name.startswith(f"{DATABASE}.before-")
            if not is_left_out and (inside / name).as_posix() != OWNER_TOKEN:  # a home that is restored makes its own
                yield Path(parent, name)


def _link(path: Path, place: Path) -> None:
    try:
        os.link(path, place, follow_symlinks=True)
    except FileNotFoundError:
        return  # deleted since it was listed
    except OSError:  # a file system without links, or a file of another one
        shutil.copyfile(path, place)


def _where_is_database(settings: Settings) -> str:
    """Whether the database is in the backup, and if not, which command saves it (without the password)."""
    if settings.database_url is None:
        return "in it"
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        return f"not in it; save it now: sqlite3 {shlex.quote(str(url.database))} \".backup 'FILE'\""
    if url.get_backend_name() != "postgresql":
        return "not in it; save it now with its own tools"
    plain = URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
    return f"not in it; save it now: pg_dump --format=custom --file=FILE --dbname={shlex.quote(str(plain))}"


def _copy_databases(home: Path, folder: Path, is_inside: bool) -> list[str]:
    """Copies of the databases as they are at one moment each; returns the damaged caches, which are left out."""
    if is_inside:
        _copy_database(home / DATABASE, folder / DATABASE)
    damaged = []
    for cache in sorted(home.glob("embeddings/*.db")):
        copy = folder / cache.relative_to(home)
        copy.parent.mkdir(exist_ok=True)
        try:
            _copy_database(cache, copy)
        except BackupBroken:
            copy.unlink(missing_ok=True)
            damaged.append(cache.relative_to(home).as_posix())
    return damaged


def _copy_database(source: Path, copy: Path) -> None:
    """Copies a database in one step; with a write-ahead log, other readers and writers do not wait for it."""
    try:
        with closing(sqlite3.connect(source, timeout=30)) as one, closing(sqlite3.connect(copy)) as other:
            one.backup(other)
            other.execute("PRAGMA journal_mode=DELETE")
            verdict = other.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if "full" in str(error):
            raise NotEnoughDisk(f"{copy.parent}: the disk is full; a copy of {source.name} goes there first") from error
        raise BackupBroken(f"{source}: cannot be read ({error}); nothing was backed up") from error
    except sqlite3.DatabaseError as error:
        raise BackupBroken(f"{source}: is damaged ({error}); nothing was backed up") from error
    if verdict != "ok":
        raise BackupBroken(f"{source}: is damaged ({verdict}); nothing was backed up")


def _write_tar(out: IO[bytes], folder: Path, about: dict[str, Any], progress: Progress) -> int:
    """The number of files written, the manifest not counted."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    total, done = sum(path.stat().st_size for path in paths), 0
    files: dict[str, dict[str, Any]] = {}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in paths:
            name = path.relative_to(folder).as_posix()
            with path.open("rb") as file:
                member = tar.gettarinfo(arcname=name, fileobj=file)
                member.type, member.linkname = tarfile.REGTYPE, ""  # two names of one file are two files
                member.size = path.stat().st_size
                content = _Digesting(file)
                tar.addfile(member, content)
            files[name] = {"size_bytes": member.size, "blake2b": content.digest.hexdigest()}
            done += member.size
            progress("backup", done, total)
        text = json.dumps({**about, "files": files}, indent=1, ensure_ascii=False).encode()
        member = tarfile.TarInfo(MANIFEST)
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
    return len(files)


class _Digesting:
    """A file whose BLAKE2b digest is computed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = blake2b(digest_size=16)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _for_owner_only(path: Path) -> IO[bytes]:
    """A new file that only its owner can read, because a backup holds the event log."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb")


@contextmanager
def _disk_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise NotEnoughDisk(f"{file}: the disk is full; nothing was backed up") from error
        raise BadSetting(f"{file}: cannot be written ({error.strerror or error}); choose another place") from error
