"""A pool of connections to PostgreSQL: none is waited for, and none waits, longer than a request has time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from mechtech.signals import waiting

CONNECTIONS = 8  # a process: more would only wait for each other's locks
CONNECT_SECONDS = 3
POOL_SECONDS = 3.0  # how long a request waits for a connection
CHECK_SECONDS = 1.0  # how long a pooled connection has to show that it is alive
IDLE_SECONDS = 1.0  # a connection that was used since then need not show it: that is half of a short request's time
REQUEST_SECONDS = 8.0  # how long a request has for all of its statements together
# The server's own limits, which also end what a client that is gone has left behind. In milliseconds.
LIMITS = "-c statement_timeout=5000 -c lock_timeout=4000 -c idle_in_transaction_session_timeout=10000"
# Errors of the server's state, which passes; whatever else it reports is a mistake of ours.
PASSING = (
    psycopg.OperationalError,  # away, restarting, full, too many connections, a timeout, a lock
    psycopg.InterfaceError,  # the connection is closed
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
)

Result = TypeVar("Result")


class Connection(psycopg.Connection):
    """Waits for a server that hangs no longer than the request has time, which a limit on the server could not see."""

    deadline: float | None = None  # None: not in a request
    used = 0.0  # when the last request gave it back

    def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:
        left = CHECK_SECONDS if self.deadline is None else max(0.01, self.deadline - time.monotonic())
        try:
            return super().wait(gen, interval, left if timeout is None else min(timeout, left))
        except psycopg.OperationalError as error:
            if (
                error.sqlstate is None
            ):  # not the server's answer, which may still come: it belongs to no other statement
                self.close()
            raise


def check_if_idle(connection: Connection) -> None:
    """Raises psycopg's error for a connection that is lost."""
    if time.monotonic() - connection.used > IDLE_SECONDS:
        ConnectionPool.check_connection(connection)


def make_pool(url: str, options: str) -> ConnectionPool[Connection]:
    """A pool that is not open yet. options: those of the URL."""
    return ConnectionPool(
        url,
        connection_class=Connection,
        kwargs={
            "autocommit": True,
            "row_factory": dict_row,
            "connect_timeout": CONNECT_SECONDS,
            "options": f"{options} {LIMITS}",
        },
        min_size=1,
        max_size=CONNECTIONS,
        timeout=POOL_SECONDS,
        reconnect_timeout=5,
        check=check_if_idle,
        open=False,
    )


@contextmanager
def borrowed(pool: ConnectionPool[Connection], deadline: float) -> Iterator[Connection]:
    """A connection of the pool, for as long as the block lasts; its statements end with the deadline."""
    with waiting("connections"):
        connection = pool.getconn()
    try:
        connection.deadline = deadline
        yield connection
    finally:
        connection.deadline, connection.used = None, time.monotonic()
        pool.putconn(connection)
