"""Bookings: making, listing and showing them. What changes them is in changes.py."""

from contextlib import suppress

from flask import current_app

from mechtech import clock
from mechtech.bookings import rules
from mechtech.database import Database, Transaction, get_db
from mechtech.database.page import Position, page
from mechtech.errors import NotFound
from mechtech.mail import outbox
from mechtech.texts import address_key
from mechtech.web import idempotency
from mechtech.web.idempotency import Retry
from mechtech.web.tokens import BOOKING_SECONDS

SELECT = """
    SELECT bookings.id, bookings.user_id, bookings.name, bookings.email, bookings.phone, vehicle_type, vehicle_brand,
        vehicle_model, service_type, description, location, bookings.latitude, bookings.longitude, bookings.status,
        bookings.mechanic_id, bookings.created_at, bookings.updated_at,
        mechanics.name AS mechanic_name, mechanics.phone AS mechanic_phone, service_history.cost
    FROM bookings
    LEFT JOIN mechanics ON mechanics.id = bookings.mechanic_id
    LEFT JOIN service_history ON service_history.booking_id = bookings.id"""
# What a list can be asked for. `search` is a pattern of a LIKE, folded to lower case.
CONDITIONS = {
    "user_id": "bookings.user_id = :user_id",
    "status": "bookings.status = :status",
    "mechanic_id": "bookings.mechanic_id = :mechanic_id",
    "begin": "bookings.created_at >= :begin",
    "end": "bookings.created_at < :end",
    "search": """(
        casefold(bookings.name) LIKE :search ESCAPE '!' OR casefold(bookings.email) LIKE :search ESCAPE '!'
        OR casefold(bookings.phone) LIKE :search ESCAPE '!'
        OR 'bk' || substr('000000', length(bookings.id || '') + 1) || bookings.id LIKE :search ESCAPE '!'
    )""",
}


def create(booking: dict, retry: Retry, user_id: int | None, by_admin: bool) -> tuple[dict, bool]:
    """id and created_at of the booking that this request made, and whether an earlier try made it.

    user_id: whose booking it is; None for a guest's, which is also what an admin books for a caller.
    """
    now, settings = clock.text(clock.now()), current_app.config["settings"]

    def create_once(tx: Transaction) -> tuple[dict, bool]:
        booking_id, earlier = idempotency.once(tx, "booking", retry, lambda: _insert(tx, booking, user_id, now))
        if earlier:
            return tx.one("SELECT id, created_at FROM bookings WHERE id = :id", {"id": booking_id}), True
        if by_admin:
            add_step(tx, booking_id, "pending", now, "admin")
        told = {**booking, "id": booking_id, "reference": rules.reference(booking_id), "created_at": now}
        outbox.add(tx, settings, "owner_booking", told)
        outbox.add(tx, settings, "booked", told)
        return {"id": booking_id, "created_at": now}, False

    return get_db().transaction(create_once)


def _insert(tx: Transaction, booking: dict, user_id: int | None, now: str) -> int:
    made = tx.write(
        """
        INSERT INTO bookings (
            user_id, name, email, phone, vehicle_type, vehicle_brand, vehicle_model, service_type, description,
            location, latitude, longitude, created_at, updated_at
        )
        VALUES (
            :user_id, :name, :email, :phone, :vehicle_type, :vehicle_brand, :vehicle_model, :service_type,
            :description, :location, :latitude, :longitude, :now, :now
        )
        RETURNING id
        """,
        {**booking, "user_id": user_id, "now": now},
    )
    return made[0]["id"]


def list_page(
    filters: dict, after: Position | None, limit: int, oldest_first: bool
) -> tuple[list[dict], int, Position | None]:
    """A page of bookings, how many match the filters, and the position that the next page begins after.

    filters: values by the names of CONDITIONS; None asks for nothing.
    """
    rows, total, following = page(SELECT, "bookings", CONDITIONS, filters, after, limit, oldest_first)
    return [_shown(row) for row in rows], total, following


def find(booking_id: int) -> dict:
    """Raises NotFound."""
    return _found(get_db(), booking_id)


def find_of(booking_id: int, address: str) -> dict | None:
    """The booking, if it was made with the e-mail address of this key and its token is still good; else None."""
    with suppress(NotFound):
        booking = find(booking_id)
        good = clock.seconds(booking["created_at"]) + BOOKING_SECONDS > clock.now()
        return booking if good and address_key(booking["email"]) == address else None


def find_with_its_service_and_history(booking_id: int) -> dict:
    """The booking, with `service` and `history`, all read from one state of the database. Raises NotFound."""

    def read(tx: Transaction) -> dict:
        booking = _found(tx, booking_id)
        return {**booking, "service": _service(tx, booking_id), "history": _history(tx, booking)}

    return get_db().snapshot(read)


def add_step(tx: Transaction, booking_id: int, status: str, at: str, actor: str) -> None:
    """Write down a status that the booking has from now on, and who brought it there."""
    tx.write(
        """
        INSERT INTO booking_history (booking_id, step, status, at, actor)
        SELECT :booking_id, COUNT(*) + 1, :status, :at, :actor
        FROM booking_history
        WHERE booking_id = :booking_id
        """,
        {"booking_id": booking_id, "status": status, "at": at, "actor": actor},
    )


def _found(tx: Transaction | Database, booking_id: int) -> dict:
    row = tx.one(f"{SELECT} WHERE bookings.id = :id", {"id": booking_id})
    if row is None:
        raise NotFound
    return _shown(row)


def _shown(row: dict) -> dict:
    """The row with its reference, and with `mechanic` as an object or None."""
    mechanic = {"id": row["mechanic_id"], "name": row.pop("mechanic_name"), "phone": row.pop("mechanic_phone")}
    row["mechanic"] = mechanic if mechanic["id"] else None
    row["reference"] = rules.reference(row["id"])
    return row


def _service(tx: Transaction, booking_id: int) -> dict | None:
    """What the booking ended in; mechanic: None if it had none."""
    service = tx.one(
        """
        SELECT service_date, cost, rating, review, mechanic_id, (
            SELECT name FROM mechanics WHERE id = mechanic_id
        ) AS mechanic_name
        FROM service_history
        WHERE booking_id = :id
        """,
        {"id": booking_id},
    )
    if service is None:
        return None
    mechanic = {"id": service.pop("mechanic_id"), "name": service.pop("mechanic_name")}
    return {**service, "mechanic": mechanic if mechanic["id"] else None}


def _history(tx: Transaction, booking: dict) -> list[dict]:
    """Every status it had, oldest first. The first is in booking_history, or else the booking's own row tells it."""
    stored = tx.all(
        """
        SELECT status, at, actor AS "by"
        FROM booking_history
        WHERE booking_id = :id
        ORDER BY step
        """,
        {"id": booking["id"]},
    )
    if stored and stored[0]["status"] == "pending":
        return stored
    return [rules.first_step(booking), *stored]
