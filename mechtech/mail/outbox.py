"""The outbox: mails that are to be sent, written down in the transaction of what sets them off."""

import json

from flask import current_app

from mechtech import clock
from mechtech.database import Database, Transaction
from mechtech.settings import Settings

SENDING_SECONDS = 600  # how long a sender has for the mail that it claimed, before another may claim it
# What a sent mail told is emptied: this is no archive.
OUTCOMES = {"sent": "sent_at = :at, content = '{}'", "later": "due_at = :at", "given up": "given_up_at = :at"}


class Outbox:
    """What the app writes mails down in; without MAIL_URL nothing is written down in production."""

    def __init__(self, settings: Settings):
        self._used = bool(settings.mail_url) or not settings.production
        self._owner = settings.owner_email

    def add(self, tx: Transaction | Database, kind: str, recipient: str, content: dict) -> None:
        """Write down a mail. kind: its templates' name. content: all that it tells, as it is now."""
        if not self._used:
            return
        tx.write(
            """
            INSERT INTO outbox (kind, recipient, content, created_at, due_at)
            VALUES (:kind, :recipient, :content, :now, :now)
            """,
            {"kind": kind, "recipient": recipient, "content": json.dumps(content), "now": clock.text(clock.now())},
        )

    def add_for_owner(self, tx: Transaction | Database, kind: str, content: dict) -> None:
        if self._owner:
            self.add(tx, kind, self._owner, content)

    def add_nothing(self, db: Database) -> None:
        """Take as long as add() does, and leave no mail: the one row of this kind is written again."""
        if not self._used:
            return
        db.write(
            """
            INSERT INTO outbox (id, kind, recipient, content, created_at, due_at, sent_at)
            VALUES (0, 'none', '', '{}', :now, :now, :now)
            ON CONFLICT (id) DO UPDATE
            SET created_at = excluded.created_at, sent_at = excluded.sent_at
            """,
            {"now": clock.text(clock.now())},
        )


def get_outbox() -> Outbox:
    """The outbox of the app at work."""
    return current_app.extensions["mechtech.outbox"]


def claim(db: Database) -> dict | None:
    """A mail that is due, which no other sender gets meanwhile; None if there is none.

    The condition stands twice since PostgreSQL looks again only at the outer one, once another sender has claimed
    the row that it waited for.
    """
    claimed = db.write(
        """
        UPDATE outbox
        SET due_at = :until, tries = tries + 1
        WHERE sent_at IS NULL AND given_up_at IS NULL AND due_at <= :now AND id = (
            SELECT id
            FROM outbox
            WHERE sent_at IS NULL AND given_up_at IS NULL AND due_at <= :now
            ORDER BY due_at, id
            LIMIT 1
        )
        RETURNING id, kind, recipient, content, created_at, tries
        """,
        {"now": clock.text(clock.now()), "until": clock.text(clock.now() + SENDING_SECONDS)},
    )
    return claimed[0] if claimed else None


def settle(db: Database, mail: dict, outcome: str, at: int) -> None:
    """Write down what became of a claimed mail. outcome: of OUTCOMES. at: in seconds since 1970."""
    db.write(
        f"""
        UPDATE outbox
        SET {OUTCOMES[outcome]}
        WHERE id = :id
        """,
        {"id": mail["id"], "at": clock.text(at)},
    )
