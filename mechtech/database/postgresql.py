"""PostgreSQL: a pool of connections, row locks, bounded waiting, and new tries of a transaction after a deadlock."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from threading import Lock

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from mechtech import database
from mechtech.database import Duplicate, Result, migrate
from mechtech.database.migrate import WrongDatabase
from mechtech.errors import Unavailable

CONNECTIONS = 8  # a process: more would only wait for each other's locks
CONNECT_SECONDS = 3
POOL_SECONDS = 3.0  # how long a request waits for a connection
CHECK_SECONDS = 1.0  # how long a pooled connection has to show that it is alive
REQUEST_SECONDS = 8.0  # how long a request has for all of its statements together
PROOF_SECONDS = 1.0  # how long check() relies on the last write that it made
TRIES = 8  # of a transaction that ended in a deadlock or a serialization failure
MIGRATION_LOCK = 0x6D656368
# The server's own limits, which also end what a client that is gone has left behind. In milliseconds.
LIMITS = "-c statement_timeout=5000 -c lock_timeout=4000 -c idle_in_transaction_session_timeout=10000"
# A string, a quoted name, a comment, a cast, a parameter, or a percent sign.
TOKENS = re.compile(r"'[^']*'|\"[^\"]*\"|--[^\n]*|::|:(?P<name>[a-z_]\w*)|%", re.IGNORECASE)
# Errors of the server's state, which passes; whatever else it reports is a mistake of ours.
PASSING = (
    psycopg.OperationalError,  # away, restarting, full, too many connections, a timeout, a lock
    psycopg.InterfaceError,  # the connection is closed
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
)
# What a server or the resolver says of settings that are wrong, and do not become right by waiting.
WRONG_SETTINGS = re.compile(
    r"failed to resolve host|Name or service not known|password authentication failed|no password supplied"
    r"|pg_hba\.conf|(role|database) \".*\" does not exist|not permitted to log in"
)


@cache
def translated(sql: str) -> str:
    """The statement with its parameters in psycopg's form: `:name` becomes `%(name)s`, and `%` is doubled."""

    def token(match: re.Match) -> str:
        return f"%({match['name']})s" if match["name"] else match[0].replace("%", "%%")

    return TOKENS.sub(token, sql)


class Connection(psycopg.Connection):
    """Waits for a server that hangs no longer than the request has time, which a limit on the server could not see."""

    deadline: float | None = None  # None: not in a request

    def wait(self, gen, interval: float = 0.1, timeout: float | None = None):
        left = CHECK_SECONDS if self.deadline is None else max(0.01, self.deadline - time.monotonic())
        try:
            return super().wait(gen, interval, left if timeout is None else min(timeout, left))
        except psycopg.OperationalError:
            self.close()  # an answer may still come, and must not be taken for the next statement's
            raise


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
        self._pool = ConnectionPool(
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
            check=ConnectionPool.check_connection,
            open=False,
        )

    def version(self) -> int:
        with self._migrating() as connection:
            return _version(connection)

    def make(self) -> None:
        with self._migrating() as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])  # several machines may start
            found = _version(connection)
            migrate.check_not_newer(found, self.latest)
            if found == 0:
                _check_empty(connection)
                connection.execute(
                    "CREATE TABLE schema_migrations (version integer PRIMARY KEY, applied_at timestamptz DEFAULT now())"
                )
            for number in range(found + 1, self.latest + 1):
                connection.execute(self._migrations[number - 1])
                connection.execute("INSERT INTO schema_migrations (version) VALUES (%s)", [number])
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
            for _ in range(TRIES - 1):
                with suppress(errors.SerializationFailure, errors.DeadlockDetected):
                    return _run(connection, "BEGIN", work)
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
            connection = self._pool.getconn()
            try:
                connection.deadline = deadline
                yield connection
            finally:
                connection.deadline = None
                self._pool.putconn(connection)
        except errors.UniqueViolation as error:
            raise Duplicate(error.diag.constraint_name or "") from None
        except PASSING as error:
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

    @contextmanager
    def _migrating(self) -> Iterator[psycopg.Connection]:
        """A connection without limits of time: a migration may take long. Raises Unavailable and WrongDatabase."""
        try:
            with psycopg.connect(self._url, autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
                yield connection
        except errors.InsufficientPrivilege as error:
            raise WrongDatabase(f"Wrong setting: DATABASE_URL: {error.diag.message_primary}") from None
        except PASSING as error:
            if WRONG_SETTINGS.search(str(error)):
                raise WrongDatabase(f"Wrong setting: DATABASE_URL: {str(error).splitlines()[0]}") from None
            raise Unavailable(retry_after=1) from error


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


def _version(connection: psycopg.Connection) -> int:
    if connection.execute("SELECT to_regclass('schema_migrations')").fetchone()[0] is None:
        return 0
    try:
        return connection.execute("SELECT COALESCE(MAX(version), 0) FROM schema_migrations").fetchone()[0]
    except errors.UndefinedColumn:  # another program's table of this name
        raise _foreign() from None


def _check_empty(connection: psycopg.Connection) -> None:
    """Raises WrongDatabase for a database of something else."""
    if connection.execute("SELECT 1 FROM pg_tables WHERE schemaname = current_schema() LIMIT 1").fetchone():
        raise _foreign()
    if connection.execute("SHOW server_encoding").fetchone()[0] != "UTF8":
        raise WrongDatabase("Wrong setting: DATABASE_URL names a database whose encoding is not UTF8")


def _foreign() -> WrongDatabase:
    return WrongDatabase("Wrong setting: DATABASE_URL names a database of something else: give the service its own")
