"""Retries: what a key has made already. For use inside the transaction that makes it; the contract's Retries."""

from sqlite3 import Connection
from typing import NamedTuple

from mechtech import clock
from mechtech.errors import Conflict

KEPT_SECONDS = 24 * 3600


class Retry(NamedTuple):
    key: str | None  # the client's Idempotency-Key
    body_hash: bytes | None  # without a key
    user_id: int | None  # None: a guest


def recall(tx: Connection, resource: str, retry: Retry) -> int | None:
    """The id of the row that this request made before; raises Conflict if the key was used for another body."""
    row = tx.execute(
        """
        SELECT row_id, body_hash
        FROM idempotency_keys
        WHERE resource = ? AND user_id = ? AND key = ? AND created_at > ?
        """,
        (resource, retry.user_id or 0, retry.key, _oldest_kept()),
    ).fetchone()
    if row is None:
        return None
    row_id, body_hash = row
    if body_hash != retry.body_hash:
        raise Conflict("This Idempotency-Key was used for another request.")
    return row_id


def remember(tx: Connection, resource: str, retry: Retry, row_id: int) -> None:
    """Also forgets some of the keys that are over: more than come in, so that the table stays small."""
    tx.execute(
        """
        DELETE FROM idempotency_keys
        WHERE (resource, user_id, key) IN (
            SELECT resource, user_id, key
            FROM idempotency_keys
            WHERE created_at <= ?
            LIMIT 100
        )
        """,
        (_oldest_kept(),),
    )
    tx.execute(
        """
        INSERT OR REPLACE INTO idempotency_keys (resource, user_id, key, body_hash, row_id, created_at)
        VALUES (?, ?, ?, ?, ?, ?)
        """,
        (resource, retry.user_id or 0, retry.key, retry.body_hash, row_id, clock.text(clock.now())),
    )


def _oldest_kept() -> str:
    return clock.text(clock.now() - KEPT_SECONDS)
