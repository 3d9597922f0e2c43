"""The outbox: mails that are to be sent, written down in the transaction of what sets them off."""

import json
from hashlib import blake2b

import limits
from flask import current_app

from mechtech import clock
from mechtech.database import Database, Transaction, get_db
from mechtech.settings import Settings
from mechtech.signals import limit_refused
from mechtech.web.rate_limit import limiter

LINKS = limits.parse("10 per 15 minutes")
FARTHEST_SECONDS = 86400  # no pause is as long: a mail that is due later was written by a clock that was ahead
SENDING_SECONDS = 600  # how long a sender has for the mail that it claimed, before another may claim it


def add(tx: Transaction | Database, settings: Settings, kind: str, content: dict | None) -> None:
    """Write down a mail: to the owner, if its kind begins with owner_, else to the address in its content.

    kind: its templates' name. content: all that it tells, as it is now; None writes a row that takes as long
    and is never sent. Nothing is written down for a forgotten person, nor in production without MAIL_URL.
    """
    told, now = content or {"email": ""}, clock.text(clock.now())
    recipient = settings.owner_email if kind.startswith("owner_") else told["email"]
    if recipient is None or recipient.endswith(".invalid") or (settings.production and not settings.mail_url):
        return
    mail = {"kind": kind, "recipient": recipient, "content": json.dumps(told), "now": now}
    tx.write(
        """
        INSERT INTO outbox (kind, recipient, content, created_at, due_at, sent_at)
        VALUES (:kind, :recipient, :content, :now, :now, :sent_at)
        """,
        {**mail, "sent_at": None if content else now},
    )


def send_link(kind: str, asked: str, content: dict | None) -> None:
    """Write down a mail with a link, which anyone may ask for. What is answered, and when, never tells if one is sent.

    asked: what they are counted by, as a hash, since counts outlive it. content: None without an account or booking.
    """
    within = limiter().hit(LINKS, "link", kind, blake2b(asked.encode(), digest_size=16).hexdigest())
    if not within:
        limit_refused.send("links")
    add(get_db(), current_app.config["settings"], kind, content if within else None)


def claim() -> dict | None:
    """A mail that is due, which no other sender gets meanwhile; None if there is none."""
    # PostgreSQL looks again at the outer condition alone, once another sender has claimed the row it waited for.
    claimed = get_db().write(
        """
        UPDATE outbox
        SET due_at = :until, tries = tries + 1
        WHERE (due_at <= :now OR due_at > :farthest) AND id = (
            SELECT id
            FROM outbox
            WHERE sent_at IS NULL AND given_up_at IS NULL AND (due_at <= :now OR due_at > :farthest)
            ORDER BY due_at, id
            LIMIT 1
        )
        RETURNING *
        """,
        {
            "now": clock.text(clock.now()),
            "until": clock.text(clock.now() + SENDING_SECONDS),
            "farthest": clock.text(clock.now() + FARTHEST_SECONDS),
        },
    )
    return claimed[0] if claimed else None


def save(mail: dict) -> None:
    """Write down what became of a claimed mail: it is sent, given up, or due later."""
    get_db().write(
        """
        UPDATE outbox
        SET content = :content, due_at = :due_at, sent_at = :sent_at, given_up_at = :given_up_at
        WHERE id = :id
        """,
        mail,
    )
