"""SQLite: a file with its tables, a few connections that read, and the writer thread with the one that writes."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import IO

from mechtech import database
from mechtech.database import Duplicate, Result, migrate
from mechtech.database.file import BUSY_SECONDS, Connection, DatabaseFile, copied, failure, patiently, share
from mechtech.database.writer import Writer
from mechtech.errors import Unavailable
from mechtech.signals import waiting

READERS = 4  # connections; more would only keep page caches of their own


class Transaction(database.Transaction):
    """On one connection, which is at most one thread's at a time."""

    def __init__(self, connection: sqlite3.Connection):
        self._connection = connection

    def all(self, sql: str, params: Mapping = {}, lock: bool = False) -> list[dict]:
        cursor = self._connection.execute(sql, params)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row)) for row in cursor.fetchall()]

    def script(self, script: str) -> None:
        """One statement after the other: sqlite3's executescript() would end the transaction."""
        statement = ""
        for line in script.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                self._connection.execute(statement)
                statement = ""
        self._connection.execute(statement)  # the last may come without its semicolon

    def tables(self) -> set[str]:
        rows = self.all("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        return {row["name"] for row in rows}


class Database(database.Database):
    """One SQLite file with its tables.

    schema: the script for a new file. migrations: the scripts that lead there, of which the first is version 1.
    Raises WrongDatabase for a version of SQLite that is too old.
    """

    _begin_snapshot = "BEGIN"
    _proof = "PRAGMA application_id = 0"  # already 0, but SQLite writes it; an UPDATE to the same value it would not

    def __init__(self, path: str, schema: str, migrations: Sequence[str] = ("",)):
        if sqlite3.sqlite_version_info < (3, 37):  # the first with STRICT tables
            raise migrate.WrongDatabase(f"SQLite {sqlite3.sqlite_version} is too old: the service needs 3.37 or newer.")
        self.path = self.name = os.path.realpath(path)  # beside which SQLite has its log
        self.latest = len(migrations)
        self._schema = schema
        self._migrations = migrations
        self._made = False
        self._share: IO | None = None  # of the lock beside the file, kept as long as the process lives
        self._file = DatabaseFile(self.path)
        self._readers: SimpleQueue[Connection | None] = SimpleQueue()
        for _ in range(READERS):
            self._readers.put(None)
        self._writer = Writer(self._file)

    def version(self) -> int:
        if not os.path.exists(self.path):
            return 0
        with _translated_errors(), closing(self._file.connect("rw")) as connection:
            return migrate.version(Transaction(connection))

    def make(self) -> None:
        """Several processes may do it at once."""
        with _translated_errors():
            self._share = self._share or share(self.path)
            patiently(time.monotonic() + BUSY_SECONDS, self._bring_up_to_date)
        self._made = True

    def _bring_up_to_date(self) -> None:
        copy = f"{self.path}.unfinished-copy"  # its name until the migrations have run, and are to be committed
        with closing(self._file.connect("rwc")) as connection:
            connection.execute("BEGIN IMMEDIATE")
            tx = Transaction(connection)
            found = migrate.version(tx)
            with ExitStack() as until_committed:
                if is_due := 0 < found < self.latest:
                    source = until_committed.enter_context(closing(self._file.connect("rw")))
                    until_committed.enter_context(copied(source, copy))
                migrate.bring_up_to_date(tx, self._migrations, self._schema)
                # The mark in the header that it is ours. Where it is there, a full disk does not matter yet.
                if tx.one("PRAGMA user_version") != {"user_version": self.latest} or not os.access(self.path, os.W_OK):
                    connection.execute(f"PRAGMA user_version = {self.latest}")
                if is_due:
                    os.rename(copy, f"{self.path}.version-{found}")
                connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")  # after that, so that the version is in the file itself
            self._file.recognize()

    def transaction(self, work: Callable[[Transaction], Result]) -> Result:
        """It runs in the writer thread."""
        with _translated_errors():
            if not self._made:
                self.make()
            return self._writer.run(lambda connection: work(Transaction(connection)))

    @contextmanager
    def _connected(self) -> Iterator[Transaction]:
        with _translated_errors():
            if not self._made:
                self.make()
            connection = self._take_reader()
            try:
                connection = self._file.current(connection)
                yield Transaction(connection)
            except sqlite3.Error:
                if connection is not None:
                    connection.stamp = None  # opened anew next time: the failure may be this connection's own
                raise
            finally:
                self._readers.put(connection)

    def _take_reader(self) -> Connection | None:
        """None for one that is still to be opened."""
        with suppress(Empty):
            return self._readers.get_nowait()
        try:
            with waiting("connections"):
                return self._readers.get(timeout=BUSY_SECONDS)
        except Empty:
            text = "the other requests of this process keep the database busy"
            raise failure(sqlite3.SQLITE_BUSY, text) from None


@contextmanager
def _translated_errors() -> Iterator[None]:
    """sqlite3's errors as Duplicate and Unavailable.

    A statement that is wrong, which is a mistake of ours, stays an error of sqlite3's. Whatever else the database
    reports is its own state: locked, full, read-only, damaged or gone.
    """
    try:
        yield
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorcode in (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY):
            raise Duplicate(str(error).rpartition(": ")[2]) from None
        raise
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.ProgrammingError) or error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
            raise
        raise Unavailable(retry_after=1) from error
