"""The connections to SQLite, which database_file.py opens, and what runs on them; writer.py has the one that writes.

A Database belongs to one process. Its connections are opened after the fork, at first use, and kept: a few that read,
one that writes. A thread has one to itself while its statements run, never while it waits for a client.
"""

import sqlite3
from contextlib import closing, contextmanager
from queue import Empty, SimpleQueue

from flask import current_app

from mechtech.database.file import BUSY_SECONDS, Connection, DatabaseFile, failure
from mechtech.database.writer import Writer
from mechtech.errors import Invalid

READERS = 4  # connections; of fewer, some requests wait long for one, and more would only keep pages of their own
ANSWERS_AT_MOST = 64  # rows that a reader keeps in mind
SHORT = 64 * 1024  # characters or bytes: no longer ones


class Database:
    """One SQLite file with its tables. Rows come out as dicts; errors are sqlite3's own."""

    def __init__(self, path: str, schema: str):
        self.path = path
        self._file = DatabaseFile(path, schema)
        self._readers = SimpleQueue()
        for _ in range(READERS):
            self._readers.put(None)
        self._writer = Writer(self._file)
        self.make = self._file.make
        self.check = self._writer.check

    def one(self, sql: str, params=()) -> dict | None:
        """The first row of a reading statement, which may depend on nothing but the database and its parameters.

        Read once for as long as nothing is committed by anybody: SQLite tells, from what its own page cache relies on.
        """
        key = sql, *(params.items() if isinstance(params, dict) else params)
        connection = self._take_reader()
        try:
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            if version != connection.version:
                connection.version, connection.answers = version, {}
            found = connection.answers.get(key)
            if found is None:
                with closing(connection.execute(sql, params)) as cursor:
                    found = [column[0] for column in cursor.description], cursor.fetchall()[:1]
                if len(connection.answers) < ANSWERS_AT_MOST and _are_short(found[1]):
                    connection.answers[key] = found
        except sqlite3.Error as error:
            connection.doubt(error)
            raise
        finally:
            self._readers.put(connection)
        names, row = found
        return dict(zip(names, *row)) if row else None

    def all(self, sql: str, params=()) -> list[dict]:
        """Every row of a reading statement."""
        connection = self._take_reader()
        try:
            return rows(connection.execute(sql, params))
        except sqlite3.Error as error:
            connection.doubt(error)
            raise
        finally:
            self._readers.put(connection)

    def write(self, sql: str, params=()) -> list[dict]:
        """One atomic statement, and the rows it returns."""
        return self._writer.run(lambda connection: rows(connection.execute(sql, params)), in_steps=False)

    def insert(self, sql: str, row: tuple) -> int:
        """The id of the row. sql: an INSERT of VALUES (?, ?), which stands for as many rows as wait to be inserted."""
        return self._writer.run(lambda tx: tx.execute(sql, row).lastrowid, in_steps=False, insert=sql, row=row)

    def transaction(self, work):
        """What work(connection) returns. What it reads stays true until what it writes is committed, all or nothing.

        Another thread may run it: it must not ask for the request.
        """
        return self._writer.run(work, in_steps=True)

    def _take_reader(self) -> Connection:
        try:
            connection = self._readers.get(timeout=BUSY_SECONDS)
        except Empty:
            raise failure(sqlite3.SQLITE_BUSY, "the other requests of this process keep the database busy") from None
        try:
            return self._file.current(connection)
        except BaseException:
            self._readers.put(connection)
            raise


def _are_short(found: list[tuple]) -> bool:
    return all(len(value) < SHORT for row in found for value in row if isinstance(value, (str, bytes)))


def rows(cursor: sqlite3.Cursor) -> list[dict]:
    with closing(cursor):  # one that is not read to its end would keep the transaction open
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
