"""A backup's file → a home as it was: every byte is checked before anything that was there is touched."""

import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import IO, Any

from sqlalchemy import func, update

from magpie.data.backup.backup import DATABASE, FORMAT, MANIFEST, Progress
from magpie.data.database.connection import open_database
from magpie.data.database.tables import pictures
from magpie.data.errors import BackupBroken, BadSetting, Conflict
from magpie.data.home.locks import SERVING, lock_home
from magpie.data.home.restore_journal import exchange_content, finish_restore, is_decided
from magpie.data.settings import Settings

STAGING_PREFIX = ".restoring-"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class RestoreReport:
    """What was restored; `replaced` is where the home's former content lies now, None where it was empty."""

    files: int
    size_bytes: int
    created_at: str
    settings: dict[str, Any]
    replaced: str | None

    def as_dict(self) -> dict[str, Any]:
        """The report as `restore --json` prints it."""
        return asdict(self)


def restore(settings: Settings, file: Path, replace: bool, progress: Progress) -> RestoreReport:
    """Puts the backup's content into the home and says what it was.

    What was in the home is moved into a folder in it, and only if `replace`. Raises Conflict for a home that is not
    empty, HomeLocked while it is served or rebuilt, BackupBroken for a file that is not a whole backup, DatabaseTooNew.
    """
    home = settings.home.absolute()
    with lock_home(home, SERVING), lock_home(home, "rebuild"), lock_home(home, "backup"):
        finish_restore(home)
        for left_over in home.glob(f"{STAGING_PREFIX}*"):
            shutil.rmtree(left_over)
        former = _content(home)
        if former and not replace:
            raise Conflict(f"{home}: is not empty; give another --home, or --replace to put its content aside")
        with _staging(home) as folder:
            about = _unpack(file, folder, progress)
            _settle(settings, folder, about["home"])
            aside = _new_aside(home) if former else None
            names = [path.name for path in reversed(former)], [path.name for path in _content(folder)]
            exchange_content(home, folder, aside, *names)
    size = sum(one["size_bytes"] for one in about["files"].values())
    return RestoreReport(
        len(about["files"]), size, about["created_at"], about["settings"], str(aside) if aside else None
    )


def _content(folder: Path) -> list[Path]:
    """All that is in a home but locks and what was put aside; `CURRENT` last: it must not name what is not there."""
    found = [path for path in folder.iterdir() if not path.name.startswith(".")]
    return sorted(found, key=lambda path: (path.name == "CURRENT", path.name))


@contextmanager
def _staging(home: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=home))
    try:
        yield folder
    finally:
        if not is_decided(home):
            shutil.rmtree(folder, ignore_errors=True)


def _new_aside(home: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=f".before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S}-", dir=home))


def _unpack(file: Path, folder: Path, progress: Progress) -> dict[str, Any]:
    """The backup's manifest, once every file that it lists lies in the folder and is as it says."""
    found: dict[str, str] = {}
    about: dict[str, Any] = {}
    try:
        with file.open("rb") as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            total = file.stat().st_size
            for member in tar:
                content = tar.extractfile(member)
                if content is None or not _is_inside(member.name):
                    raise BackupBroken(f"{file}: holds {member.name!r}, which no backup of ours does")
                if member.name == MANIFEST:
                    about = json.load(content)
                else:
                    found[member.name] = _write(content, folder / member.name)
                progress("restore", stream.tell(), total)
    except OSError as error:
        raise BadSetting(f"{file}: cannot be restored ({error.strerror or error})") from error
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise BackupBroken(f"{file}: is no backup, or only the beginning of one ({error})") from error
    _check(file, about, found)
    return about


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and not name.startswith(".")


def _write(content: IO[bytes], path: Path) -> str:
    """Writes the file and returns its checksum."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = blake2b(digest_size=16)
    with path.open("wb") as out:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            out.write(chunk)
    return digest.hexdigest()


def _check(file: Path, about: dict[str, Any], found: dict[str, str]) -> None:
    if not about:
        raise BackupBroken(f"{file}: ends too early; it is only the beginning of a backup")
    if about.get("format") != FORMAT:
        raise BackupBroken(f"{file}: has format {about.get('format')}, this Magpie reads {FORMAT}: update Magpie")
    for name, expected in about["files"].items():
        if found.get(name) != expected["blake2b"]:
            raise BackupBroken(f"{file}: {name} is damaged in it; take an earlier backup")


def _settle(settings: Settings, folder: Path, former_home: str) -> None:
    """Brings the restored database to this version's schema, and lets its pictures lie in the home where it is now."""
    database = open_database(settings.model_copy(update={"home": folder, "database_url": None}))
    old, new = f"{former_home.rstrip('/')}/", f"{settings.home.absolute()}/"
    lies_in_home = func.substr(pictures.c.path, 1, len(old)) == old
    moved = update(pictures).where(lies_in_home).values(path=new + func.substr(pictures.c.path, len(old) + 1))
    with database.writing(durable=True) as connection:
        connection.execute(moved)
    database.close()
    for name in ("-wal", "-shm"):
        (folder / f"{DATABASE}{name}").unlink(missing_ok=True)
