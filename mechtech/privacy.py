"""Makes people's data anonymous: that of one person, or what is old. Bookings stay, as numbers about no person."""

import json
import secrets

from mechtech import clock
from mechtech.accounts import repository as accounts
from mechtech.database import Database, Transaction, get_db
from mechtech.errors import Conflict
from mechtech.texts import address_key
from mechtech.web import idempotency

ADDRESS = "forgotten@mechtech.invalid"
BATCH = 100  # bookings in one transaction, so that the service need not wait for long
# The rows that may be about a person, whose address is compared again: casefold(), which on both engines knows the
# capitals of every script, takes ß for ss.
ABOUT_A_PERSON = {
    "accounts": "SELECT id, id AS user_id, email FROM users WHERE id = :user_id",
    "bookings": """
        SELECT id, user_id, email
        FROM bookings
        WHERE user_id = :user_id OR casefold(email) = casefold(:email)
    """,
    "messages": "SELECT id, NULL AS user_id, email FROM contact_messages WHERE casefold(email) = casefold(:email)",
}
# What a sent mail told, of which there are many, is '{}'.
MAILS = """
    SELECT id, kind, recipient, content
    FROM outbox
    WHERE recipient <> '' AND (content <> '{}' OR casefold(recipient) = casefold(:email))
"""
# Of a booking its status, its history, the vehicle, the service's cost and the rating stay; it counts as a guest's.
ANONYMIZE_BOOKING = (
    """
    UPDATE bookings
    SET user_id = NULL, name = 'Forgotten', email = :address, phone = NULL, description = NULL, location = NULL,
        latitude = NULL, longitude = NULL
    WHERE id = :id
    """,
    "UPDATE service_history SET user_id = NULL, review = NULL WHERE booking_id = :id",
)
FORGET = {  # how each row is forgotten. No password is that of the account any more, and no token; its address is free.
    "accounts": (
        """
        UPDATE users
        SET name = 'Forgotten', email = :mark || '.' || :address, phone = NULL, password = '', token_key = :token_key,
            updated_at = :now
        WHERE id = :id
        """,
        "UPDATE service_history SET user_id = NULL, review = NULL WHERE user_id = :id",
        "DELETE FROM idempotency_keys WHERE user_id = :id",
    ),
    "bookings": (*ANONYMIZE_BOOKING, "DELETE FROM idempotency_keys WHERE resource = 'booking' AND row_id = :id"),
    "messages": (
        "DELETE FROM contact_messages WHERE id = :id",
        "DELETE FROM idempotency_keys WHERE resource = 'contact' AND row_id = :id",
    ),
    "mails": ("DELETE FROM outbox WHERE id = :id",),
}
ENDED = "FROM bookings WHERE status IN ('completed', 'cancelled') AND created_at < :before AND email <> :address"
REMOVED = {
    "read messages": "FROM contact_messages WHERE status = 'read' AND created_at < :before",
    "sent mails": "FROM outbox WHERE (sent_at IS NOT NULL OR given_up_at IS NOT NULL) AND created_at < :before",
    "expired idempotency keys": "FROM idempotency_keys WHERE created_at <= :oldest_kept",
}


def find_person(email: str) -> dict:
    """`email` in lower case, and `user_id`, 0 without an account. Raises Conflict for an admin and for a mechanic."""
    account = accounts.find_by_address(email)
    if account is not None and account["role"] == "admin":
        raise Conflict(f"{account['email']} is an admin: remove-admin comes first.")
    address = account["email"].lower() if account else address_key(email)
    person = {"email": address, "user_id": account["id"] if account else 0}
    if get_db().one("SELECT 1 FROM mechanics WHERE casefold(email) = casefold(:email)", person):
        raise Conflict(f"{address} is the address of a mechanic: give the mechanic another one first.")
    return person


def find_about(tx: Transaction | Database, person: dict) -> dict[str, list[int]]:
    """The ids of all that is about a person, by kind."""

    def ids(sql: str) -> list[int]:
        """By account, or by address."""
        user_id, address = person["user_id"], person["email"]
        rows = tx.all(sql, person)
        return [row["id"] for row in rows if row["user_id"] == user_id or row["email"].lower() == address]

    found = {kind: ids(sql) for kind, sql in ABOUT_A_PERSON.items()}
    found["mails"] = []
    for mail in tx.all(MAILS, person):
        told = json.loads(mail["content"])
        of_booking = mail["kind"] != "owner_message" and told.get("id") in found["bookings"]
        if of_booking or person["email"] in (mail["recipient"].lower(), told.get("email", "").lower()):
            found["mails"].append(mail["id"])
    return found


def forget(person: dict) -> dict[str, list[int]]:
    """Make a person's bookings and account anonymous and delete the rest; the ids of all this, by kind."""
    mark = secrets.token_hex(8)  # an address that no one can have had before
    new = {"address": ADDRESS, "mark": mark, **accounts.new_key(), "now": clock.text(clock.now())}

    def forget_all(tx: Transaction) -> dict[str, list[int]]:
        tx.all(ABOUT_A_PERSON["bookings"], person, lock=True)  # changes that are under way may write down mails
        found = find_about(tx, person)
        if "original_services_set_aside" in tx.tables():  # by the takeover of the original's database
            for kind, column in (("accounts", "user_id"), ("bookings", "booking_id")):
                for id in found[kind]:
                    tx.write(f"DELETE FROM original_services_set_aside WHERE {column} = :id", {"id": id})
        for kind, ids in found.items():
            for id in ids:
                for sql in FORGET[kind]:
                    tx.write(sql, {**new, "id": id})
        return found

    return get_db().transaction(forget_all)


def count_old(before: int) -> dict[str, int]:
    """How many rows of each kind purge() is about. before: in seconds since 1970."""
    return _count(get_db(), {"ended bookings": ENDED, **REMOVED}, before)


def purge(before: int) -> dict[str, int]:
    """Make bookings that have ended anonymous and delete the rest; how many rows of each kind these were."""
    ids, purged = [0], {"ended bookings": 0}

    def anonymize_some(tx: Transaction) -> list[int]:
        params = {**_params(before), "after": ids[-1]}
        rows = tx.all(f"SELECT id {ENDED} AND id > :after ORDER BY id LIMIT {BATCH}", params)
        for row in rows:
            for sql in ANONYMIZE_BOOKING:
                tx.write(sql, {"id": row["id"], "address": ADDRESS})
        return [row["id"] for row in rows]

    def remove(tx: Transaction) -> dict[str, int]:
        counted = _count(tx, REMOVED, before)
        for rows in REMOVED.values():
            tx.write(f"DELETE {rows}", _params(before))
        return counted

    while ids := get_db().transaction(anonymize_some):
        purged["ended bookings"] += len(ids)
    return purged | get_db().transaction(remove)


def _count(tx: Transaction | Database, kinds: dict[str, str], before: int) -> dict[str, int]:
    return {kind: tx.one(f"SELECT COUNT(*) AS n {rows}", _params(before))["n"] for kind, rows in kinds.items()}


def _params(before: int) -> dict[str, str]:
    return {"before": clock.text(before), "oldest_kept": idempotency.oldest_kept(), "address": ADDRESS}
