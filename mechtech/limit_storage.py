"""Where the limits count: a storage of the library `limits`, in an SQLite file beside the database."""

import sqlite3
import threading
import time
from hashlib import blake2b

from limits.storage import Storage

from mechtech.db import Database


class SQLiteStorage(Storage):
    """Counts in an SQLite file: exact across processes, and still there after a restart. URI: sqlite:PATH."""

    STORAGE_SCHEME = ["sqlite"]
    SCHEMA = """
        CREATE TABLE IF NOT EXISTS hits (
            key        INTEGER PRIMARY KEY, -- a hash: uniform, and a third of the text's size
            count      INTEGER NOT NULL,
            expires_at INTEGER NOT NULL
        ) STRICT;
        """

    def __init__(self, uri: str, wrap_exceptions: bool = False, **options):
        super().__init__(uri, wrap_exceptions, **options)
        self._db = Database(uri.removeprefix("sqlite:"), self.SCHEMA, synchronous="OFF")
        self._last = threading.local()

    @property
    def base_exceptions(self):
        return sqlite3.Error

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = int(time.time())
        (row,) = self._db.write(
            """
            INSERT INTO hits (key, count, expires_at)
            VALUES (:key, :amount, :now + :expiry)
            ON CONFLICT (key) DO UPDATE
            SET count = CASE WHEN expires_at > :now THEN count + :amount ELSE :amount END,
                expires_at = CASE WHEN expires_at > :now THEN expires_at ELSE :now + :expiry END
            RETURNING count, expires_at
            """,
            {"key": _hash(key), "amount": amount, "now": now, "expiry": expiry},
        )
        self._last.expiry = key, row["expires_at"]
        if row["count"] == amount:
            self._sweep(_hash(key), now)
        return row["count"]

    def get(self, key: str) -> int:
        row = self._db.one("SELECT count FROM hits WHERE key = ? AND expires_at > ?", (_hash(key), int(time.time())))
        return row["count"] if row else 0

    def get_expiry(self, key: str) -> float:
        last, expires_at = getattr(self._last, "expiry", (None, None))
        if key == last and expires_at > time.time():  # incr() came just before, and read it: no second statement
            return expires_at
        row = self._db.one("SELECT expires_at FROM hits WHERE key = ?", (_hash(key),))
        return row["expires_at"] if row else time.time()

    def check(self) -> bool:
        self._db.check()
        return True

    def reset(self) -> int | None:
        return len(self._db.write("DELETE FROM hits RETURNING key"))

    def clear(self, key: str) -> None:
        self._db.write("DELETE FROM hits WHERE key = ?", (_hash(key),))

    def _sweep(self, key: int, now: int) -> None:
        """Forget some of the windows that are over. Each new one looks at eight others, so at most an eighth stays."""
        self._db.write(
            """
            DELETE FROM hits
            WHERE expires_at <= :now AND key IN (SELECT key FROM hits WHERE key > :key ORDER BY key LIMIT 8)
            """,
            {"key": key, "now": now},
        )


def _hash(key: str) -> int:
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), signed=True)
