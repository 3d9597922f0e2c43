"""Backups of the SQLite file beside a service that writes, and restoring one while nothing has the database open."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path

from mechtech.database import migrate
from mechtech.database.file import RESTORING, SIDES, DatabaseFile, copied, failure, reading_uri, share
from mechtech.database.sqlite import Transaction
from mechtech.errors import Conflict

TABLES = ("users", "mechanics", "bookings", "service_history", "contact_messages")


def back_up(path: str, file: Path) -> str:
    """Copy the database, as one moment has it, into a new file. Gives in words what it holds; raises Conflict.

    Only its owner may read it from its first byte, and it has another name until it is whole and on the disk.
    """
    part = file.parent / ".unfinished-backup"
    with _refusing(f"Cannot back up into {file}"), _folder(file.parent), closing(share(path)):
        if file.exists():
            raise FileExistsError(None, "it is there already")
        with closing(DatabaseFile(path).connect("rw")) as source, copied(source, part):
            _, content = _inspect(part)
        part.rename(file)
    return content


def restore(path: str, file: Path, latest: int) -> tuple[str, str | None]:
    """Put the backup in the database's place. Gives in words what it holds, and where the old database is, if any.

    latest: the newest version that may be restored. The owner of the folder owns the database then, also where root
    restores it. Raises Conflict.
    """
    new, folder = Path(f"{path}{RESTORING}"), Path(path).absolute().parent
    with _refusing(f"Cannot restore {file}"), closing(share(path, alone=True)) as lock, _folder(folder):
        with closing(sqlite3.connect(reading_uri(file), uri=True)) as source, copied(source, new):
            version, content = _inspect(new)
            migrate.check_not_newer(version, latest)
            _end_tokens_that_ended_since(new, path)
            owner = folder.stat()
            with suppress(PermissionError):  # only root can give files away, and only root needs to
                os.chown(lock.fileno(), owner.st_uid, owner.st_gid)
                os.chown(new, owner.st_uid, owner.st_gid)
        old = _set_aside(path)
        new.rename(path)
    return content, old


@contextmanager
def _refusing(action: str) -> Iterator[None]:
    """The errors of files and databases as Conflict."""
    try:
        yield
    except (OSError, sqlite3.Error, migrate.WrongDatabase) as error:
        reason = str(getattr(error, "strerror", None) or error)
        raise Conflict(f"{action}: {reason.removesuffix('.')}.") from error


@contextmanager
def _folder(path: Path) -> Iterator[None]:
    """One command at a time works in the folder, and waits at its end until the names in it are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _inspect(file: Path) -> tuple[int, str]:
    """A backup's version, and what it holds. Raises sqlite3's errors for a damaged file, and for a foreign one too."""
    with closing(sqlite3.connect(file)) as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise failure(sqlite3.SQLITE_CORRUPT, f"it is damaged: {' '.join(verdict.split())}")
        counts = (connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in TABLES)
        rows = (f"{count:,} {table.replace('_', ' ')}" for table, count in zip(TABLES, counts))
        version = migrate.version(Transaction(connection))
        return version, f"a database of version {version} with {', '.join(rows)}"


def _end_tokens_that_ended_since(new: Path, path: str) -> None:
    """Draw new keys in the backup for the accounts whose key is another one by now, if the database can tell.

    It cannot if it is damaged or missing, or if one of the two is from before there were keys.
    """
    with suppress(sqlite3.Error), closing(DatabaseFile(path).connect("rw")) as present:
        present.execute("ATTACH :new AS backup", {"new": str(new)})
        present.execute(
            """
            UPDATE backup.users
            SET token_key = lower(hex(randomblob(16)))
            WHERE (id, token_key) IS NOT (SELECT id, token_key FROM main.users AS now WHERE now.id = users.id)
            """
        )


def _set_aside(path: str) -> str | None:
    """Give the database another name; None if there was none."""
    old = next(name for number in count(1) if not os.path.exists(name := f"{path}.old-{number}"))
    for side in SIDES:
        with suppress(FileNotFoundError):
            os.rename(f"{path}{side}", f"{old}{side}")
    Path(f"{path}-shm").unlink(missing_ok=True)
    return old if os.path.exists(old) else None
