"""Layer 4: one count for each address over all of /api/, and the count of failed logins.

Flask-Limiter's hooks count each endpoint apart, and cost more than many a request even when they count nothing: its
library `limits` is asked directly.
"""

import math
import sqlite3
import threading
import time
from hashlib import blake2b

import limits
from flask import Flask, current_app, request
from flask_limiter.util import get_remote_address
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from mechtech.db import Database
from mechtech.errors import RateLimited

FAILED_LOGINS_HERE = limits.parse("10 per 15 minutes")  # for one account from one address
FAILED_LOGINS = limits.parse("100 per 15 minutes")  # for one account from anywhere


def init_app(app: Flask) -> None:
    settings = app.config["settings"]
    uri = settings.rate_limit_storage or f"sqlite:{settings.db_path}.limits"
    storage, rate = storage_from_string(uri, wrap_exceptions=True), settings.rate_limit
    app.extensions["mechtech.limiter"] = FixedWindowRateLimiter(storage)

    @app.before_request
    def count_request():
        environ = request.environ
        if not f"{environ['PATH_INFO']}/".startswith("/api/"):
            return
        key = rate.key_for("api", environ["REMOTE_ADDR"])
        count = storage.incr(key, rate.get_expiry())
        reset = math.ceil(storage.get_expiry(key))
        environ["mechtech.headers"] += [
            ("X-RateLimit-Limit", str(rate.amount)),
            ("X-RateLimit-Remaining", str(max(0, rate.amount - count))),
            ("X-RateLimit-Reset", str(reset)),
        ]
        if count > rate.amount:
            raise RateLimited(retry_after=_seconds_until(reset))


def check_guesses(email: str) -> None:
    """Raises RateLimited once too many logins have failed for this account."""
    for rate, keys in _guesses(email):
        if not _limiter().test(rate, *keys):
            raise RateLimited(retry_after=_seconds_until(_limiter().get_window_stats(rate, *keys).reset_time))


def count_failed_guess(email: str) -> None:
    """Raises RateLimited where others have used up the limit since check_guesses()."""
    within = [_limiter().hit(rate, *keys) for rate, keys in _guesses(email)]
    if not all(within):
        check_guesses(email)


def _guesses(email: str):
    """Addresses without an account count just the same. Kept as a hash: the file outlives the account."""
    account = blake2b(email.lower().encode(), digest_size=16).hexdigest()
    return (FAILED_LOGINS_HERE, ("login", account, get_remote_address())), (FAILED_LOGINS, ("login", account))


def _limiter():
    return current_app.extensions["mechtech.limiter"]


def _seconds_until(moment: float) -> int:
    return max(1, math.ceil(moment - time.time()))


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
        if key == last and expires_at > time.time():  # what incr() read stands until then
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
