"""Messages of the contact form."""

from mechtech import clock
from mechtech.database import get_db
from mechtech.database.page import json_row, page
from mechtech.errors import NotFound
from mechtech.web import idempotency
from mechtech.web.idempotency import Retry

COLUMNS = "id, fullName, email, message, status, created_at, updated_at"


INSERT = """
    INSERT INTO contact_messages (fullName, email, message, created_at, updated_at)
    VALUES (?, ?, ?, ?, ?)"""


def create(message: dict, retry: Retry) -> tuple[int, bool]:
    """The id of the message that this made, or that an earlier try made; was it an earlier one?"""
    now = clock.text(clock.now())
    row = message["full_name"], message["email"], message["message"], now, now
    if retry.key is None:
        return get_db().insert(INSERT, row), False

    def create_once(tx):
        earlier = idempotency.recall(tx, "contact", retry)
        if earlier is not None:
            return earlier, True
        message_id = tx.execute(INSERT, row).lastrowid
        idempotency.remember(tx, "contact", retry, message_id)
        return message_id, False

    return get_db().transaction(create_once)


def list_page(status: str | None, before: int | None, limit: int):
    return page(json_row(COLUMNS), "contact_messages", {"status": status}, before, limit)


def find(message_id: int) -> dict:
    """Raises NotFound."""
    message = get_db().one(
        f"""
        SELECT {COLUMNS}
        FROM contact_messages
        WHERE id = ?
        """,
        (message_id,),
    )
    if message is None:
        raise NotFound
    return message


def mark_read(message_id: int) -> None:
    """Raises NotFound."""
    changed = get_db().write(
        """
        UPDATE contact_messages
        SET status = 'read', updated_at = ?
        WHERE id = ?
        RETURNING id
        """,
        (clock.text(clock.now()), message_id),
    )
    if not changed:
        raise NotFound


def delete(message_id: int) -> None:
    """Raises NotFound."""
    deleted = get_db().write(
        """
        DELETE FROM contact_messages
        WHERE id = ?
        RETURNING id
        """,
        (message_id,),
    )
    if not deleted:
        raise NotFound
