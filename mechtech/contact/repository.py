"""Messages of the contact form."""

from flask import current_app

from mechtech import clock
from mechtech.database import Transaction, get_db
from mechtech.database.page import Position, page
from mechtech.mail import outbox
from mechtech.web.idempotency import create_once

COLUMNS = 'id, "fullName", email, message, status, created_at, updated_at'
CONDITIONS = {"status": "status = :status"}


def create(message: dict) -> int:
    """The id of the message that this request made, or an earlier try."""
    settings = current_app.config["settings"]
    row = {**message, **clock.stamps()}

    def insert(tx: Transaction) -> int:
        made = tx.write(
            """
            INSERT INTO contact_messages ("fullName", email, message, created_at, updated_at)
            VALUES (:full_name, :email, :message, :created_at, :updated_at)
            RETURNING id
            """,
            row,
        )
        outbox.add(tx, settings, "owner_message", {**row, "id": made[0]["id"]})
        return made[0]["id"]

    message_id, _ = create_once("contact", None, insert)
    return message_id


def list_page(filters: dict, after: Position | None, limit: int) -> tuple[list[dict], int, Position | None]:
    """A page of messages, how many match the filters, and the position that the next page begins after."""
    return page(f"SELECT {COLUMNS} FROM contact_messages", "contact_messages", CONDITIONS, filters, after, limit)


def find(message_id: int) -> dict | None:
    return get_db().one(
        f"""
        SELECT {COLUMNS}
        FROM contact_messages
        WHERE id = :id
        """,
        {"id": message_id},
    )


def mark_read(message_id: int) -> list[dict]:
    """A row with its id; none where there is no such message."""
    return get_db().write(
        """
        UPDATE contact_messages
        SET status = 'read', updated_at = :now
        WHERE id = :id
        RETURNING id
        """,
        {"id": message_id, "now": clock.text(clock.now())},
    )


def delete(message_id: int) -> list[dict]:
    """A row with its id; none where there is no such message."""
    return get_db().write("DELETE FROM contact_messages WHERE id = :id RETURNING id", {"id": message_id})
