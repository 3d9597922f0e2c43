"""SQLite: a file with its tables, a few connections that read, and the writer thread with the one that writes."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue

from mechtech import database
from mechtech.database import Duplicate, Result, migrate
from mechtech.database.file import BUSY_SECONDS, Connection, DatabaseFile, run_script
from mechtech.database.locks import failure
from mechtech.database.writer import Writer
from mechtech.errors import Unavailable
from mechtech.signals import waiting

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


class Transaction(database.Transaction):
    """On one connection, which is at most one thread's at a time."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def all(self, sql: str, params: Mapping = {}, lock: bool = False) -> list[dict]:
        cursor = self._connection.execute(sql, params)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row)) for row in cursor.fetchall()]

    def has_table(self, name: str) -> bool:
        return self.one("SELECT 1 FROM sqlite_schema WHERE name = :name", {"name": name}) is not None

    def script(self, script: str) -> None:
        run_script(self._connection, script)


class Database(database.Database):
    """One SQLite file with its tables.

    schema: the script for a new file. migrations: the scripts that lead there, of which the first is version 1.
    """

    def __init__(self, path: str, schema: str, migrations: Sequence[str] = ("",)):
        migrate.check_usable(path)
        self.path = self.name = path
        self.latest = len(migrations)
        self._file = DatabaseFile(path, schema, migrations)
        self._readers: SimpleQueue[Connection | None] = SimpleQueue()
        for _ in range(READERS):
            self._readers.put(None)
        self._writer = Writer(self._file)
        self._proved = 0.0

    def version(self) -> int:
        with _translated_errors():
            return self._file.version()

    def make(self) -> None:
        with _translated_errors():
            self._file.make()

    def one(self, sql: str, params: Mapping = {}) -> dict | None:
        with self._reader() as connection:
            return Transaction(connection).one(sql, params)

    def all(self, sql: str, params: Mapping = {}) -> list[dict]:
        with self._reader() as connection:
            return Transaction(connection).all(sql, params)

    def snapshot(self, work: Callable[[Transaction], Result]) -> Result:
        with self._reader() as connection:
            connection.execute("BEGIN")
            try:
                return work(Transaction(connection))
            finally:
                if connection.in_transaction:
                    connection.execute("COMMIT")

    def transaction(self, work: Callable[[Transaction], Result]) -> Result:
        """It runs in the writer thread."""
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
            connection = self._take_reader()
            try:
                connection = self._file.current(connection)
                yield connection
            except sqlite3.Error as error:
                if connection is not None:
                    connection.doubt(error)
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
