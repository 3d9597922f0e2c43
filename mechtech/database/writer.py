"""Group commit: one thread writes for all, and whatever waits while it is busy shares the next commit.

So many writes share one flush of the disk. Each is in a savepoint of its own and can fail alone; none is acknowledged
before the commit.
"""

import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from mechtech.database.file import BUSY_SECONDS, Connection, DatabaseFile
from mechtech.database.locks import patiently
from mechtech.signals import group_committed, waiting

PAUSE_SECONDS = 0.001  # in busy times; other processes then get the lock: 20 % more POSTs, and p99 30 % less
LOG_BYTES = 32 * 2**20  # of the write-ahead log, before a checkpoint, after which all connections are opened anew


@dataclass
class Write:
    """What a request waits for: the future of work(connection), which runs in an immediate transaction."""

    work: Callable[[Connection], Any]
    deadline: float = field(default_factory=lambda: time.monotonic() + BUSY_SECONDS)
    future: Future = field(default_factory=Future)


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
        write = Write(work)
        try:
            with waiting("writer"):
                with self._taking:
                    self._waiting.append(write)
                    if len(self._waiting) == 1:  # those that follow it are taken with it
                        self._thread.submit(self._commit_waiting)
                return write.future.result()
        finally:
            del write  # its future holds the error, whose traceback holds this frame

    def _commit_waiting(self) -> None:
        if len(self._waiting) > 1:
            time.sleep(PAUSE_SECONDS)
        with self._taking:
            writes, self._waiting = self._waiting, []
        count = len(writes)
        self._commit(writes)
        group_committed.send(self, writes=count)

    def _commit(self, writes: list[Write]) -> None:
        """Run them all in one transaction, then tell each what became of it."""
        try:
            connection = patiently(writes[0].deadline, self._begin)
            outcomes = [self._attempt(connection, write) for write in writes]
            connection.execute("COMMIT")
        except BaseException as error:  # nothing of it is committed, and each caller must learn so
            self._give_up_transaction(error)
            outcomes = [(None, error)] * len(writes)
        while writes:
            write, (result, error) = writes.pop(), outcomes.pop()
            if error is None:
                write.future.set_result(result)
            else:
                write.future.set_exception(error)

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
        if self._file.log_size() >= LOG_BYTES:
            self._shorten_log(connection)
        connection.execute("BEGIN IMMEDIATE")
        return connection

    def _shorten_log(self, connection: Connection) -> None:
        """Run a checkpoint under the lock that a write needs. Raises where another connection holds it.

        So no commit can begin the log anew meanwhile: SQLite before 3.51.3 may then skip committed pages for ever.
        What cannot be copied into the file, as on a full disk, stays in the log until the next time.
        """
        connection.execute("BEGIN IMMEDIATE")
        try:
            with suppress(sqlite3.Error), closing(self._file.connect("rw")) as other:
                other.execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            connection.execute("ROLLBACK")

    def _give_up_transaction(self, error: BaseException) -> None:
        if self._connection is None:
            return
        self._connection.doubt(error)
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
