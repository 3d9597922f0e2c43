"""Takes over the database of the original service: the same rows under the same ids, in our tables.

The file is attached read-only to a connection to our database, and copied within one transaction.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from mechtech import clock
from mechtech.database.backup import TABLES
from mechtech.database.file import DatabaseFile, reading_uri
from mechtech.database.sqlite import Transaction
from mechtech.errors import Conflict
from mechtech.texts import address_key, clean_address

PROGRESS_ROWS = 50_000  # between two calls of `progress`
HIGHEST_ID = 999_999_999  # so that there are numbers left for new rows
SCRIPTS = Path(__file__).parent


def import_original(database: str, file: str, progress: Callable[[str, int, int], None]) -> list[str]:
    """Copy the original's database in `file` into ours, which has its tables and no rows. Gives the lines of a report.

    progress: called with a table, how many of its rows are read, and how many there are. Raises Conflict.
    """
    try:
        with closing(DatabaseFile(database).connect("rw")) as connection:
            connection.execute("ATTACH ? AS original", (reading_uri(file),))
            connection.execute("BEGIN IMMEDIATE")
            _refuse_others(connection, file)
            report = _import(connection, progress)
            connection.execute("COMMIT")
            return report
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter where SQLite quotes a damaged file
        reason = " ".join(str(error).split())
        raise Conflict(f"{file} cannot be imported: {reason}. Nothing was imported.") from error


def _import(connection: sqlite3.Connection, progress: Callable[[str, int, int], None]) -> list[str]:
    tx, read, done = Transaction(connection), {}, Counter()

    def count_row(table: str) -> bool:
        done[table] += 1
        if done[table] % PROGRESS_ROWS == 0:
            progress(table, done[table], read[table])
        return True

    connection.create_function("progress", 1, count_row)
    now = clock.text(clock.now())
    connection.create_function("iso_time", 2, lambda *values: _iso_time(*values) or now)
    for function in (address_key, clean_address, text_of):
        connection.create_function(function.__name__, 1, function, deterministic=True)
    for table in TABLES:
        _show(connection, table)
        read[table] = _count(connection, f"their_{table}")
        for (id,) in connection.execute(f"SELECT id FROM their_{table} WHERE id NOT BETWEEN 1 AND {HIGHEST_ID}"):
            raise Conflict(f"{table} {id}: change this id in a copy of the file to one from 1 to {HIGHEST_ID:,}.")
    _run(tx, "views.sql")
    if twins := connection.execute("SELECT ids FROM twins").fetchall():
        raise Conflict(
            "These share an e-mail address, but for upper and lower case and blanks around it, or have none: "
            f"{'; '.join(ids for (ids,) in twins)}. In a copy of the file, change or delete all but one of each. "
            "Nothing was imported."
        )
    if connection.execute("SELECT 1 FROM original.sqlite_schema WHERE name = 'sqlite_sequence'").fetchone():
        # Numbers that the original gave are not given again, even if their rows are gone.
        connection.execute("DELETE FROM main.sqlite_sequence")
        connection.execute(
            f"""
            INSERT INTO main.sqlite_sequence
            SELECT name, seq
            FROM original.sqlite_sequence
            WHERE name IN (SELECT name FROM main.sqlite_schema) AND seq BETWEEN 0 AND {HIGHEST_ID}
            """
        )
    _run(tx, "copy.sql")
    written = {table: _count(connection, f"main.{table}") for table in TABLES}
    set_aside = {"service_history": _count(connection, "main.original_services_set_aside")}
    _run(tx, "complete.sql")
    added = _count(connection, "main.service_history") - written["service_history"]

    report = [
        f"{table} {id}: the e-mail address {before!r} is {after!r} now."
        for table, id, before, after in connection.execute("SELECT * FROM changed_addresses")
    ]
    if any(set_aside.values()):
        report.append("Some services or reviews have no place: they are in the table original_services_set_aside.")
    else:
        connection.execute("DROP TABLE main.original_services_set_aside")
    if added:
        report.append(f"Completed bookings without a service: {added}. Each has an empty one now.")
    report.append(f"{'Table':<16} {'Read':>9} {'Written':>9} {'Set aside':>9}")
    report += [f"{table:<16} {read[table]:>9} {written[table]:>9} {set_aside.get(table, 0):>9}" for table in TABLES]
    troubled = connection.execute("SELECT id, why FROM troubled_accounts").fetchall()
    report.append("Accounts that need attention:" if troubled else "No account needs attention.")
    report += [f"  user {id} {why}" for id, why in troubled]
    return report


def _refuse_others(connection: sqlite3.Connection, file: str) -> None:
    """Raise Conflict for a file that is not the original's, and for a database of ours that has rows."""
    strict = {name: strict for _, name, *_, strict in connection.execute("PRAGMA original.table_list")}
    if not strict.keys() & set(TABLES):
        raise Conflict(f"{file} has none of the original's tables: {', '.join(TABLES)}.")
    if any(strict.get(table) for table in TABLES):  # the tables of schema.sql are STRICT, the original's are not
        raise Conflict(f"{file} is a database of this service, not of the original.")
    for table in TABLES:
        if _count(connection, f"main.{table}"):
            raise Conflict(f"The database has {table.replace('_', ' ')} already: import into a new one.")


def _show(connection: sqlite3.Connection, table: str) -> None:
    """A temporary view of the original's rows with the columns of our table. What the file has not is NULL, or ''."""
    there = {name.lower() for _, name, *_ in connection.execute(f"PRAGMA original.table_info({table})")}
    columns = []
    for _, name, kind, *_ in connection.execute(f"PRAGMA main.table_info({table})"):
        value = name if name.lower() in there else "NULL"
        if kind == "TEXT":
            text = f"text_of(CAST({value} AS BLOB))"
            is_time = name.endswith(("_at", "_date"))  # which may be a number too
            value = f"CASE typeof({value}) WHEN 'text' THEN {text} ELSE {value} END" if is_time else text
        columns.append(f"{value} AS {name}")
    rows = f"FROM original.{table}" if there else "WHERE FALSE"
    connection.execute(f"CREATE TEMP VIEW their_{table} AS SELECT {', '.join(columns)} {rows}")


def _run(tx: Transaction, script: str) -> None:
    tx.script(SCRIPTS.joinpath(script).read_text(encoding="utf-8"))


def _count(connection: sqlite3.Connection, table: str) -> int:
    return connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]


def text_of(value: bytes | None) -> str:
    """What is no UTF-8, and NUL, which PostgreSQL refuses, become U+FFFD: the sign for what cannot be read."""
    return (value or b"").decode(errors="replace").replace("\0", "\ufffd")


def _iso_time(*values: str | float | bytes | None) -> str | None:
    """The first of them that is a time, as text or as the milliseconds since 1970 that node writes."""
    for value in values:
        with suppress(TypeError, ValueError, OverflowError):
            moment = (
                datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(value / 1000, UTC)
            )
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return None
