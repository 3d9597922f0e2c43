"""The one connection that writes. Those who wait while others write are written together, by one of them.

So they share one flush of the disk, and whoever writes does not hand the connection on after each. Each can still be
undone alone, and none is told before the commit. Rows of one table even share the statement.
"""

import sqlite3
import time
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock

from mechtech.database.file import BUSY_SECONDS, Connection, DatabaseFile, failure, patiently

TOGETHER_AT_MOST = 64  # writes in one commit
GATHER_SECONDS = 0.0005  # how long rows of which there are several wait for more
PROOF_SECONDS = 1.0  # how long check() believes the disk that took a write


class Write:
    """What one thread wants written.

    work: called with a connection in an immediate transaction. in_steps: of several statements, undone together.
    insert, row: the same as one statement that inserts a row, and returns its id.
    """

    __slots__ = ("deadline", "ended", "error", "in_steps", "insert", "result", "row", "turn", "work")

    def __init__(self, work, in_steps: bool, insert: str | None, row: tuple):
        self.work, self.in_steps = work, in_steps
        self.insert, self.row = insert, row
        self.deadline = time.monotonic() + BUSY_SECONDS
        self.turn = SimpleQueue()  # tells the thread to look again; once too often does no harm
        self.ended = False
        self.result = None
        self.error: BaseException | None = None


class Writer:
    def __init__(self, file: DatabaseFile):
        self._file = file
        self._connection = None
        self._at_work = Lock()  # held by the thread that writes for all
        self._waiting = deque()
        self._proved = 0.0

    def run(self, work, in_steps: bool, insert: str | None = None, row: tuple = ()):
        """What work returns, once it is committed; raises what it raises, and sqlite3's errors."""
        write = Write(work, in_steps, insert, row)
        self._waiting.append(write)
        while not write.ended:
            if self._at_work.acquire(blocking=False):
                try:
                    self._write_for_all()
                finally:
                    self._at_work.release()
                self._pass_on()
            else:
                try:
                    write.turn.get(timeout=max(0.0, write.deadline - time.monotonic()))
                except Empty:
                    self._give_up(write)
        if write.error is not None:
            try:
                raise write.error
            finally:
                write.error = None  # it holds this frame, and must not be held by it
        return write.result

    def check(self) -> None:
        """Raise what a write would meet: can the file be opened, its lock be had, does the disk take a write?"""
        if time.monotonic() - self._proved > PROOF_SECONDS:
            self.run(_rewrite_something, in_steps=False)
            self._proved = time.monotonic()
        elif self._at_work.acquire(blocking=False):  # nobody is at work, and there is nothing to commit
            try:
                patiently(time.monotonic() + BUSY_SECONDS, lambda: _change_nothing(self._connected()))
            except sqlite3.Error:
                self._proved = 0.0
                raise
            finally:
                self._at_work.release()
                self._pass_on()
        else:
            self.run(_change_nothing, in_steps=False)

    def _pass_on(self) -> None:
        """Whoever came meanwhile, and found somebody at work, is the next."""
        if self._waiting:
            with suppress(IndexError):  # given up this moment, and passed on
                self._waiting[0].turn.put(None)

    def _give_up(self, write: Write) -> None:
        """Raise that the time is over, unless somebody has taken it: then it is written, or put back before long."""
        try:
            self._waiting.remove(write)
        except ValueError:
            write.turn.get()
        else:
            self._pass_on()
            raise failure(sqlite3.SQLITE_BUSY, "the other requests of this process keep the database busy")

    def _write_for_all(self) -> None:
        taken = self._take()
        if not taken:
            return
        try:
            if not self._insert_all(taken):
                self._write_each(taken)
        except BaseException as error:  # each of them must hear of it
            self._proved = 0.0
            for write in taken:
                write.error = error
            if self._connection is not None:
                self._connection.doubt(error)
                if self._connection.in_transaction:
                    with suppress(sqlite3.Error):
                        self._connection.execute("ROLLBACK")
        finally:
            for write in taken:
                write.ended = True
                write.turn.put(None)

    def _take(self) -> list[Write]:
        """The first that waits, and others of its kind."""
        taken, others = [], []
        with suppress(IndexError):
            taken.append(self._waiting.popleft())
            if taken[0].insert and self._waiting:
                time.sleep(GATHER_SECONDS)
            while len(taken) < TOGETHER_AT_MOST:
                write = self._waiting.popleft()
                (others if write.insert != taken[0].insert else taken).append(write)
        self._waiting.extendleft(reversed(others))
        return taken

    def _insert_all(self, taken: list[Write]) -> bool:
        """All rows by one statement, if that is what they are: it is all done, commit and all, before Python goes on.

        False: nothing is done, one of them may be refused.
        """
        first = taken[0]
        if first.insert is None:
            return False
        place = f"({', '.join('?' * len(first.row))})"
        sql = first.insert.replace(place, ", ".join([place] * len(taken)))
        values = [value for write in taken for value in write.row]
        try:
            last = patiently(first.deadline, lambda: self._connected().execute(sql, values)).lastrowid
        except sqlite3.IntegrityError:
            return False
        if self._connection.in_transaction:  # left open by whatever went wrong before: nothing is committed
            raise failure(sqlite3.SQLITE_INTERNAL, "a transaction was open already")
        for id, write in enumerate(taken, last - len(taken) + 1):
            write.result = id
        return True

    def _write_each(self, taken: list[Write]) -> None:
        connection = patiently(taken[0].deadline, self._begin)
        for write in taken:
            self._run(write, connection)
        connection.execute("COMMIT")

    def _run(self, write: Write, connection: Connection) -> None:
        """Raises only what undoes the others too."""
        if write.in_steps:
            connection.execute("SAVEPOINT one")
        try:
            write.result = write.work(connection)
        except BaseException as error:
            self._proved = 0.0
            # Either it can be undone alone, or SQLite has.
            alone = connection.in_transaction and (write.in_steps or isinstance(error, sqlite3.IntegrityError))
            if not alone:
                raise
            if write.in_steps:
                connection.execute("ROLLBACK TO one")
            write.error = error
        if write.in_steps:
            connection.execute("RELEASE one")

    def _begin(self) -> Connection:
        """Looks at the file at each try: it may be replaced while somebody else has its lock."""
        connection = self._connected()
        connection.execute("BEGIN IMMEDIATE")
        return connection

    def _connected(self) -> Connection:
        connection = self._file.current(self._connection)
        if connection is not self._connection:
            connection.execute("PRAGMA busy_timeout = 0")  # patiently() waits better
            self._connection = connection
        return connection


def _change_nothing(connection: Connection) -> None:
    """With the lock and the rights of a write."""
    connection.execute("DELETE FROM users WHERE 0")


def _rewrite_something(connection: Connection) -> None:
    """To the disk, though it is as before."""
    connection.execute("PRAGMA application_id = 0")
