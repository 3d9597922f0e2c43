"""PostgreSQL: statements and transactions on pooled connections, with row locks and new tries after a deadlock."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from threading import Lock

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from mechtech import database
from mechtech.database import Duplicate, Result
from mechtech.database.migrate import WrongDatabase
from mechtech.database.pool import PASSING, POOL_SECONDS, REQUEST_SECONDS, Connection, borrowed, make_pool
from mechtech.database.postgresql_tables import bring_up_to_date, migrating, version
from mechtech.errors import Unavailable

PROOF_SECONDS = 1.0  # how long check() relies on the last write that it made
TRIES = 8  # of a transaction that ended in a deadlock or a serialization failure
PAUSE_SECONDS = 0.02  # before the second try, and as much longer before each one more
# A string, a quoted name, a comment, a cast, a parameter, or a percent sign.
TOKENS = re.compile(r"'[^']*'|\"[^\"]*\"|--[^\n]*|::|:(?P<name>[a-z_]\w*)|%", re.IGNORECASE)


@cache
def translated(sql: str) -> str:
    """The statement with its parameters in psycopg's form: `:name` becomes `%(name)s`, and `%` is doubled."""

    def token(match: re.Match) -> str:
        return f"%({match['name']})s" if match["name"] else match[0].replace("%", "%%")

    return TOKENS.sub(token, sql)


class Transaction(database.Transaction):
    """On one connection of the pool."""

    def __init__(self, connection: Connection):
        self._connection = connection

    def all(self, sql: str, params: Mapping = {}, lock: bool = False) -> list[dict]:
        cursor = self._connection.execute(translated(f"{sql} FOR NO KEY UPDATE" if lock else sql), params)
        return cursor.fetchall() if cursor.description else []

    def has_table(self, name: str) -> bool:
        return self.one("SELECT to_regclass(:name) AS found", {"name": name})["found"] is not None

    def script(self, script: str) -> None:
        self._connection.execute(script)


class Database(database.Database):
    """The database at a URL, postgresql://… . migrations: the scripts of its tables, of which the first is version 1.

    Raises WrongDatabase for a malformed URL.
    """

    def __init__(self, url: str, migrations: Sequence[str]):
        try:
            parts = conninfo_to_dict(url)
        except psycopg.ProgrammingError:  # its text may show the password
            parts = {}
        if not re.match("postgres(ql)?://", url) or not parts.get("host") or not parts.get("port", "0").isdigit():
            raise WrongDatabase("Wrong setting: DATABASE_URL must be like postgresql://user:password@host:5432/name")
        self.name = f"{parts.get('dbname', '')} at {parts['host']}"
        self.latest = len(migrations)
        self._url = url
        self._migrations = migrations
        self._made = False
        self._making = Lock()
        self._proved = 0.0
        self._pool = make_pool(url, parts.get("options", ""))

    def version(self) -> int:
        with migrating(self._url) as connection:
            return version(connection)

    def make(self) -> None:
        with migrating(self._url) as connection:
            bring_up_to_date(connection, self._migrations)
        self._made = True

    def one(self, sql: str, params: Mapping = {}) -> dict | None:
        with self._connection() as connection:
            return Transaction(connection).one(sql, params)

    def all(self, sql: str, params: Mapping = {}) -> list[dict]:
        with self._connection() as connection:
            return Transaction(connection).all(sql, params)

    def snapshot(self, work: Callable[[database.Transaction], Result]) -> Result:
        with self._connection() as connection:
            return _run(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", work)

    def transaction(self, work: Callable[[database.Transaction], Result]) -> Result:
        """Isolation is READ COMMITTED: what must not change meanwhile is locked."""
        with self._connection() as connection:
            for number in range(1, TRIES):
                with suppress(errors.SerializationFailure, errors.DeadlockDetected):
                    return _run(connection, "BEGIN", work)
                # In this pause, other transactions that wait for the same locks get them.
                time.sleep(number * PAUSE_SECONDS)
            return _run(connection, "BEGIN", work)

    def check(self) -> None:
        if time.monotonic() - self._proved > PROOF_SECONDS:
            self.write("UPDATE schema_migrations SET applied_at = applied_at WHERE version = 1")
            self._proved = time.monotonic()
        else:
            self.one("SELECT 1")

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """A connection of the pool, for as long as the block lasts."""
        deadline = time.monotonic() + REQUEST_SECONDS
        try:
            self._open()
            with borrowed(self._pool, deadline) as connection:
                yield connection
        except errors.UniqueViolation as error:
            raise Duplicate(error.diag.constraint_name or "") from None
        except (*PASSING, WrongDatabase) as error:
            raise Unavailable(retry_after=1) from error

    def _open(self) -> None:
        """Open the pool, in the process that uses it; and make the tables, if the server was away at the start."""
        if self._made and not self._pool.closed:
            return
        if not self._making.acquire(timeout=POOL_SECONDS):
            raise psycopg.OperationalError("another request is connecting")
        try:
            if not self._made:
                self.make()
            if self._pool.closed:
                self._pool.open()
        finally:
            self._making.release()


def _run(connection: Connection, begin: str, work: Callable[[database.Transaction], Result]) -> Result:
    connection.execute(begin)
    try:
        result = work(Transaction(connection))
        connection.execute("COMMIT")
    except BaseException:
        with suppress(psycopg.Error):  # a connection that is lost has lost the transaction too
            connection.execute("ROLLBACK")
        raise
    return result
