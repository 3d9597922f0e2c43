"""Makes people's data anonymous: that of one person, or what is old. Bookings stay, as numbers about no person."""

import json

from mechtech import clock
from mechtech.accounts import repository as accounts
from mechtech.database import Database, Transaction, get_db
from mechtech.errors import Conflict
from mechtech.texts import address_key
from mechtech.web import idempotency

NAME, ADDRESS = "Forgotten", "forgotten@mechtech.invalid"
BATCH = 100  # bookings in one transaction, so that the service need not wait for long
BOOKINGS = "SELECT id FROM bookings WHERE user_id = :user_id OR lower(email) = :email"
ABOUT_A_PERSON = {
    "accounts": "SELECT id FROM users WHERE id = :user_id",
    "bookings": f"{BOOKINGS} ORDER BY id",
    "messages": "SELECT id FROM contact_messages WHERE lower(email) = :email ORDER BY id",
}
ENDED = "FROM bookings WHERE status IN ('completed', 'cancelled') AND created_at < :before AND email <> :address"
REMOVED = {
    "read messages": "FROM contact_messages WHERE status = 'read' AND created_at < :before",
    "sent mails": "FROM outbox WHERE (sent_at IS NOT NULL OR given_up_at IS NOT NULL) AND created_at < :before",
    "expired idempotency keys": "FROM idempotency_keys WHERE created_at <= :oldest_kept",
}


class Person:
    """The person with an address, who may have an account. Raises Conflict for an admin and for a mechanic."""

    def __init__(self, email: str):
        account = accounts.find_login(email)
        if account is not None and account["role"] == "admin":
            raise Conflict(f"{account['email']} is an admin: remove-admin comes first.")
        self.email = account["email"].lower() if account else address_key(email)
        self._params = {"email": self.email, "user_id": account["id"] if account else 0}
        if get_db().one("SELECT 1 FROM mechanics WHERE lower(email) = :email", self._params):
            raise Conflict(f"{self.email} is the address of a mechanic: give the mechanic another one first.")

    def find(self, tx: Transaction | Database) -> dict[str, list[int]]:
        """The ids of all that is about the person, by kind."""
        found = {kind: [row["id"] for row in tx.all(sql, self._params)] for kind, sql in ABOUT_A_PERSON.items()}
        return {**found, "mails": _mails_about(tx, self.email, found["bookings"])}

    def forget(self) -> dict[str, list[int]]:
        """Make bookings and the account anonymous and delete the rest; the ids of all this, as find() gives them."""

        def forget_all(tx: Transaction) -> dict[str, list[int]]:
            found = self.find(tx)
            if tx.has_table("original_services_set_aside"):  # by the takeover of the original's database
                tx.write(
                    f"""
                    DELETE FROM original_services_set_aside
                    WHERE user_id = :user_id OR booking_id IN ({BOOKINGS})
                    """,
                    self._params,
                )
            for booking_id in found["bookings"]:
                _anonymize_booking(tx, booking_id)
                _remove_keys(tx, "booking", booking_id)
            for message_id in found["messages"]:
                tx.write("DELETE FROM contact_messages WHERE id = :id", {"id": message_id})
                _remove_keys(tx, "contact", message_id)
            for user_id in found["accounts"]:
                _anonymize_account(tx, user_id)
            for mail_id in found["mails"]:
                tx.write("DELETE FROM outbox WHERE id = :id", {"id": mail_id})
            return found

        return get_db().transaction(forget_all)


def _mails_about(tx: Transaction | Database, email: str, booking_ids: list[int]) -> list[int]:
    """The ids of the mails to an address in lower case, and of those that tell of it or of these bookings."""
    found = []
    for row in tx.all("SELECT id, kind, recipient, content FROM outbox WHERE recipient <> ''"):
        told = json.loads(row["content"])
        of_booking = row["kind"] != "owner_message" and told.get("id") in booking_ids
        if of_booking or email in (row["recipient"].lower(), told.get("email", "").lower()):
            found.append(row["id"])
    return found


def count_old(before: int) -> dict[str, int]:
    """How many rows of each kind purge() is about. before: in seconds since 1970."""
    rows = {"ended bookings": ENDED, **REMOVED}
    return {kind: get_db().one(f"SELECT COUNT(*) AS n {rows[kind]}", _params(before))["n"] for kind in rows}


def purge(before: int) -> dict[str, int]:
    """Make bookings that have ended anonymous and delete the rest; how many rows of each kind these were."""
    ids, number = [0], 0

    def anonymize_some(tx: Transaction) -> list[int]:
        rows = tx.all(
            f"SELECT id {ENDED} AND id > :after ORDER BY id LIMIT {BATCH}", {**_params(before), "after": ids[-1]}
        )
        for row in rows:
            _anonymize_booking(tx, row["id"])
        return [row["id"] for row in rows]

    while ids := get_db().transaction(anonymize_some):
        number += len(ids)
    removed = {
        kind: len(get_db().write(f"DELETE {rows} RETURNING 1", _params(before))) for kind, rows in REMOVED.items()
    }
    return {"ended bookings": number, **removed}


def _params(before: int) -> dict[str, str]:
    return {"before": clock.text(before), "oldest_kept": idempotency.oldest_kept(), "address": ADDRESS}


def _anonymize_booking(tx: Transaction, booking_id: int) -> None:
    """Its status, its history, the vehicle, the service's cost and the rating stay; it counts as a guest's."""
    tx.write(
        """
        UPDATE bookings
        SET user_id = NULL, name = :name, email = :address, phone = NULL, description = NULL, location = NULL,
            latitude = NULL, longitude = NULL
        WHERE id = :id
        """,
        {"name": NAME, "address": ADDRESS, "id": booking_id},
    )
    tx.write(
        """
        UPDATE service_history
        SET user_id = NULL, review = NULL
        WHERE booking_id = :id
        """,
        {"id": booking_id},
    )


def _anonymize_account(tx: Transaction, user_id: int) -> None:
    """No password is that of the account, and no token; its address is free."""
    tx.write(
        """
        UPDATE users
        SET name = :name, email = :email, phone = NULL, password = '', token_key = :token_key, updated_at = :now
        WHERE id = :id
        """,
        {
            "name": NAME,
            "email": f"{user_id}.{ADDRESS}",
            "token_key": accounts.draw_key(),
            "now": clock.text(clock.now()),
            "id": user_id,
        },
    )
    tx.write("UPDATE service_history SET user_id = NULL, review = NULL WHERE user_id = :id", {"id": user_id})
    tx.write("DELETE FROM idempotency_keys WHERE user_id = :id", {"id": user_id})


def _remove_keys(tx: Transaction, resource: str, row_id: int) -> None:
    tx.write(
        "DELETE FROM idempotency_keys WHERE resource = :resource AND row_id = :row_id",
        {"resource": resource, "row_id": row_id},
    )
