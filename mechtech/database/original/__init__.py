"""Takes over the database of the original service: the same rows under the same ids, in our tables.

The file is attached read-only to a connection to our database, and copied within one transaction.
"""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from mechtech.database.original import statements
from mechtech.texts import address_key, clean_address

PROGRESS_ROWS = 50_000  # between two calls of `progress`
BUSY_SECONDS = 5.0
BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}", re.ASCII)


class ImportRefused(Exception):
    """Nothing was imported. The text tells why, in one line."""


@dataclass
class Counts:
    """The rows of one table: how many the file has, and what became of them."""

    read: int = 0
    written: int = 0
    set_aside: int = 0


@dataclass
class Report:
    """What an import did. It names rows by table and id."""

    counts: dict[str, Counts] = field(default_factory=lambda: {table: Counts() for table in statements.TABLES})
    changed_addresses: list[tuple[str, int, str, str]] = field(default_factory=list)  # table, id, before, after
    added_services: int = 0
    attention: list[tuple[int, str]] = field(default_factory=list)  # the id of an account, and why


def import_original(database: str, file: str, progress: Callable[[str, int, int], None]) -> Report:
    """Copy the original's database in `file` into ours, which has its tables and no rows.

    progress: called with a table, how many of its rows are read, and how many there are. Raises ImportRefused.
    """
    try:
        with closing(_connect(database)) as connection:
            connection.execute("ATTACH ? AS original", (_uri(file, _reading_mode(file)),))
            tables = _original_tables(connection, file)
            connection.execute("BEGIN IMMEDIATE")
            report = _Import(connection, tables, progress).run()
            connection.execute("COMMIT")
            return report
    except sqlite3.Error as error:
        raise ImportRefused(f"{file} cannot be imported: {error}. Nothing was imported.") from error


def _connect(database: str) -> sqlite3.Connection:
    connection = sqlite3.connect(_uri(database, "rw"), uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # as in every connection to our database
    for function in (address_key, clean_address, is_bcrypt, as_text):
        connection.create_function(function.__name__, 1, function, deterministic=True)
    return connection


def is_bcrypt(password: str) -> bool:
    """Whether it is a hash that a login can check."""
    return BCRYPT.fullmatch(password) is not None


def as_text(value: bytes | None) -> str:
    """What is no UTF-8 becomes U+FFFD, the sign for a character that cannot be read."""
    return (value or b"").decode(errors="replace")


def _uri(path: str, mode: str) -> str:
    return f"file:{quote(str(Path(path).absolute()))}?mode={mode}"


def _reading_mode(file: str) -> str:
    """The mode of SQLite's URI that reads the file and writes nothing, neither to it nor beside it.

    A file in WAL mode gets files of SQLite's beside it even from a reader, unless it is said to be immutable. It is
    whenever it has no write-ahead log: then no process has it open.
    """
    with suppress(OSError), open(file, "rb") as opened:
        if opened.read(20)[18:19] == b"\x02" and not Path(f"{file}-wal").exists():
            return "ro&immutable=1"
    return "ro"


def _original_tables(connection: sqlite3.Connection, file: str) -> dict[str, str]:
    """SQL for the rows of each table that the file has, with a NULL for each column that it does not have."""
    strict = {row[1]: row[5] for row in connection.execute("PRAGMA original.table_list")}
    sources = {}
    for table, columns in statements.TABLES.items():
        if table in strict:
            there = {row[1].lower() for row in connection.execute(f"PRAGMA original.table_info({table})")}
            chosen = (name if name.lower() in there else f"NULL AS {name}" for name in columns)
            sources[table] = f"(SELECT {', '.join(chosen)} FROM original.{table})"
    if any(strict[table] for table in sources):  # the tables of schema.sql are STRICT, the original's are not
        raise ImportRefused(f"{file} is a database of this service, not of the original.")
    if not sources:
        raise ImportRefused(f"{file} has none of the original's tables: {', '.join(statements.TABLES)}.")
    return sources


class _Import:
    """One run, within a transaction. sources: SQL for the rows of the original, by table."""

    def __init__(self, connection: sqlite3.Connection, sources: dict[str, str], progress):
        self._connection = connection
        self._sources = sources
        self._progress = progress
        self._report = Report()

    def run(self) -> Report:
        self._refuse_used_database()
        self._refuse_twins()
        if self._one("SELECT COUNT(*) FROM original.sqlite_schema WHERE name = 'sqlite_sequence'"):
            self._connection.execute(statements.NEXT_NUMBERS)
            self._connection.execute(statements.FIRST_NUMBERS)
        for table in self._sources:
            self._copy(table)
        self._set_services_aside()
        for statement in statements.COMPLETE:
            self._connection.execute(statement)
        self._report.added_services = (
            self._one("SELECT COUNT(*) FROM main.service_history") - self._report.counts["service_history"].written
        )
        self._list_addresses()
        self._list_accounts()
        return self._report

    def _one(self, sql: str):
        return self._connection.execute(sql).fetchone()[0]

    def _refuse_used_database(self) -> None:
        for table in statements.TABLES:
            if self._one(f"SELECT EXISTS (SELECT 1 FROM main.{table})"):
                raise ImportRefused(f"The database has {table.replace('_', ' ')} already: import into a new one.")

    def _refuse_twins(self) -> None:
        """Which of two accounts with one address to keep is for a person to say."""
        twins = []
        for table in ("users", "mechanics"):
            if table in self._sources:
                groups = self._connection.execute(statements.TWINS.format(source=self._sources[table])).fetchall()
                twins += [f"{table} {ids}" for (ids,) in groups]
        if twins:
            raise ImportRefused(
                "These share an e-mail address, but for upper and lower case and blanks around it, or have none: "
                f"{'; '.join(twins)}. In a copy of the file, change or delete all but one of each. "
                "Nothing was imported."
            )

    def _copy(self, table: str) -> None:
        counts = self._report.counts[table]
        counts.read = self._one(f"SELECT COUNT(*) FROM original.{table}")
        rows = 0

        def count_row() -> int:
            nonlocal rows
            rows += 1
            if rows % PROGRESS_ROWS == 0:
                self._progress(table, rows, counts.read)
            return 1

        self._connection.create_function("count_row", 0, count_row)
        source = f"(SELECT * FROM {self._sources[table]} WHERE count_row())"
        counts.written = self._connection.execute(statements.COPY[table].format(source=source)).rowcount

    def _set_services_aside(self) -> None:
        """Keep them in a table that the service never reads, but a person may."""
        if "service_history" not in self._sources:
            return
        set_aside = statements.SET_ASIDE.format(source=self._sources["service_history"])
        count = self._one(f"SELECT COUNT(*) FROM ({set_aside})")
        self._report.counts["service_history"].set_aside = count
        if count:
            self._connection.execute(f"CREATE TABLE main.original_services_set_aside AS {set_aside}")

    def _list_addresses(self) -> None:
        for table in statements.WITH_ADDRESS:
            if table in self._sources:
                changed = self._connection.execute(statements.CHANGED_ADDRESSES.format(table=table))
                self._report.changed_addresses += [(table, *row) for row in changed]

    def _list_accounts(self) -> None:
        for id, has_no_address, has_no_hash in self._connection.execute(statements.TROUBLED_ACCOUNTS):
            if has_no_address:
                self._report.attention.append((id, "has no e-mail address, and cannot sign in"))
            if has_no_hash:
                why = "has a password that is not stored as a bcrypt hash: reset-password gives it a new one"
                self._report.attention.append((id, why))
