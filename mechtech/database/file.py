"""The SQLite file of a Database: its connections, the lock beside it, and whether it is still the same file."""

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import IO
from urllib.parse import quote

from mechtech.database import Result

CACHE_KIB = 512  # a connection; the system's own cache is behind it
BUSY_SECONDS = 5.0  # how long a statement waits for the locks of others
RETRY_SECONDS = 0.0002  # SQLite's own waiting backs off to 100 ms, and starves beside a busy writer
RESTORING = ".restoring"  # the end of a file's name; one without its database is of a restore that was interrupted
SIDES = ("", "-wal", "-journal")  # the ends of the names of the files that are one database


class Connection(sqlite3.Connection):
    stamp: tuple[int, int] | None = None  # the file's inode and time when this was opened; None: open it anew


class DatabaseFile:
    """Opens the connections of this process to the one file at path."""

    def __init__(self, path: str):
        self.path = path
        self._connecting = Lock()
        self._inode: int | None = None  # of the file that this process works with

    def current(self, connection: Connection | None) -> Connection:
        """The connection itself, or a new one if the file was written to since. Raises for a file that was replaced.

        SQLite goes on with a file that was replaced or overwritten beneath it, and what it acknowledges then is lost.
        Our own checkpoints write to the file too, rarely enough. The old connection is closed only when the new one
        is open: the last to close would clear the write-ahead log away.
        """
        stat = _stat(self.path)
        stamp = stat and (stat.st_ino, stat.st_mtime_ns)
        if connection is not None and stamp is not None and connection.stamp == stamp:
            return connection
        fresh = self.connect("rw")
        if os.access(self.path, os.W_OK):  # SQLite opens it all the same, but only to read from
            fresh.stamp = stamp
        if connection is not None:
            connection.close()
        return fresh

    def connect(self, mode: str) -> Connection:
        """A new connection; mode: "rw", or "rwc" to make the file where it is missing. Raises sqlite3's errors."""
        with self._connecting:
            self._check()
            connection = sqlite3.connect(
                uri(self.path, mode),
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,  # a transaction begins and ends where the code says so
                check_same_thread=False,  # one thread at a time, but not always the same
                factory=Connection,
            )
            try:
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("PRAGMA synchronous = FULL")  # a commit lasts through a power cut
                connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
                connection.execute("PRAGMA wal_autocheckpoint = 0")  # the writer runs checkpoints
                connection.execute("PRAGMA journal_size_limit = 0")  # a log that begins anew is cut to what it holds
                connection.create_function("casefold", 1, lambda text: text and text.casefold(), deterministic=True)
                connection.execute("PRAGMA user_version").fetchone()  # is it a database at all?
                self.recognize()
            except BaseException:
                connection.close()
                raise
            return connection

    def recognize(self) -> None:
        """Accept no other file from now on, unless this one is empty. Raises for one that was replaced meanwhile."""
        stat = _stat(self.path)
        if stat and stat.st_size > 0:
            self._check_inode(stat)
            self._inode = stat.st_ino

    def log_size(self) -> int:
        """The size of the write-ahead log, in bytes."""
        stat = _stat(f"{self.path}-wal")
        return stat.st_size if stat else 0

    def _check(self) -> None:
        """Raise for a file that SQLite must not open, before it does.

        Beside an empty or a foreign file it would take our write-ahead log for a leftover, and clear it away.
        """
        has_log = self.log_size() > 0
        stat = _stat(self.path)  # after the log: another process may be making both
        if stat is None or stat.st_size == 0:
            if self._inode or has_log or os.path.exists(f"{self.path}{RESTORING}"):
                raise failure(sqlite3.SQLITE_CANTOPEN, f"{self.path} is gone or empty")
            return
        self._check_inode(stat)
        # Only before the first connection: closing the file would end SQLite's locks on it in this process.
        if self._inode is None and has_log and _header(self.path)[60:64] in (b"", bytes(4)):  # user_version
            raise failure(sqlite3.SQLITE_NOTADB, f"{self.path} is not a database of ours")

    def _check_inode(self, stat: os.stat_result) -> None:
        if self._inode not in (None, stat.st_ino):
            raise failure(sqlite3.SQLITE_CANTOPEN, f"{self.path} was replaced: restart the service, or put it back")


def _stat(path: str) -> os.stat_result | None:
    """None for a file that is not there."""
    with suppress(OSError):
        return os.stat(path)
    return None


def _header(path: str | Path) -> bytes:
    """The first bytes of a file that is a SQLite database; of another, or of none, nothing."""
    with suppress(OSError), open(path, "rb") as file:
        header = file.read(64)
        if header.startswith(b"SQLite format 3\0"):
            return header
    return b""


def uri(path: str | Path, mode: str) -> str:
    """The file's name for SQLite."""
    return f"file:{quote(os.fsencode(Path(path).absolute()))}?mode={mode}"


def reading_uri(path: str | Path) -> str:
    """The name by which SQLite reads the file, and writes nothing to it or beside it.

    To read a database in WAL mode, SQLite makes files beside it, unless it is told that the file is immutable. It is
    told so where there is no write-ahead log: no process has the database open then.
    """
    is_wal = _header(path)[18:19] == b"\x02"
    return uri(path, "ro&immutable=1" if is_wal and not os.path.exists(f"{path}-wal") else "ro")


@contextmanager
def copied(source: sqlite3.Connection, target: str | Path) -> Iterator[None]:
    """Copy all of it, as one moment has it, into one file that only its owner may read.

    The file is removed if the block raises.
    """
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        with closing(sqlite3.connect(target)) as copy:
            copy.execute("PRAGMA locking_mode = EXCLUSIVE")  # so that no file of shared memory stands beside it
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # nor a log
        yield
    except BaseException:
        for side in SIDES:
            with suppress(OSError):
                os.unlink(f"{target}{side}")
        raise


def share(path: str, alone: bool = False) -> IO:
    """A shared lock on the file beside the database, or alone an exclusive one, until it is closed or its process ends.

    All that open the database share it; a restore has it alone. Raises sqlite3's error where it cannot be had.
    """
    try:
        file = os.fdopen(os.open(f"{path}.lock", os.O_RDONLY | os.O_CREAT, 0o644))
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        return file
    except BlockingIOError as error:
        text = "the service, or a command, has the database open" if alone else "the database is being restored"
        raise failure(sqlite3.SQLITE_BUSY, text) from error
    except OSError as error:
        raise failure(sqlite3.SQLITE_CANTOPEN, str(error)) from error


def patiently(deadline: float, execute: Callable[[], Result]) -> Result:
    """Call execute until the database is not busy or the deadline is past."""
    while True:
        try:
            return execute()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(RETRY_SECONDS)


def failure(code: int, text: str) -> sqlite3.OperationalError:
    """An error with this code, as sqlite3 raises them."""
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error
