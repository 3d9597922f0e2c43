"""Migrations: numbered SQL scripts that bring a database up to date, each run once and in order.

The table schema_migrations says which have run. All that are due run in one transaction.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

OLDEST_SQLITE = (3, 37, 0)  # the first with STRICT tables
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
    """Raises WrongDatabase."""
    if found > latest:
        raise NewerDatabase(
            f"The database is of version {found}, this service knows versions up to {latest}: install a newer service."
        )


def check_usable(path: str) -> None:
    """Raises WrongDatabase for a version of SQLite that is too old, and for a file of the original service."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise WrongDatabase(f"SQLite {sqlite3.sqlite_version} is too old: the service needs {oldest} or newer.")
    if _is_original(path):
        raise WrongDatabase(
            f"DB_PATH must not name the original service's database, {path!r}: name a new file, and copy the original "
            f"into it with flask --app wsgi import-original {path}"
        )


def _is_original(path: str) -> bool:
    """Whether the file has tables of the original service. They are not STRICT, as those of schema.sql are."""
    try:
        with open(path, "rb") as file:
            if file.read(64)[60:64] != bytes(4):  # the version: ours has one, an empty file has no header
                return False
        with closing(sqlite3.connect(f"file:{quote(os.fsencode(path))}?mode=ro", uri=True)) as connection:
            names = "name IN ('users', 'bookings', 'mechanics', 'service_history', 'contact_messages')"
            return bool(connection.execute(f"SELECT 1 FROM pragma_table_list WHERE {names} AND NOT strict").fetchall())
    except (OSError, sqlite3.Error):
        return False  # the database's own errors are told where it is opened


def copy_aside(path: str, found: int) -> None:
    """Copy the file, as it was at version `found`, beside itself. Only its owner may read the copy."""
    copy = f"{path}.version-{found}"
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
