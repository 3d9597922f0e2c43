"""Bookings, what became of them, and the services they ended in."""

import sqlite3

from mechtech import clock
from mechtech.accounts import repository as accounts
from mechtech.bookings import rules
from mechtech.database import get_db, rows
from mechtech.database.page import PLACE, json_row, page
from mechtech.errors import Conflict, Invalid, NotFound
from mechtech.mechanics.repository import COUNT_ACTIVE
from mechtech.web import idempotency
from mechtech.web.idempotency import Retry

COLUMNS = """
    id, user_id, name, email, phone, vehicle_type, vehicle_brand, vehicle_model, service_type, description, location,
    latitude, longitude, status, mechanic_id, created_at, updated_at"""
REFERENCE = "printf('BK%06d', id)"
JSON_ROW = json_row(COLUMNS, **PLACE, reference=REFERENCE)

INSERT = """
    WITH booking (
        user_id, token_issued, name, email, phone, vehicle_type, vehicle_brand, vehicle_model, service_type,
        description, location, latitude, longitude, now
    ) AS (
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    )
    INSERT INTO bookings (
        user_id, name, email, phone, vehicle_type, vehicle_brand, vehicle_model, service_type, description, location,
        latitude, longitude, created_at, updated_at
    )
    SELECT
        CASE WHEN user_id IS NOT NULL THEN IFNULL(
            (SELECT id FROM users WHERE id = user_id AND tokens_valid_from <= token_issued),
            'nobody'  -- no number, so the table refuses it
        ) END,
        name, email, phone, vehicle_type, vehicle_brand, vehicle_model, service_type, description, location,
        latitude, longitude, now, now
    FROM booking"""


def create(booking: dict, retry: Retry, token_issued: float | None) -> tuple[dict, bool]:
    """id and created_at of the booking that this made, or that an earlier try made; was it an earlier one?

    token_issued: of the user's token, seconds since 1970. Raises Unauthorized if it is not valid any more.
    """
    now = clock.text(clock.now())
    row = (
        retry.user_id,
        token_issued,
        booking["name"],
        booking["email"],
        booking["phone"],
        booking["vehicle_type"],
        booking["vehicle_brand"],
        booking["vehicle_model"],
        booking["service_type"],
        booking["description"],
        booking["location"],
        booking["latitude"],
        booking["longitude"],
        now,
    )

    def create_once(tx):
        earlier = idempotency.recall(tx, "booking", retry)
        if earlier is not None:
            return rows(tx.execute("SELECT id, created_at FROM bookings WHERE id = ?", (earlier,)))[0], True
        made = {"id": tx.execute(INSERT, row).lastrowid, "created_at": now}
        idempotency.remember(tx, "booking", retry, made["id"])
        return made, False

    try:
        if retry.key is None:
            return {"id": get_db().insert(INSERT, row), "created_at": now}, False
        accounts.check_token(retry.user_id, token_issued)  # before anything comes back for the key
        return get_db().transaction(create_once)
    except sqlite3.IntegrityError:
        accounts.check_token(retry.user_id, token_issued)
        raise


def list_page(user_id: int | None, status: str | None, before: int | None, limit: int):
    """A page of one user's bookings; without a user, of everyone's."""
    return page(JSON_ROW, "bookings", {"user_id": user_id, "status": status}, before, limit)


def find(booking_id: int) -> dict:
    """Raises NotFound."""
    booking = get_db().one(
        f"""
        SELECT {COLUMNS}, {REFERENCE} AS reference
        FROM bookings
        WHERE id = ?
        """,
        (booking_id,),
    )
    if booking is None:
        raise NotFound
    return booking


def find_service(booking_id: int) -> dict | None:
    """What the booking ended in; mechanic: None if it had none."""
    service = get_db().one(
        """
        SELECT service_date, cost, rating, review, mechanic_id, (
            SELECT name FROM mechanics WHERE id = mechanic_id
        ) AS mechanic_name
        FROM service_history
        WHERE booking_id = ?
        """,
        (booking_id,),
    )
    if service is None:
        return None
    mechanic = {"id": service.pop("mechanic_id"), "name": service.pop("mechanic_name")}
    return {**service, "mechanic": mechanic if mechanic["id"] else None}


