"""Retries: the header Idempotency-Key, and what a key has made already."""

from collections.abc import Callable
from hashlib import sha256

from flask import request
from marshmallow.fields import String
from marshmallow.validate import Regexp

from mechtech import clock
from mechtech.database import Transaction, get_db
from mechtech.errors import Conflict
from mechtech.web import body
from mechtech.web.fields import about
from mechtech.web.schemas import Input

KEPT_SECONDS = 24 * 3600


class RetryHeaders(Input):
    """What a POST that may be retried takes from its headers."""

    retry_key = String(
        data_key="Idempotency-Key",
        load_default=None,
        validate=Regexp("^[ -~]{1,255}$", error="This must be 1 to 255 printable ASCII characters."),
        metadata=about("Made by the client: for 24 hours the same key gets the first answer again, and no second row."),
    )


def create_once(resource: str, user_id: int | None, insert: Callable[[Transaction], int]) -> tuple[int, bool]:
    """The id of the row, and whether an earlier request with the same key made it, which a header of the answer tells.

    user_id: None for a guest. insert: makes the row in the transaction that it gets, and returns its id. Raises
    Conflict if the key was used for another body.
    """
    if "Idempotency-Key" not in request.headers:
        return get_db().transaction(insert), False
    key = {"resource": resource, "user_id": user_id or 0, "key": request.headers["Idempotency-Key"]}
    body_hash = sha256(body.raw()).digest()
    row_id, earlier = get_db().transaction(lambda tx: _once(tx, key, body_hash, insert))
    if earlier:
        request.environ["mechtech.headers"] += [("Idempotent-Replayed", "true")]
    return row_id, earlier


def _once(tx: Transaction, key: dict, body_hash: bytes, insert: Callable[[Transaction], int]) -> tuple[int, bool]:
    """A request with the same key that comes at the same time waits for the end of the transaction."""
    times = {"oldest_kept": oldest_kept(), "now": clock.text(clock.now())}
    is_new = tx.write(
        """
        INSERT INTO idempotency_keys (resource, user_id, key, body_hash, row_id, created_at)
        VALUES (:resource, :user_id, :key, :body_hash, 0, :now)
        ON CONFLICT (resource, user_id, key) DO UPDATE
        SET body_hash = excluded.body_hash, created_at = excluded.created_at
        WHERE idempotency_keys.created_at <= :oldest_kept
        RETURNING key
        """,
        {**key, **times, "body_hash": body_hash},
    )
    if not is_new:
        earlier = tx.one(
            """
            SELECT row_id, body_hash
            FROM idempotency_keys
            WHERE resource = :resource AND user_id = :user_id AND key = :key
            """,
            key,
        )
        if earlier["body_hash"] != body_hash:
            raise Conflict("This Idempotency-Key was used for another request.")
        return earlier["row_id"], True
    # Up to 100 expired keys go for each new one, so that the table stays small.
    tx.write(
        """
        DELETE FROM idempotency_keys
        WHERE (resource, user_id, key) IN (
            SELECT resource, user_id, key
            FROM idempotency_keys
            WHERE created_at <= :oldest_kept
            LIMIT 100
        )
        """,
        times,
    )
    row_id = insert(tx)
    tx.write(
        """
        UPDATE idempotency_keys
        SET row_id = :row_id
        WHERE resource = :resource AND user_id = :user_id AND key = :key
        """,
        {**key, "row_id": row_id},
    )
    return row_id, False


def oldest_kept() -> str:
    """The time of the oldest key that has not expired."""
    return clock.text(clock.now() - KEPT_SECONDS)
