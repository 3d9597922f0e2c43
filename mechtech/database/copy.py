"""Moving from SQLite to PostgreSQL: every row of every table, in one transaction, compared at the end."""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from hashlib import sha256

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from mechtech.database import migrate
from mechtech.database.file import uri
from mechtech.database.postgresql import Database
from mechtech.errors import Conflict

STEP = 20_000  # rows between two calls of progress


def run_copy(path: str, url: str, progress: Callable[[str, int], None]) -> dict[str, tuple[int, str]]:
    """Copy the SQLite file at path, which is up to date, to the empty PostgreSQL database at url.

    Gives the number and the checksum of the rows of each table. progress(table, rows) is called on the way. Raises
    Conflict, WrongDatabase and Unavailable.
    """
    Database(url, migrate.scripts("postgresql")).make()
    with closing(sqlite3.connect(uri(path, "ro"), uri=True)) as source:
        source.execute("BEGIN")
        try:
            with psycopg.connect(url) as target:
                return _copy_all(source, target, progress)
        except psycopg.Error as error:
            raise Conflict(f"PostgreSQL: {str(error).splitlines()[0]}") from error


def _copy_all(source: sqlite3.Connection, target: psycopg.Connection, progress: Callable) -> dict:
    tables = _tables(source)
    for name in tables:
        target.execute(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(Identifier(name)))
        if target.execute(SQL("SELECT 1 FROM {} LIMIT 1").format(Identifier(name))).fetchone():
            raise Conflict(f"The target is not empty: its table {name} has rows. Nothing was copied.")
    report = {name: _copy(source, target, name, columns, progress) for name, columns in tables.items()}
    for name, last in source.execute("SELECT name, seq FROM sqlite_sequence WHERE seq > 0").fetchall():
        sequence = SQL("pg_get_serial_sequence({}, 'id')").format(Literal(name))
        target.execute(SQL("SELECT setval({}, {})").format(sequence, Literal(last)))
    target.execute("ANALYZE")  # else the first requests would be planned without statistics
    return report


def _tables(source: sqlite3.Connection) -> dict[str, SQL]:
    """The service's tables with the names of their columns; each was made after those that it refers to."""
    names = source.execute(
        """
        SELECT name
        FROM sqlite_schema
        WHERE type = 'table' AND name NOT LIKE 'sqlite%'
            AND name NOT IN ('schema_migrations', 'original_services_set_aside')
        ORDER BY rowid
        """
    ).fetchall()
    columns = {name: source.execute(f"SELECT name FROM pragma_table_info('{name}')").fetchall() for (name,) in names}
    return {name: SQL(", ").join(Identifier(column) for (column,) in found) for name, found in columns.items()}


def _copy(
    source: sqlite3.Connection, target: psycopg.Connection, name: str, columns: SQL, progress: Callable
) -> tuple[int, str]:
    """How many rows were copied, and their checksum on both sides. Raises Conflict if it is not the same."""

    def sent(rows: Iterable[tuple]) -> Iterable[tuple]:
        for number, row in enumerate(rows, 1):
            try:
                copy.write_row(row)
            except psycopg.DataError as error:  # such as a NUL character, which the original let through
                raise Conflict(f"The table {name}, row {row[0]}: {error}. Nothing was copied.") from error
            if number % STEP == 0:
                progress(name, number)
            yield row

    select = SQL("SELECT {} FROM {}").format(columns, Identifier(name))
    insert = SQL("COPY {} ({}) FROM STDIN").format(Identifier(name), columns)
    with target.cursor() as cursor, cursor.copy(insert) as copy:
        result = _checksum(sent(source.execute(select.as_string())))
    progress(name, result[0])
    with target.cursor("copied") as rows:
        rows.itersize = STEP
        if _checksum(rows.execute(select)) != result:
            raise Conflict(f"The rows of {name} did not arrive as they were. Nothing was copied.")
    return result


def _checksum(rows: Iterable[tuple]) -> tuple[int, str]:
    """How many rows there are, and the sum of their hashes, which is the same in any order."""
    number = total = 0
    for row in rows:
        number += 1
        total += int.from_bytes(sha256(repr(row).encode()).digest()[:8])
    return number, f"{total % 2**64:016x}"
