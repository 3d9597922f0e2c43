"""PostgreSQL: pooled connections, row locks, and new tries after a deadlock.

A request waits for a connection, and for the server's answers, no longer than its deadline.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from threading import Lock

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from mechtech import database
from mechtech.database import Duplicate, Result, migrate
from mechtech.database.migrate import WrongDatabase
from mechtech.errors import Unavailable
from mechtech.signals import waiting

CONNECTIONS = 8  # a process: more would only wait for each other's locks
CONNECT_SECONDS = 3
POOL_SECONDS = 3.0  # how long a request waits for a connection
CHECK_SECONDS = 1.0  # how long a pooled connection has to show that it is alive
IDLE_SECONDS = 1.0  # used more recently than that, it is not checked, which takes half of a short request's time
# The server's own limits, which also end what a client that is gone has left behind. In milliseconds.
LIMITS = "-c statement_timeout=5000 -c lock_timeout=4000 -c idle_in_transaction_session_timeout=10000"
# Errors of the server's state, which passes; whatever else it reports is a mistake of ours.
PASSING = (
    psycopg.OperationalError,  # away, restarting, full, too many connections, a timeout, a lock
    psycopg.InterfaceError,  # the connection is closed
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
)
# What a server, the resolver or the library says of settings that are wrong, and do not become right by waiting.
WRONG_SETTINGS = re.compile(
    r"failed to resolve host|Name or service not known|password authentication failed|no password supplied"
    r"|pg_hba\.conf|(role|database) \".*\" does not exist|not permitted to log in|permission denied|must be owner"
    r"|invalid \w+ value|does not support SSL"
)
REQUEST_SECONDS = 8.0  # how long a request has for all of its statements together
MIGRATION_LOCK = 0x6D656368
TRIES = 8  # of a transaction that ended in a deadlock or a serialization failure
PAUSE_SECONDS = 0.02  # before the second try, and as much longer before each one more
# A string, a quoted name, a comment, a cast, a parameter, or a percent sign.
TOKENS = re.compile(r"'[^']*'|\"[^\"]*\"|--[^\n]*|::|:(?P<name>[a-z_]\w*)|%", re.IGNORECASE)


class Connection(psycopg.Connection):
    """Waits for an answer until the request's deadline: a server that hangs does not keep to its own limits."""

    deadline: float | None = None  # None: not in a request
    used = 0.0  # when the last request gave it back

    def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:
        left = CHECK_SECONDS if self.deadline is None else max(0.01, self.deadline - time.monotonic())
        try:
            return super().wait(gen, interval, left if timeout is None else min(timeout, left))
        except psycopg.OperationalError as error:
            if error.sqlstate is None:  # the answer may still come, and would be taken for another statement's
                self.close()
            raise


@cache
def translated(sql: str) -> str:
    """The statement with its parameters in psycopg's form: `:name` becomes `%(name)s`, and `%` is doubled."""

    def token(match: re.Match) -> str:
        return f"%({match['name']})s" if match["name"] else match[0].replace("%", "%%")

    return TOKENS.sub(token, sql)


class Transaction(database.Transaction):
    """On one connection of the pool."""

    def __init__(self, connection: psycopg.Connection):
        self._connection = connection

    def all(self, sql: str, params: Mapping = {}, lock: bool = False) -> list[dict]:
        cursor = self._connection.execute(translated(f"{sql} FOR NO KEY UPDATE" if lock else sql), params)
        return cursor.fetchall() if cursor.description else []

    def script(self, script: str) -> None:
        self._connection.execute(script)

    def tables(self) -> set[str]:
        rows = self.all("SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema()")
        return {row["name"] for row in rows}


class Database(database.Database):
    """The database at a URL, postgresql://… . migrations: the scripts of its tables, of which the first is version 1.

    Raises WrongDatabase for a malformed URL.
    """

    _begin_snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    _proof = "UPDATE schema_migrations SET applied_at = applied_at WHERE version = 1"

    def __init__(self, url: str, migrations: Sequence[str]):
        try:
            parts = conninfo_to_dict(url)
        except psycopg.ProgrammingError:  # its text may show the password
            text = "Wrong setting: DATABASE_URL must be like postgresql://user:password@host:5432/name"
            raise WrongDatabase(text) from None
        self.name = f"{parts.get('dbname')} at {parts.get('host')}"
        self.latest = len(migrations)
        self._url = url
        self._migrations = migrations
        self._made = False
        self._making = Lock()
        self._pool = ConnectionPool(  # not open yet
            url,
            connection_class=Connection,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "connect_timeout": CONNECT_SECONDS,
                "options": f"{parts.get('options', '')} {LIMITS}",
            },
            min_size=1,
            max_size=CONNECTIONS,
            timeout=POOL_SECONDS,
            reconnect_timeout=5,
            check=_check_if_idle,
            open=False,
        )

    def version(self) -> int:
        with _unlimited(self._url) as connection:
            return migrate.version(Transaction(connection))

    def make(self) -> None:
        """Several machines may do it at once. Of one process one request does it, and none waits for that long."""
        if not self._making.acquire(timeout=POOL_SECONDS):
            raise Unavailable(retry_after=1) from TimeoutError("another request makes the tables")
        try:
            with _unlimited(self._url) as connection:
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
                migrate.bring_up_to_date(Transaction(connection), self._migrations)
            self._made = True
        finally:
            self._making.release()

    def transaction(self, work: Callable[[database.Transaction], Result]) -> Result:
        """Isolation is READ COMMITTED: what must not change meanwhile is locked."""
        with self._connected() as tx:
            for number in range(1, TRIES):
                with suppress(errors.SerializationFailure, errors.DeadlockDetected):
                    return tx.run("BEGIN", work)
                # In this pause, other transactions that wait for the same locks get them.
                time.sleep(number * PAUSE_SECONDS)
            return tx.run("BEGIN", work)

    @contextmanager
    def _connected(self) -> Iterator[Transaction]:
        """A connection of the pool, for as long as the block lasts, or until a request has no more time."""
        deadline = time.monotonic() + REQUEST_SECONDS
        try:
            if not self._made:  # the server was away at the start
                self.make()
            self._pool.open()  # at the first time, in the process that uses it
            with waiting("connections"):
                connection = self._pool.getconn()
            try:
                connection.deadline = deadline
                yield Transaction(connection)
            finally:
                connection.deadline, connection.used = None, time.monotonic()
                self._pool.putconn(connection)
        except errors.UniqueViolation as error:
            raise Duplicate(error.diag.constraint_name or "") from None
        except (*PASSING, WrongDatabase) as error:
            raise Unavailable(retry_after=1) from error


def _check_if_idle(connection: Connection) -> None:
    """Raises psycopg's error for a connection that is lost."""
    if time.monotonic() - connection.used > IDLE_SECONDS:
        ConnectionPool.check_connection(connection)


@contextmanager
def _unlimited(url: str) -> Iterator[psycopg.Connection]:
    """A connection in a transaction without limits of time, for migrations. Raises Unavailable and WrongDatabase."""
    try:
        with psycopg.connect(url, row_factory=dict_row, connect_timeout=CONNECT_SECONDS) as connection:
            yield connection
    except (*PASSING, errors.InsufficientPrivilege) as error:
        if WRONG_SETTINGS.search(str(error)):
            raise WrongDatabase(f"Wrong setting: DATABASE_URL: {str(error).splitlines()[0]}") from None
        raise Unavailable(retry_after=1) from error