def find_history(booking: dict) -> list[dict]:
    """Every status it had, oldest first. The first is in booking_history, or else the booking's own row tells it."""
    stored = get_db().all(
        """
        SELECT status, at, actor AS "by"
        FROM booking_history
        WHERE booking_id = ?
        ORDER BY step
        """,
        (booking["id"],),
    )
    if stored and stored[0]["status"] == "pending":
        return stored
    return [rules.first_step(booking), *stored]


def update(booking_id: int, changes: dict, actor: str, capacity: int) -> str:
    """The status after changes of status, mechanic_id, cost and service_date.

    Raises Conflict where the booking's state or the mechanic's capacity forbids it, Invalid for a mechanic who may
    not work.
    """

    def change(tx):
        before = _state(tx, booking_id)
        status, mechanic_id = before["status"], before["mechanic_id"]
        if "status" in changes:
            rules.check_step(status, changes["status"], actor)
        if "mechanic_id" in changes:
            rules.check_mechanic_change(status)
            mechanic_id = changes["mechanic_id"]
            _check_verified(tx, mechanic_id)
        status = changes.get("status", status)
        if rules.takes_slot(before, status, mechanic_id):
            (active,) = tx.execute(COUNT_ACTIVE, (mechanic_id,)).fetchone()
            rules.check_capacity(active, capacity)
        now = clock.text(clock.now())
        tx.execute(
            """
            UPDATE bookings
            SET status = ?, mechanic_id = ?, updated_at = ?
            WHERE id = ?
            """,
            (status, mechanic_id, now, booking_id),
        )
        if "status" in changes:
            _add_step(tx, booking_id, status, now, actor)
        if status == "completed":
            tx.execute(
                """
                INSERT INTO service_history (booking_id, mechanic_id, user_id, service_date, cost, created_at)
                VALUES (?, ?, ?, ?, ?, ?)
                """,
                (
                    booking_id,
                    mechanic_id,
                    before["user_id"],
                    changes.get("service_date") or now,
                    changes.get("cost"),
                    now,
                ),
            )
        return status

    return get_db().transaction(change)


def review(booking_id: int, rating: int, text: str | None) -> None:
    """The one review of a completed booking, and its mechanic's new mean; raises Conflict."""

    def review_once(tx):
        reviewed = tx.execute(
            """
            UPDATE service_history
            SET rating = ?, review = ?
            WHERE booking_id = ? AND rating IS NULL
            RETURNING mechanic_id
            """,
            (rating, text, booking_id),
        ).fetchall()
        if not reviewed:
            raise Conflict("Only a completed booking can be reviewed, and only once.")
        ((mechanic_id,),) = reviewed
        if mechanic_id is None:
            return
        total, count = tx.execute(
            """
            SELECT SUM(rating), COUNT(*)
            FROM service_history
            WHERE mechanic_id = ? AND rating IS NOT NULL
            """,
            (mechanic_id,),
        ).fetchone()
        tx.execute(
            """
            UPDATE mechanics
            SET rating = ?, updated_at = ?
            WHERE id = ?
            """,
            (rules.mean_rating(total, count), clock.text(clock.now()), mechanic_id),
        )

    get_db().transaction(review_once)


def _state(tx: sqlite3.Connection, booking_id: int) -> dict:
    found = rows(tx.execute("SELECT status, mechanic_id, user_id FROM bookings WHERE id = ?", (booking_id,)))
    if not found:
        raise NotFound
    return found[0]


def _check_verified(tx: sqlite3.Connection, mechanic_id: int | None) -> None:
    verified = tx.execute("SELECT 1 FROM mechanics WHERE id = ? AND verified = 1", (mechanic_id,)).fetchone()
    if mechanic_id is not None and verified is None:
        raise Invalid(fields={"mechanicId": "There is no verified mechanic with this id."})


def _add_step(tx: sqlite3.Connection, booking_id: int, status: str, at: str, actor: str) -> None:
    tx.execute(
        """
        INSERT INTO booking_history (booking_id, step, status, at, actor)
        SELECT :booking_id, COUNT(*) + 1, :status, :at, :actor
        FROM booking_history
        WHERE booking_id = :booking_id
        """,
        {"booking_id": booking_id, "status": status, "at": at, "actor": actor},
    )
