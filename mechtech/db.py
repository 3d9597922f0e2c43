"""The only place that opens SQLite connections.

A Database belongs to one process. Its connections are opened after the fork, at first use, and kept: a few that read,
one that writes. A thread has one to itself while its statements run, never while it waits for a client.
"""

import os
import sqlite3
import time
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock
from typing import NamedTuple
from urllib.parse import quote

from flask import current_app

from mechtech.errors import Invalid

SCHEMA_VERSION = 1
READERS = 2  # connections; more would only wait for Python's turn, and keep pages of their own
CACHE_KIB = 512  # a connection; the system's own cache is behind it
BUSY_SECONDS = 5.0  # how long a statement waits for the locks of others
RETRY_SECONDS = 0.0002  # SQLite's own waiting backs off to 100 ms, and starves beside a busy writer
LEFT_AT_MOST = 64  # transactions in one commit
ORPHAN_SECONDS = 0.1
PROOF_SECONDS = 1.0  # how long check() believes the disk that took a write


class Stamp(NamedTuple):
    """Which file stands at the path, in which state."""

    inode: int
    changed: int  # nanoseconds
    empty: bool


class Connection(sqlite3.Connection):
    stamp: Stamp | None = None  # what it was opened on


class Batch:
    """Transactions that are committed together."""

    def __init__(self):
        self.ended = Event()
        self.error: BaseException | None = None


