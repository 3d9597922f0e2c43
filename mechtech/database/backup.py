"""Backups of the SQLite file beside a service that writes, and restoring one while nothing has the database open."""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from secrets import token_urlsafe
from typing import IO, NamedTuple

from mechtech.database import migrate
from mechtech.database.file import RESTORING, DatabaseFile
from mechtech.database.locks import failure, share

TABLES = ("users", "mechanics", "bookings", "service_history", "contact_messages")
SIDES = ("", "-wal", "-journal")  # the ends of the names of the files that are one database


class BackupRefused(Exception):
    """The text is one line that says why."""


class Content(NamedTuple):
    version: int
    rows: dict[str, int]  # by table


def back_up(path: str, file: Path) -> Content:
    """Copy the database, as one moment has it, into a new file. Gives what it holds; raises BackupRefused.

    Only its owner may read it from its first byte, and it has another name until it is whole and on the disk.
    """
    part = file.with_name(".unfinished-backup")
    with _refusing(f"Cannot back up into {file}"), _one_at_a_time(file.parent), closing(share(path)):
        if file.exists():
            raise FileExistsError(None, "it is there already")
        try:
            _remove(part)
            _create(part).close()
            with closing(_open(path)) as connection:
                connection.execute("VACUUM INTO :part", {"part": str(part)})
            content = _inspect(part)
            _flush(part)
            part.rename(file)
            _flush(file.parent)
        finally:
            _remove(part)
    return content


def restore(path: str, file: Path, latest: int) -> tuple[Content, str | None]:
    """Put the backup in the database's place. Gives what it holds, and where the old database is, if there was one.

    latest: the newest version that may be restored. Raises BackupRefused.
    """
    new, folder = Path(f"{path}{RESTORING}"), Path(path).absolute().parent
    with _refusing(f"Cannot restore {file}"), closing(share(path, alone=True)) as lock:
        try:
            _remove(new)
            for side in SIDES:
                if not side or os.path.exists(f"{file}{side}"):
                    with open(f"{file}{side}", "rb") as source, _create(f"{new}{side}") as target:
                        shutil.copyfileobj(source, target)
            content = _inspect(new)
            migrate.check_not_newer(content.version, latest)
            _end_tokens_that_ended_since(new, path)
            owner = folder.stat()
            with suppress(PermissionError):  # only root can give files away, and only root needs to
                os.chown(new, owner.st_uid, owner.st_gid)
                os.chown(lock.fileno(), owner.st_uid, owner.st_gid)
            _flush(new)
        except BaseException:
            _remove(new)
            raise
        old = _set_aside(path)
        new.rename(path)
        _flush(folder)
    return content, old


@contextmanager
def _refusing(action: str) -> Iterator[None]:
    """The errors of files and databases as BackupRefused."""
    try:
        yield
    except (OSError, sqlite3.Error, migrate.WrongDatabase) as error:
        raise BackupRefused(f"{action}: {getattr(error, 'strerror', None) or error}.") from error


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open(path: str) -> sqlite3.Connection:
    """A connection that makes, migrates and clears nothing."""
    return DatabaseFile(path, "", ("",)).connect("rw")


def _inspect(file: Path) -> Content:
    """What a backup holds. Raises sqlite3's errors for a damaged or a foreign file."""
    with closing(_open(str(file))) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # all of it is in the one file then
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise failure(sqlite3.SQLITE_CORRUPT, f"it is damaged: {' '.join(verdict.split())}")
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if not names.issuperset(TABLES) or connection.execute("PRAGMA user_version").fetchone() == (0,):
            raise failure(sqlite3.SQLITE_NOTADB, "it is not a database of this service")
        rows = {table: connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in TABLES}
        return Content(migrate.version(connection), rows)


def _end_tokens_that_ended_since(new: Path, path: str) -> None:
    """Draw new keys in the backup for the accounts whose key is another one by now, if the database can tell."""
    keys = "SELECT id, token_key FROM users"
    with closing(_open(str(new))) as backup:
        try:
            with closing(_open(path)) as present:
                ended = set(backup.execute(keys)) - set(present.execute(keys))
        except sqlite3.Error:  # it is damaged or missing, or one of the two is from before there were keys
            return
        for id, _ in ended:
            backup.execute("UPDATE users SET token_key = :key WHERE id = :id", {"key": token_urlsafe(16), "id": id})


def _set_aside(path: str) -> str | None:
    """Give the database another name; None if there was none."""
    old = next(name for number in count(1) if not os.path.exists(name := f"{path}.old-{number}"))
    for side in SIDES:
        with suppress(FileNotFoundError):
            os.rename(f"{path}{side}", f"{old}{side}")
    Path(f"{path}-shm").unlink(missing_ok=True)
    return old if os.path.exists(old) else None


def _create(file: Path | str) -> IO:
    """The new file, which only its owner may read."""
    return open(file, "xb", opener=lambda name, flags: os.open(name, flags, 0o600))


def _remove(file: Path) -> None:
    for side in (*SIDES, "-shm"):
        Path(f"{file}{side}").unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Wait until the file, or the names in the folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
