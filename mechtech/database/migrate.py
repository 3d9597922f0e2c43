"""Migrations: numbered SQL scripts that bring a database up to date, each run once and in order.

The table schema_migrations says which have run.
"""

from collections.abc import Sequence
from pathlib import Path

from mechtech.database import Transaction

TABLE = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version    INTEGER PRIMARY KEY,
        applied_at TEXT DEFAULT CURRENT_TIMESTAMP
    )"""
FOLDER = Path(__file__).parent / "migrations"


class WrongDatabase(Exception):
    """The service cannot work with this database, now or later. The text is one line that says why."""


def scripts(engine: str) -> list[str]:
    """The migrations of an engine, the first one first. Their file names begin with their numbers: 0001, 0002 …"""
    return [file.read_text(encoding="utf-8") for file in sorted((FOLDER / engine).glob("[0-9]*.sql"))]


def version(tx: Transaction) -> int:
    """The number of the last migration that has run; 0 for a database without tables. Raises WrongDatabase."""
    tables = tx.tables()
    if not tables:
        return 0
    if "booking_history" not in tables:  # which no original has
        raise WrongDatabase(
            "This is a database of something else: DB_PATH or DATABASE_URL must name a new one, or one of ours. The "
            "original service's database is copied into a new one by flask --app wsgi import-original FILE."
        )
    if "schema_migrations" not in tables:  # it is from before there were migrations
        return 1
    return tx.one("SELECT COALESCE(MAX(version), 1) AS version FROM schema_migrations")["version"]


def check_not_newer(found: int, latest: int) -> None:
    """Raises WrongDatabase."""
    if found > latest:
        raise WrongDatabase(
            f"The database is of version {found}, this service knows versions up to {latest}: install a newer service."
        )


def bring_up_to_date(tx: Transaction, migrations: Sequence[str], schema: str | None = None) -> None:
    """Run the migrations that are due; a new database gets the schema instead, if there is one. Raises WrongDatabase.

    For use in a transaction that no other process has at the same time.
    """
    found, latest = version(tx), len(migrations)
    check_not_newer(found, latest)
    if found == latest:
        return
    for script in [schema] if schema and found == 0 else migrations[found:]:
        tx.script(script)
    tx.script(TABLE)
    for number in range(1, latest + 1):
        tx.write(
            """
            INSERT INTO schema_migrations (version)
            VALUES (:version)
            ON CONFLICT DO NOTHING
            """,
            {"version": number},
        )
