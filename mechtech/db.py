"""The connections to SQLite, which database_file.py opens, and what runs on them.

A Database belongs to one process. Its connections are opened after the fork, at first use, and kept: a few that read,
one that writes. A thread has one to itself while its statements run, never while it waits for a client.
"""

import sqlite3
import time
from collections import deque
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event, Lock

from flask import current_app

from mechtech.database_file import BUSY_SECONDS, SCHEMA_VERSION, Connection, DatabaseFile, failure, patiently
from mechtech.errors import Invalid

READERS = 2  # connections; more would only wait for Python's turn, and keep pages of their own
KNOWN_AT_MOST = 64  # rows that a reader keeps in mind, with texts
SHORT = 64 * 1024  # characters
NOTHING = "DELETE FROM users WHERE 0"  # but with the lock and the rights of a write
LEFT_AT_MOST = 64  # transactions in one commit
ORPHAN_SECONDS = 0.1  # after which whoever left a commit to another looks whether it was made
PROOF_SECONDS = 1.0  # how long check() believes the disk that took a write


class Batch:
    """Transactions that are committed together."""

    def __init__(self):
        self.ended = Event()
        self.error: BaseException | None = None


class Database:
    """One SQLite file with its tables. Rows come out as dicts; errors are sqlite3's own.

    adopt: called with a connection, in a transaction, and with what makes the tables, for a file that is not ours yet.
    """

    def __init__(self, path: str, schema: str, adopt=lambda tx, make_tables: make_tables()):
        self.path = path
        self._file = DatabaseFile(path, schema, adopt)
        self.make = self._file.make
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
        """The first row of a reading statement.

        Read once for as long as nothing is committed by anybody: SQLite tells, from what its own page cache relies on.
        """
        key = sql, *(params.values() if isinstance(params, dict) else params)
        connection = self._take_reader()
        try:
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            if version != connection.version:
                connection.version, connection.known = version, {}
            found = connection.known.get(key)
            if found is None:
                cursor = connection.execute(sql, params)
                found = [column[0] for column in cursor.description], cursor.fetchall()[:1]
                if len(connection.known) < KNOWN_AT_MOST and _are_short(found[1]):
                    connection.known[key] = found
        finally:
            self._readers.put(connection)
        names, row = found
        return dict(zip(names, *row)) if row else None

    def all(self, sql: str, params=()) -> list[dict]:
        """Every row of a reading statement."""
        connection = self._take_reader()
        try:
            return rows(connection.execute(sql, params))
        finally:
            self._readers.put(connection)

    def write(self, sql: str, params=()) -> list[dict]:
        """One atomic statement, and the rows it returns."""
        with self.transaction() as tx:
            return rows(tx.execute(sql, params))

    @contextmanager
    def transaction(self):
        """A connection in an immediate transaction: what is read in it stays true until it is committed.

        While others of this process wait for their turn, it is left to the last of them to commit for all: one flush
        of the disk. Each can still be undone alone, and none returns before the commit.
        """
        deadline = self._take_writer()
        connection = self._writer
        try:
            joins = connection.in_transaction
            patiently(deadline, connection.execute, "SAVEPOINT one" if joins else "BEGIN IMMEDIATE")
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
        except sqlite3.Error:
            self._proved = 0.0
            raise
        finally:
            self._writer_lock.release()
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
            self._take_writer()  # whoever waited has given up meanwhile
            try:
                if batch is self._batch:
                    self._left = LEFT_AT_MOST
                    self._commit_or_leave(self._writer)
            finally:
                self._writer_lock.release()
        if batch.error is not None:
            raise batch.error

    def check(self) -> None:
        """Raise what a request would meet: can the file be read, its lock be had, does the disk take a write?"""
        if time.monotonic() - self._proved > PROOF_SECONDS:
            with self.transaction() as connection:
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            self._proved = time.monotonic()
            return
        deadline = self._take_writer()
        try:
            if self._batch is None:
                patiently(deadline, self._writer.execute, NOTHING)
            else:
                self._commit_or_leave(self._writer)
        except sqlite3.Error:
            self._proved = 0.0
            raise
        finally:
            self._writer_lock.release()

    def _take_reader(self) -> Connection:
        connection = self._readers.get()
        try:
            return self._file.current(connection)
        except BaseException:
            self._readers.put(connection)
            raise

    def _take_writer(self) -> float:
        """Lock _writer for this thread, which must release it; by when a statement must have the file's own lock."""
        deadline = time.monotonic() + BUSY_SECONDS
        self._waiting.append(None)
        acquired = self._writer_lock.acquire(timeout=BUSY_SECONDS)
        self._waiting.pop()
        if not acquired:
            raise failure(sqlite3.SQLITE_BUSY, "the other requests of this process keep the database busy")
        try:
            if self._batch is None:
                connection = self._file.current(self._writer)
                if connection is not self._writer:
                    connection.execute("PRAGMA busy_timeout = 0")  # patiently() waits better
                    self._writer = connection
        except BaseException:
            self._proved = 0.0
            self._writer_lock.release()
            raise
        return deadline


def _are_short(found: list[tuple]) -> bool:
    return all(len(value) < SHORT for row in found for value in row if isinstance(value, str))


def rows(cursor: sqlite3.Cursor) -> list[dict]:
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row)) for row in cursor]


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