class Database:
    """One SQLite file with its tables. Rows come out as dicts; errors are sqlite3's own.

    synchronous: FULL keeps a commit through a power cut, OFF through the death of the process only.
    adopt: called with a connection, in a transaction, and with what makes the tables, for a file that is not ours yet.
    """

    def __init__(self, path: str, schema: str, synchronous: str = "FULL", adopt=lambda tx, make_tables: make_tables()):
        self.path = path
        self._schema = schema
        self._synchronous = synchronous
        self._adopt = adopt
        self._made = False
        self._connecting = Lock()
        self._known = set()  # inodes
        self._readers = SimpleQueue()
        for _ in range(READERS):
            self._readers.put(None)
        self._writer = None
        self._writer_lock = Lock()
        self._waiting = deque()  # an element for each thread that waits for the writer
        self._batch = None  # what was left to another to commit
        self._left = 0
        self._proved = 0.0

    def one(self, sql: str, params=()) -> dict | None:
        """The first row of a reading statement."""
        found = self.all(sql, params)
        return found[0] if found else None

    def all(self, sql: str, params=()) -> list[dict]:
        """Every row of a reading statement."""
        connection = self._take_reader()
        try:
            return rows(connection.execute(sql, params))
        finally:
            self._readers.put(connection)

    def write(self, sql: str, params=()) -> list[dict]:
        """One atomic statement, and the rows it returns."""
        if self._synchronous == "FULL":
            with self.transaction() as tx:
                return rows(tx.execute(sql, params))
        with self._writing() as (connection, deadline):  # nothing is gained by waiting for a flush that never comes
            return rows(_patiently(deadline, connection.execute, sql, params))

    @contextmanager
    def transaction(self):
        """A connection in an immediate transaction: what is read in it stays true until it is committed.

        While others of this process wait for their turn, it is left to the last of them to commit for all: one flush
        of the disk. Each can still be undone alone, and none returns before the commit.
        """
        with self._writing() as (connection, deadline):
            joins = connection.in_transaction
            _patiently(deadline, connection.execute, "SAVEPOINT one" if joins else "BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException as error:
                if not connection.in_transaction:  # SQLite undid all of it: the disk is full, say
                    self._end_batch(error)
                elif joins:
                    connection.execute("ROLLBACK TO one")
                    self._commit_or_leave(connection)
                else:
                    connection.execute("ROLLBACK")
                raise
            if joins:
                connection.execute("RELEASE one")
            batch = self._commit_or_leave(connection)
        if batch is not None:
            self._wait_for(batch)

    def _commit_or_leave(self, connection: Connection) -> Batch | None:
        """Commit, or return what tells when another has."""
        if self._waiting and self._left < LEFT_AT_MOST:
            self._left += 1
            self._batch = self._batch or Batch()
            return self._batch
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._end_batch(error)
            raise
        self._end_batch(None)
        return None

    def _end_batch(self, error: BaseException | None) -> None:
        self._left = 0
        if self._batch is not None:
            self._batch.error = error
            self._batch.ended.set()
            self._batch = None

    def _wait_for(self, batch: Batch) -> None:
        while not batch.ended.wait(ORPHAN_SECONDS):
            with self._writing() as (connection, _):  # whoever waited has given up meanwhile
                if batch is self._batch:
                    self._left = LEFT_AT_MOST
                    self._commit_or_leave(connection)
        if batch.error is not None:
            raise batch.error

    def check(self) -> None:
        """Raise what a request would meet: can the file be read, its lock be had, does the disk take a write?"""
        with self.transaction() as connection:
            prove = time.monotonic() - self._proved > PROOF_SECONDS
            if prove:
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        if prove:
            self._proved = time.monotonic()

    def make(self) -> None:
        """Make the file and its tables where they are missing; several processes may do it at once."""
        _patiently(time.monotonic() + BUSY_SECONDS, self._make)
        self._made = True

    def _make(self) -> None:
        connection = self._connect("rwc")
        try:
            connection.execute("BEGIN IMMEDIATE")
            self._adopt(connection, lambda: run_script(connection, self._schema))
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")  # after that, so that the version is in the file itself
        finally:
            connection.close()

    def _take_reader(self) -> Connection:
        connection = self._readers.get()
        try:
            return self._current(connection)
        except BaseException:
            self._readers.put(connection)
            raise

    @contextmanager
    def _writing(self):
        """The connection that writes, and by when it must have its lock. One thread at a time."""
        deadline = time.monotonic() + BUSY_SECONDS
        self._waiting.append(None)
        acquired = self._writer_lock.acquire(timeout=BUSY_SECONDS)
        self._waiting.pop()
        if not acquired:
            raise _failure(sqlite3.SQLITE_BUSY, "the other requests of this process keep the database busy")
        try:
            if self._batch is None:
                connection = self._current(self._writer)
                if connection is not self._writer:
                    connection.execute("PRAGMA busy_timeout = 0")  # _patiently() waits better
                    self._writer = connection
            yield self._writer, deadline
        except sqlite3.Error:
            self._proved = 0.0
            raise
        finally:
            self._writer_lock.release()

    def _current(self, connection: Connection | None) -> Connection:
        """The connection itself, or a new one if the file was replaced or written to since.

        SQLite goes on with a file that was replaced or overwritten beneath it, and what it acknowledges then is lost.
        Our own checkpoints write to the file too, rarely enough. The old connection is closed only when the new one
        is open: the last to close would clear the write-ahead log away.
        """
        if connection is not None and connection.stamp == self._stamp():
            return connection
        if not self._made:
            self.make()
        stamp = self._stamp()
        fresh = self._connect("rw")
        fresh.stamp = stamp
        if connection is not None:
            connection.close()
        return fresh

    def _stamp(self) -> Stamp | None:
        try:
            stat = os.stat(self.path)
        except FileNotFoundError:
            return None
        return Stamp(stat.st_ino, stat.st_mtime_ns, stat.st_size == 0)

    def _connect(self, mode: str) -> Connection:
        with self._connecting:
            self._check_file()
            connection = sqlite3.connect(
                f"file:{quote(str(Path(self.path).absolute()))}?mode={mode}",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,  # a transaction begins and ends where the code says so
                check_same_thread=False,  # one thread at a time, but not always the same
                factory=Connection,
            )
            try:
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute(f"PRAGMA synchronous = {self._synchronous}")
                connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
                connection.create_function("casefold", 1, str.casefold, deterministic=True)
                connection.execute("PRAGMA user_version").fetchone()  # is it a database at all?
            except BaseException:
                connection.close()
                raise
            return connection

    def _check_file(self) -> None:
        """Raise for a file that SQLite must not open, before it does.

        Beside an empty or a foreign file it would take our write-ahead log for a leftover, and clear it away.
        """
        log = Path(f"{self.path}-wal")
        must_be_ours = self._made or (log.exists() and log.stat().st_size > 0)
        stamp = self._stamp()  # after the log: another process may be making both
        if stamp is None or stamp.empty:
            if must_be_ours:
                raise _failure(sqlite3.SQLITE_CANTOPEN, f"{self.path} is gone or empty")
            return
        if stamp.inode in self._known:  # to close a file of our own would end SQLite's locks on all connections to it
            return
        with open(self.path, "rb") as file:
            header = file.read(64)
        version = int.from_bytes(header[60:64])  # user_version
        if header[:16] != b"SQLite format 3\0" or (version != SCHEMA_VERSION and (version or must_be_ours)):
            raise _failure(sqlite3.SQLITE_NOTADB, f"{self.path} is not a database of ours")
        self._known.add(stamp.inode)


def rows(cursor: sqlite3.Cursor) -> list[dict]:
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row)) for row in cursor]


def run_script(tx: sqlite3.Connection, script: str) -> None:
    """Run its statements within the transaction; executescript() would end it."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            tx.execute(statement)
            statement = ""
    tx.execute(statement)  # the last may come without its semicolon


@contextmanager
def refusing_duplicates(fields: dict[str, str]):
    """Turns a UNIQUE that is broken within into Invalid with these fields."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_UNIQUE:
            raise
        raise Invalid(fields=fields) from None


def get_db() -> Database:
    """The database of the app at work."""
    return current_app.extensions["mechtech.db"]


def _failure(code: int, text: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


def _patiently(deadline: float, execute, *args):
    """Call execute until the database is not busy or the deadline is past."""
    while True:
        try:
            return execute(*args)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(RETRY_SECONDS)
