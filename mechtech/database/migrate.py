"""Migrations: numbered SQL scripts that bring a database up to date, each run once and in order.

The table schema_migrations says which have run. All that are due run in one transaction.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Protocol

FOLDER = Path(__file__).parent / "migrations"
TABLE = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version    INTEGER PRIMARY KEY,
        applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
    ) STRICT"""


class WrongDatabase(Exception):
    """The service cannot work with this database, now or later. The text is one line that says why."""


class NewerDatabase(WrongDatabase):
    """The database was brought up to date by a newer version of the service."""


class Connection(Protocol):
    """What runs a migration: a connection in a transaction."""

    def execute(self, sql: str, params: dict = ...) -> sqlite3.Cursor: ...


def scripts(engine: str) -> list[str]:
    """The migrations of an engine, the first one first. Their file names begin with their numbers: 0001, 0002 …"""
    files = sorted((FOLDER / engine).glob("[0-9]*.sql"))
    return [file.read_text(encoding="utf-8") for file in files]


def version(connection: Connection) -> int:
    """The number of the last migration that has run; 0 for a database without tables.

    Databases from before there were migrations are those of number 1.
    """
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if "schema_migrations" in names:
        return connection.execute("SELECT MAX(version) FROM schema_migrations").fetchone()[0]
    return 1 if "users" in names else 0


def record(connection: Connection, first: int, last: int) -> None:
    """Write down that these have run."""
    connection.execute(TABLE)
    for number in range(first, last + 1):
        connection.execute("INSERT INTO schema_migrations (version) VALUES (:version)", {"version": number})


def check_not_newer(found: int, latest: int) -> None:
    """Raises NewerDatabase."""
    if found > latest:
        raise NewerDatabase(
            f"The database is of version {found}, this service knows versions up to {latest}: install a newer service."
        )


def copy_aside(path: str, found: int) -> None:
    """Copy the file, as it was at version `found`, beside itself. Nobody else may read the copy."""
    copy = f"{path}.version-{found}"
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
