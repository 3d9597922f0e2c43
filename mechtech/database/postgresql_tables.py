"""Making the tables on PostgreSQL and bringing them up to date, also when several machines start at once."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import errors

from mechtech.database import migrate
from mechtech.database.migrate import WrongDatabase
from mechtech.database.pool import CONNECT_SECONDS, PASSING
from mechtech.errors import Unavailable

MIGRATION_LOCK = 0x6D656368
# What a server, the resolver or the library says of settings that are wrong, and do not become right by waiting.
WRONG_SETTINGS = re.compile(
    r"failed to resolve host|Name or service not known|password authentication failed|no password supplied"
    r"|pg_hba\.conf|(role|database) \".*\" does not exist|not permitted to log in|invalid \w+ value"
    r"|does not support SSL"
)


@contextmanager
def migrating(url: str) -> Iterator[psycopg.Connection]:
    """A connection without limits of time: a migration may take long. Raises Unavailable and WrongDatabase."""
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
            yield connection
    except errors.InsufficientPrivilege as error:
        raise WrongDatabase(f"Wrong setting: DATABASE_URL: {error.diag.message_primary}") from None
    except PASSING as error:
        if WRONG_SETTINGS.search(str(error)):
            raise WrongDatabase(f"Wrong setting: DATABASE_URL: {str(error).splitlines()[0]}") from None
        raise Unavailable(retry_after=1) from error


def version(connection: psycopg.Connection) -> int:
    """The number of the last migration that has run; 0 for a database without tables."""
    if connection.execute("SELECT to_regclass('schema_migrations')").fetchone()[0] is None:
        return 0
    try:
        return connection.execute("SELECT COALESCE(MAX(version), 0) FROM schema_migrations").fetchone()[0]
    except errors.UndefinedColumn:  # another program's table of this name
        raise _foreign() from None


def bring_up_to_date(connection: psycopg.Connection, migrations: Sequence[str]) -> None:
    """Run those that are due, in one transaction. Raises WrongDatabase."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
        found = version(connection)
        migrate.check_not_newer(found, len(migrations))
        if found == 0:
            _check_empty(connection)
            connection.execute(
                "CREATE TABLE schema_migrations (version integer PRIMARY KEY, applied_at timestamptz DEFAULT now())"
            )
        for number in range(found + 1, len(migrations) + 1):
            connection.execute(migrations[number - 1])
            connection.execute("INSERT INTO schema_migrations (version) VALUES (%s)", [number])


def _check_empty(connection: psycopg.Connection) -> None:
    """Raises WrongDatabase for a database of something else."""
    if connection.execute("SELECT 1 FROM pg_tables WHERE schemaname = current_schema() LIMIT 1").fetchone():
        raise _foreign()
    if connection.execute("SHOW server_encoding").fetchone()[0] != "UTF8":
        raise WrongDatabase("Wrong setting: DATABASE_URL names a database whose encoding is not UTF8")


def _foreign() -> WrongDatabase:
    return WrongDatabase("Wrong setting: DATABASE_URL names a database of something else: give the service its own")
