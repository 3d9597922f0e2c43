"""The database: reads, writes, transactions and snapshots in raw SQL, with rows as dicts.

A Database belongs to one process. Its connections are opened at first use, after the fork, and kept: a few that read,
and the one of the writer thread.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TypeVar

from flask import current_app

from mechtech.database.file import BUSY_SECONDS, Connection, DatabaseFile, failure, run_script
from mechtech.database.writer import Writer
from mechtech.errors import Unavailable

Result = TypeVar("Result")

READERS = 4  # connections; more would only keep page caches of their own
PROOF_SECONDS = 1.0  # how long check() relies on the last write that it made
# sqlite3's codes for a statement that is wrong, which is a mistake of ours. Whatever else the database reports is its
# own state: locked, full, read-only, damaged or gone.
OUR_MISTAKES = (
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_MISUSE,
    sqlite3.SQLITE_RANGE,
)


class Duplicate(Exception):
    """A row that breaks a UNIQUE constraint. constraint: its table and columns, such as "users.email"."""

    def __init__(self, constraint: str):
        super().__init__(constraint)
        self.constraint = constraint


class Transaction:
    """What the work of a transaction or a snapshot reads and writes with."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def one(self, sql: str, params: Mapping = {}) -> dict | None:
        """The first row, or None."""
        rows = self.all(sql, params)
        return rows[0] if rows else None

    def all(self, sql: str, params: Mapping = {}) -> list[dict]:
        """Every row."""
        cursor = self._connection.execute(sql, params)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row)) for row in cursor.fetchall()]

    def write(self, sql: str, params: Mapping = {}) -> list[dict]:
        """Run a statement that writes; the rows that it returns."""
        return self.all(sql, params)

    def script(self, script: str) -> None:
        """Run the statements of a script, such as seed.sql."""
        run_script(self._connection, script)


class Database:
    """One SQLite file with its tables. Every method may raise Unavailable, and those that write Duplicate.

    schema: the script for a new file. migrations: the scripts that lead there, of which the first is version 1.
    """

    def __init__(self, path: str, schema: str, migrations: Sequence[str] = ("",)):
        self.path = path
        self.latest = len(migrations)
        self._file = DatabaseFile(path, schema, migrations)
        self._readers: SimpleQueue[Connection | None] = SimpleQueue()
        for _ in range(READERS):
            self._readers.put(None)
        self._writer = Writer(self._file)
        self._proved = 0.0

    def version(self) -> int:
        """The number of the last migration that has run; 0 for a database that is not made yet."""
        with _translated_errors():
            return self._file.version()

    def make(self) -> None:
        """Make the tables of a new database, or run the migrations that are due. Raises NewerDatabase."""
        with _translated_errors():
            self._file.make()

    def one(self, sql: str, params: Mapping = {}) -> dict | None:
        """The first row of a reading statement, or None."""
        with self._reader() as connection:
            return Transaction(connection).one(sql, params)

    def all(self, sql: str, params: Mapping = {}) -> list[dict]:
        """Every row of a reading statement."""
        with self._reader() as connection:
            return Transaction(connection).all(sql, params)

    def snapshot(self, work: Callable[[Transaction], Result]) -> Result:
        """What work(tx) returns; all that it reads belongs to one state of the database."""
        with self._reader() as connection:
            connection.execute("BEGIN")
            try:
                return work(Transaction(connection))
            finally:
                if connection.in_transaction:
                    connection.execute("COMMIT")

    def write(self, sql: str, params: Mapping = {}) -> list[dict]:
        """One statement that writes, and the rows that it returns."""
        return self.transaction(lambda tx: tx.write(sql, params))

    def transaction(self, work: Callable[[Transaction], Result]) -> Result:
        """What work(tx) returns, once all that it wrote is committed; if it raises, nothing of it is.

        It runs in another thread, where there is no request.
        """
        with _translated_errors():
            return self._writer.run(lambda connection: work(Transaction(connection)))

    def check(self) -> None:
        """Raise Unavailable if a write would: the file cannot be opened, is locked, or its disk takes no write."""
        if time.monotonic() - self._proved > PROOF_SECONDS:
            self.write("PRAGMA application_id = 0")  # it is 0 already, yet it is written
            self._proved = time.monotonic()
        else:
            self.transaction(lambda tx: None)  # takes the lock that a write needs

    @contextmanager
    def _reader(self) -> Iterator[Connection]:
        """A reading connection, for as long as the block lasts."""
        with _translated_errors():
            try:
                connection = self._readers.get(timeout=BUSY_SECONDS)
            except Empty:
                text = "the other requests of this process keep the database busy"
                raise failure(sqlite3.SQLITE_BUSY, text) from None
            try:
                connection = self._file.current(connection)
                yield connection
            except sqlite3.Error as error:
                if connection is not None:
                    connection.doubt(error)
                raise
            finally:
                self._readers.put(connection)


@contextmanager
def _translated_errors() -> Iterator[None]:
    """sqlite3's errors as Duplicate and Unavailable. A statement that is wrong stays an error of sqlite3's."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code in (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY):
            raise Duplicate(str(error).rpartition(": ")[2]) from None
        if code is None or code & 0xFF in OUR_MISTAKES:
            raise
        raise Unavailable(retry_after=1) from error


def get_db() -> Database:
    """The database of the app at work."""
    return current_app.extensions["mechtech.db"]
