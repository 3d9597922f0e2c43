"""Moving from SQLite to PostgreSQL: every row of every table, in one transaction, compared at the end."""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from graphlib import TopologicalSorter
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from mechtech.database import migrate
from mechtech.database.postgresql import Database

STEP = 20_000  # rows between two calls of progress


class CopyRefused(Exception):
    """Nothing was copied. The text is one line that says why."""


class Table(NamedTuple):
    name: str
    columns: list[str]
    key: list[str]  # the columns of the primary key, by which both sides are read

    def select(self) -> SQL:
        """Every row, as a statement of either engine."""
        return SQL("SELECT {} FROM {} ORDER BY {}").format(
            _names(self.columns), Identifier(self.name), _names(self.key)
        )


def run_copy(path: str, url: str, progress: Callable[[str, int], None]) -> dict[str, tuple[int, str]]:
    """Copy the SQLite file at path, which is up to date, to the empty PostgreSQL database at url.

    Gives the number and the checksum of the rows of each table. progress(table, rows) is called on the way. Raises
    CopyRefused, WrongDatabase and Unavailable.
    """
    Database(url, migrate.scripts("postgresql")).make()
    with closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)) as source:
        source.execute("BEGIN")
        try:
            with psycopg.connect(url) as target:
                return _copy_all(source, target, progress)
        except psycopg.Error as error:
            raise CopyRefused(f"PostgreSQL: {str(error).splitlines()[0]}") from error


def _copy_all(source: sqlite3.Connection, target: psycopg.Connection, progress: Callable) -> dict:
    tables = _tables(source)
    for table in tables:
        name = Identifier(table.name)
        target.execute(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(name))
        if target.execute(SQL("SELECT 1 FROM {} LIMIT 1").format(name)).fetchone():
            raise CopyRefused(f"The target is not empty: its table {table.name} has rows. Nothing was copied.")
    report = {table.name: _copy(source, target, table, progress) for table in tables}
    for table in tables:
        with target.cursor("compared") as rows:
            rows.itersize = STEP
            if _checksum(rows.execute(table.select())) != report[table.name]:
                raise CopyRefused(f"The rows of {table.name} did not arrive as they were. Nothing was copied.")
    for name, last in source.execute("SELECT name, seq FROM sqlite_sequence WHERE seq > 0").fetchall():
        sequence = SQL("pg_get_serial_sequence({}, 'id')").format(Literal(name))
        target.execute(SQL("SELECT setval({}, {})").format(sequence, Literal(last)))
    target.execute("ANALYZE")  # else the first requests would be planned without statistics
    return report


def _tables(source: sqlite3.Connection) -> list[Table]:
    """Those of the service, each after the ones that it refers to."""
    names = source.execute(
        """
        SELECT name
        FROM sqlite_schema
        WHERE type = 'table' AND name NOT LIKE 'sqlite%'
            AND name NOT IN ('schema_migrations', 'original_services_set_aside')
        """
    ).fetchall()
    referred = {
        name: {row[2] for row in source.execute(f'PRAGMA foreign_key_list("{name}")').fetchall()} for (name,) in names
    }
    tables = []
    for name in TopologicalSorter(referred).static_order():
        columns = source.execute(f'PRAGMA table_info("{name}")').fetchall()
        key = sorted((column[5], column[1]) for column in columns if column[5])
        tables.append(Table(name, [column[1] for column in columns], [column for _, column in key]))
    return tables


def _copy(source: sqlite3.Connection, target: psycopg.Connection, table: Table, progress: Callable) -> tuple[int, str]:
    statement = SQL("COPY {} ({}) FROM STDIN").format(Identifier(table.name), _names(table.columns))

    def sent(rows: Iterable[tuple]) -> Iterable[tuple]:
        for number, row in enumerate(rows, 1):
            copy.write_row(row)
            if number % STEP == 0:
                progress(table.name, number)
            yield row

    with target.cursor() as cursor, cursor.copy(statement) as copy:
        result = _checksum(sent(source.execute(table.select().as_string())))
    progress(table.name, result[0])
    return result


def _checksum(rows: Iterable[tuple]) -> tuple[int, str]:
    """How many rows there are, and a hash of them all in their order."""
    number, digest = 0, sha256()
    for row in rows:
        number += 1
        digest.update(repr(row).encode())
    return number, digest.hexdigest()[:16]


def _names(columns: list[str]) -> SQL:
    return SQL(", ").join(map(Identifier, columns))
