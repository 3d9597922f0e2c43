"""Waiting for the locks of SQLite, and the lock file beside a database, by which a restore has it alone."""

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable
from itertools import count
from typing import IO

from mechtech.database import Result

RETRIES_AT_ONCE = 3  # most locks are held for some microseconds
RETRY_SECONDS = 0.0002  # SQLite's own waiting backs off to 100 ms, and starves beside a busy writer


def share(path: str, alone: bool = False) -> IO:
    """A share of the database's lock file, or all of it; it is let go when it is closed or its process ends.

    Raises sqlite3's error for a database that is busy, or for one that cannot be opened.
    """
    try:
        file = os.fdopen(os.open(f"{path}.lock", os.O_RDONLY | os.O_CREAT, 0o644))
        fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        text = "the service, or a command, has the database open" if alone else "the database is being restored"
        raise failure(sqlite3.SQLITE_BUSY, text) from error
    except OSError as error:
        raise failure(sqlite3.SQLITE_CANTOPEN, str(error)) from error
    return file


def patiently(deadline: float, execute: Callable[[], Result]) -> Result:
    """Call execute until the database is not busy or the deadline is past."""
    for tries in count():
        try:
            return execute()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        if tries >= RETRIES_AT_ONCE:
            time.sleep(RETRY_SECONDS)


def failure(code: int, text: str) -> sqlite3.OperationalError:
    """An error of SQLite's kind: what it would say if it knew."""
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error
