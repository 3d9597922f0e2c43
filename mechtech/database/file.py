"""Opening the one SQLite file of a Database, and noticing when it is not the same any more."""

import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import IO, NamedTuple
from urllib.parse import quote

from mechtech.database import migrate
from mechtech.database.locks import failure, patiently, share

CACHE_KIB = 512  # a connection; the system's own cache is behind it
BUSY_SECONDS = 5.0  # how long a statement waits for the locks of others
RESTORING = ".restoring"  # the end of a file's name; one without its database is of a restore that was interrupted
DOUBTFUL = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Stamp(NamedTuple):
    """Which file stands at the path, in which state."""

    inode: int
    changed: int  # nanoseconds
    empty: bool


class Connection(sqlite3.Connection):
    stamp: Stamp | None = None  # what it was opened on

    def doubt(self, error: BaseException) -> None:
        """Have it opened anew after an error that may come from how, or when, it was opened: the cause may be gone."""
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in DOUBTFUL:
            self.stamp = None


class DatabaseFile:
    """Makes the tables, and opens connections. Its arguments are Database's."""

    def __init__(self, path: str, schema: str, migrations: Sequence[str]):
        self.path = path
        self._schema = schema
        self._migrations = migrations
        self._made = False
        self._lock: IO | None = None
        self._connecting = Lock()
        self._inode: int | None = None  # of the file that this process works with

    def current(self, connection: Connection | None) -> Connection:
        """The connection itself, or a new one if the file was written to since. Raises for a file that was replaced.

        SQLite goes on with a file that was replaced or overwritten beneath it, and what it acknowledges then is lost.
        Our own checkpoints write to the file too, rarely enough. The old connection is closed only when the new one
        is open: the last to close would clear the write-ahead log away.
        """
        if connection is not None and connection.stamp == self._stamp():
            return connection
        if not self._made:
            self.make()
        stamp = self._stamp()
        fresh = self.connect("rw")
        fresh.stamp = stamp
        if connection is not None:
            connection.close()
        return fresh

    def make(self) -> None:
        """Make the file and its tables where they are missing; several processes may do it at once."""
        patiently(time.monotonic() + BUSY_SECONDS, self._make)
        self._made = True

    def _make(self) -> None:
        self._lock = self._lock or share(self.path)  # kept as long as the process lives
        connection = self.connect("rwc")
        latest = len(self._migrations)
        try:
            connection.execute("BEGIN IMMEDIATE")
            found = migrate.version(connection)
            migrate.check_not_newer(found, latest)
            if found == 0:  # a new database gets the result of all migrations at once
                run_script(connection, self._schema)
            elif found < latest:
                migrate.copy_aside(self.path, found)
                for script in self._migrations[found:]:
                    run_script(connection, script)
            if found < latest:
                migrate.record(connection, found + 1 if found > 1 else 1, latest)
            connection.execute(f"PRAGMA user_version = {latest}")  # always: a read-only file must fail here
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")  # after that, so that the version is in the file itself
        finally:
            connection.close()

    def log_size(self) -> int:
        """Of the write-ahead log, in bytes."""
        return _size(f"{self.path}-wal")

    def version(self) -> int:
        """The number of the last migration that has run; 0 for a database that is not made yet."""
        if self._stamp() is None:
            return 0
        with closing(self.connect("rw")) as connection:
            return migrate.version(connection)

    def _stamp(self) -> Stamp | None:
        try:
            stat = os.stat(self.path)
        except OSError:
            return None
        return Stamp(stat.st_ino, stat.st_mtime_ns, stat.st_size == 0)

    def connect(self, mode: str) -> Connection:
        """A new connection; mode: "rw", or "rwc" to make the file where it is missing. Raises sqlite3's errors."""
        with self._connecting:
            checked = self._check_file()
            connection = sqlite3.connect(
                f"file:{quote(os.fsencode(Path(self.path).absolute()))}?mode={mode}",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,  # a transaction begins and ends where the code says so
                check_same_thread=False,  # one thread at a time, but not always the same
                factory=Connection,
            )
            try:
                opened = self._stamp()
                if opened is None or (checked and opened.inode != checked.inode):  # and it has not looked into it yet
                    raise failure(sqlite3.SQLITE_CANTOPEN, f"{self.path} was replaced this moment")
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("PRAGMA synchronous = FULL")  # a commit lasts through a power cut
                connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
                connection.execute("PRAGMA wal_autocheckpoint = 0")  # the writer runs checkpoints
                connection.execute("PRAGMA journal_size_limit = 0")  # a log that begins anew is cut to what it holds
                connection.create_function("casefold", 1, _casefold, deterministic=True)
                connection.execute("PRAGMA user_version").fetchone()  # is it a database at all?
            except BaseException:
                connection.close()
                raise
            return connection

    def _check_file(self) -> Stamp | None:
        """Raise for a file that SQLite must not open, before it does. None: there is none yet.

        Beside an empty or a foreign file it would take our write-ahead log for a leftover, and clear it away.
        """
        must_be_ours = self._made or self.log_size() > 0 or os.path.exists(f"{self.path}{RESTORING}")
        stamp = self._stamp()  # after the log: another process may be making both
        if stamp is None or stamp.empty:
            if must_be_ours:
                raise failure(sqlite3.SQLITE_CANTOPEN, f"{self.path} is gone or empty")
            return stamp
        if stamp.inode == self._inode:  # to open and close it here would end SQLite's locks on all connections to it
            return stamp
        if self._inode is not None:
            raise failure(sqlite3.SQLITE_CANTOPEN, f"{self.path} was replaced: restart the service, or put it back")
        try:
            with open(self.path, "rb") as file:
                header = file.read(64)
        except OSError as error:
            raise failure(sqlite3.SQLITE_CANTOPEN, f"{self.path} cannot be read") from error
        version = int.from_bytes(header[60:64])  # user_version
        if header[:16] != b"SQLite format 3\0" or (must_be_ours and version == 0 and self._migrations):
            raise failure(sqlite3.SQLITE_NOTADB, f"{self.path} is not a database of ours")
        self._inode = stamp.inode
        return stamp


def _casefold(text: str | None) -> str | None:
    return None if text is None else text.casefold()


def _size(path: str) -> int:
    """In bytes; 0 for a file that is not there."""
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def run_script(tx: sqlite3.Connection, script: str) -> None:
    """Run its statements within the transaction; executescript() would end it."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            tx.execute(statement)
            statement = ""
    tx.execute(statement)  # the last may come without its semicolon
