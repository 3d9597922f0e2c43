"""Group commit: one thread writes for all, and whatever waits while it is busy shares the next commit.

So many writes share one flush of the disk. Each is in a savepoint of its own and can fail alone; none is acknowledged
before the commit.
"""

import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from threading import Lock
from typing import Any, NamedTuple

from mechtech.database.file import BUSY_SECONDS, Connection, DatabaseFile, patiently
from mechtech.signals import group_committed, waiting

PAUSE_SECONDS = 0.001  # in busy times; other processes then get the lock: 20 % more POSTs, and p99 30 % less
LOG_BYTES = 32 * 2**20  # of the write-ahead log, before a checkpoint, after which all connections are opened anew


class Write(NamedTuple):
    """What a request waits for: the future of work(connection), which runs in an immediate transaction."""

    work: Callable[[Connection], Any]
    deadline: float
    future: Future


class Writer:
    """The queue of writes, and the one thread that empties it; it starts at the first write, after the fork."""

    def __init__(self, file: DatabaseFile):
        self._file = file
        self._connection: Connection | None = None
        self._waiting: list[Write] = []
        self._taking = Lock()
        self._thread = ThreadPoolExecutor(1, "database-writer")

    def run(self, work: Callable[[Connection], Any]) -> Any:
        """What work returns, once it is committed. Raises what work raises, and sqlite3's errors."""
        future = Future()
        with waiting("writer"):
            with self._taking:
                self._waiting.append(Write(work, time.monotonic() + BUSY_SECONDS, future))
                if len(self._waiting) == 1:  # later ones find the thread called already
                    self._thread.submit(self._commit_waiting)
            return future.result()

    def _commit_waiting(self) -> None:
        if len(self._waiting) > 1:
            time.sleep(PAUSE_SECONDS)
        with self._taking:
            writes, self._waiting = self._waiting, []
        for write, (result, error) in zip(writes, self._commit(writes)):
            if error is None:
                write.future.set_result(result)
            else:
                write.future.set_exception(error)
        group_committed.send(self, writes=len(writes))

    def _commit(self, writes: list[Write]) -> list[tuple[Any, BaseException | None]]:
        """Run them all in one transaction; the result or the error of each."""
        try:
            connection = patiently(writes[0].deadline, self._begin)
            outcomes = [self._attempt(connection, write) for write in writes]
            connection.execute("COMMIT")
            return outcomes
        except BaseException as error:  # nothing of it is committed, and each caller must learn so
            if self._connection is not None:
                self._connection.stamp = None  # opened anew next time: the failure may be its own
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
            return [(None, error)] * len(writes)

    def _attempt(self, connection: Connection, write: Write) -> tuple[Any, BaseException | None]:
        """Its result or its error. Raises only what ended the whole transaction."""
        connection.execute("SAVEPOINT one")
        try:
            result, failed = write.work(connection), None
        except BaseException as error:
            if not connection.in_transaction:  # SQLite has undone everything, such as on a full disk
                raise
            connection.execute("ROLLBACK TO one")
            result, failed = None, error
        connection.execute("RELEASE one")
        return result, failed

    def _begin(self) -> Connection:
        """The writing connection, in a transaction. Looks at the file at each try: it may have been replaced."""
        connection = self._file.current(self._connection)
        if connection is not self._connection:
            connection.execute("PRAGMA busy_timeout = 0")  # patiently() waits in shorter steps than SQLite
            self._connection = connection
        connection.execute("BEGIN IMMEDIATE")
        if self._file.log_size() >= LOG_BYTES:
            self._checkpoint()
            connection.execute("ROLLBACK")  # SQLite begins the log anew only in a transaction that starts after it
            connection.execute("BEGIN IMMEDIATE")
        return connection

    def _checkpoint(self) -> None:
        """Copy the log into the file.

        It runs under the lock that a write needs, which the writing connection holds: SQLite before 3.51.3 may skip
        committed pages for ever if the log begins anew meanwhile. What cannot be copied, as on a full disk, stays in
        the log until the next time.
        """
        with suppress(sqlite3.Error), closing(self._file.connect("rw")) as other:
            other.execute("PRAGMA wal_checkpoint(PASSIVE)")
