"""The database: reads, writes, transactions and snapshots in raw SQL, with rows as dicts, on SQLite or PostgreSQL.

A Database belongs to one process. Its connections are opened at first use, after the fork, and kept.
A statement serves both: for PostgreSQL, a parameter beside IS NULL needs its type, CAST(:name AS TEXT) IS NULL.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from typing import TypeVar

from flask import current_app

Result = TypeVar("Result")
PROOF_SECONDS = 1.0  # how long check() relies on the last write that it made


class Duplicate(Exception):
    """A row that breaks a UNIQUE constraint: its table and columns, such as "users.email"."""


class Transaction(ABC):
    """What the work of a transaction or a snapshot reads and writes with."""

    def one(self, sql: str, params: Mapping = {}, lock: bool = False) -> dict | None:
        """The first row, or None. lock: no other transaction changes these rows until this one ends."""
        rows = self.all(sql, params, lock)
        return rows[0] if rows else None

    @abstractmethod
    def all(self, sql: str, params: Mapping = {}, lock: bool = False) -> list[dict]:
        """Every row; lock as in one()."""

    def write(self, sql: str, params: Mapping = {}) -> list[dict]:
        """Run a statement that writes; the rows that it returns."""
        return self.all(sql, params)

    @abstractmethod
    def script(self, script: str) -> None:
        """Run the statements of a script, such as seed.sql."""

    @abstractmethod
    def tables(self) -> set[str]:
        """The names of the tables."""

    def run(self, begin: str, work: Callable[["Transaction"], Result]) -> Result:
        """What work(tx) returns, between the statement that begins a transaction and its end."""
        self.write(begin)
        try:
            result = work(self)
            self.write("COMMIT")
        except BaseException:
            with suppress(Exception):  # a connection that is lost has lost the transaction too
                self.write("ROLLBACK")
            raise
        return result


class Database(ABC):
    """One database with its tables. Every method may raise Unavailable, and those that write Duplicate."""

    name: str  # what people are shown: no password
    latest: int  # the number of the newest migration
    _begin_snapshot: str  # the statement
    _proof: str  # a statement that writes, and changes nothing
    _proved = 0.0  # when check() made its last write

    @abstractmethod
    def version(self) -> int:
        """The number of the last migration that has run; 0 for a database that is not made yet."""

    @abstractmethod
    def make(self) -> None:
        """Make the tables of a new database, or run the migrations that are due. Raises WrongDatabase."""

    def one(self, sql: str, params: Mapping = {}) -> dict | None:
        """The first row of a reading statement, or None."""
        rows = self.all(sql, params)
        return rows[0] if rows else None

    def all(self, sql: str, params: Mapping = {}) -> list[dict]:
        """Every row of a reading statement."""
        with self._connected() as tx:
            return tx.all(sql, params)

    def snapshot(self, work: Callable[[Transaction], Result]) -> Result:
        """What work(tx) returns; all that it reads belongs to one state of the database."""
        with self._connected() as tx:
            return tx.run(self._begin_snapshot, work)

    def write(self, sql: str, params: Mapping = {}) -> list[dict]:
        """One statement that writes, and the rows that it returns."""
        return self.transaction(lambda tx: tx.write(sql, params))

    @abstractmethod
    def transaction(self, work: Callable[[Transaction], Result]) -> Result:
        """What work(tx) returns, once all that it wrote is committed; if it raises, nothing of it is.

        It may run in another thread, where there is no request, and more than once: all that it changes is in the
        database.
        """

    def check(self) -> None:
        """Raise Unavailable if a write would: the database is away, locked, full or read-only."""
        if time.monotonic() - self._proved < PROOF_SECONDS:
            self.transaction(lambda tx: tx.one("SELECT 1"))
            return
        self.write(self._proof)
        self._proved = time.monotonic()

    @abstractmethod
    def _connected(self) -> AbstractContextManager[Transaction]:
        """A connection to read with, for as long as the block lasts."""


def open_database(url: str | None, path: str, schema: str) -> Database:
    """PostgreSQL at the url, or without one the SQLite file at the path, which gets the schema when it is new.

    Opens no connection yet. Raises WrongDatabase for a malformed URL.
    """
    from mechtech.database.migrate import scripts  # which imports this module, as the engines do

    if url:
        from mechtech.database import postgresql  # its packages need not be installed for SQLite

        return postgresql.Database(url, scripts("postgresql"))
    from mechtech.database import sqlite

    return sqlite.Database(path, schema, scripts("sqlite"))


def get_db() -> Database:
    """The database of the current app."""
    return current_app.extensions["mechtech.db"]
