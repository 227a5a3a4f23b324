"""Restores a backup into an empty home; all checksums are verified before any file is put into its place."""

import json
import shutil
import tarfile
import tempfile
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import IO, Any

from sqlalchemy import func, select, update

from magpie.data.backup.backup import DATABASE, FORMAT, FORMAT_WITHOUT_DATABASE, MANIFEST, Progress
from magpie.data.database.connection import open_database
from magpie.data.database.tables import pictures
from magpie.data.errors import BackupBroken, BadSetting, Conflict
from magpie.data.home.locks import SERVING, lock_home
from magpie.data.home.unfinished_restore import UNFINISHED_RESTORE, check_earlier_restore
from magpie.data.settings import Settings

STAGING_PREFIX = ".restoring-"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class RestoreReport:
    """What was restored: number and size of the files, when the backup was made, and the settings it was made with."""

    files: int
    size_bytes: int
    created_at: str
    settings: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The report as `restore --json` prints it."""
        return asdict(self)


def restore(settings: Settings, file: Path, progress: Progress) -> RestoreReport:
    """Puts the backup's content into the home, which must be empty, and says what it was.

    Raises Conflict for a home that is not empty, HomeLocked while it is served or rebuilt, BackupBroken for a file that
    is not a whole backup, DatabaseTooNew; BadSetting where its database lies elsewhere and is not given, or names
    pictures in the home by another path than this one's.
    """
    home = settings.home.absolute()
    with lock_home(home, SERVING), lock_home(home, "rebuild"), lock_home(home, "backup"):
        _clear_unfinished(home)
        _check_empty(home)
        folder = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=home))
        try:
            about = _unpack(file, folder, progress)
            if about["format"] == FORMAT_WITHOUT_DATABASE:
                _check_elsewhere(settings, about["home"])
            else:
                _settle(settings, folder, about["home"])
            _move_into(home, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    size = sum(one["size_bytes"] for one in about["files"].values())
    return RestoreReport(len(about["files"]), size, about["created_at"], about["settings"])


def _content(folder: Path) -> list[Path]:
    """The files and folders of a home, without locks and temporary ones."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _check_empty(home: Path) -> None:
    if found := _content(home):
        raise Conflict(
            f"{home}: is not empty (it holds {found[0].name}); restore into a new folder with --home, "
            "or move what is in this one elsewhere first"
        )


def _clear_unfinished(home: Path) -> None:
    """Removes the files of a killed restore; if it was moving them, all files of the home are its own."""
    check_earlier_restore(home)
    unfinished = home / UNFINISHED_RESTORE
    if unfinished.exists():
        for path in _content(home):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        shutil.rmtree(unfinished)
    for left_over in home.glob(f"{STAGING_PREFIX}*"):
        shutil.rmtree(left_over)


def _move_into(home: Path, folder: Path) -> None:
    """Moves the checked files into the home; while UNFINISHED_RESTORE exists, no process opens the home."""
    _check_empty(home)
    moving = folder.rename(home / UNFINISHED_RESTORE)
    if found := _content(home):  # somebody opened the home since
        moving.rename(folder)
        raise Conflict(f"{home}: is not empty any more (it holds {found[0].name}); another process uses it, stop that")
    for path in _content(moving):
        path.rename(home / path.name)
    moving.rmdir()


def _unpack(file: Path, folder: Path, progress: Progress) -> dict[str, Any]:
    """Writes the backup's files into the folder and returns its manifest. Raises BackupBroken unless each file is as
    the manifest says."""
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
    """The checksum of the content, after writing it to `path`."""
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
    if about.get("format") not in (FORMAT, FORMAT_WITHOUT_DATABASE):
        raise BackupBroken(f"{file}: has format {about.get('format')}, which this Magpie does not read: update Magpie")
    for name, expected in about["files"].items():
        if found.get(name) != expected["blake2b"]:
            raise BackupBroken(f"{file}: {name} is damaged in it; take an earlier backup")


def _check_elsewhere(settings: Settings, former_home: str) -> None:
    """Raises BadSetting unless the database that the backup goes with is given and finds its pictures in this home."""
    if settings.database_url is None:
        raise BadSetting("MAGPIE_DATABASE_URL: this backup goes with a database of its own; restore that and name it")
    if former_home == str(settings.home.absolute()):
        return
    old = f"{former_home.rstrip('/')}/"
    database = open_database(settings)
    try:
        with database.reading() as connection:
            named = connection.execute(select(pictures.c.path).where(func.substr(pictures.c.path, 1, len(old)) == old))
            if named.first():
                raise BadSetting(f"{settings.home}: the database looks for pictures in {former_home}; restore it there")
    finally:
        database.close()


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
