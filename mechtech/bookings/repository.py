"""Bookings: making, listing and showing them. What changes them is in changes.py."""

from flask import current_app

from mechtech import clock
from mechtech.bookings import rules
from mechtech.database import Transaction, get_db
from mechtech.database.page import Position, page
from mechtech.errors import NotFound
from mechtech.mail import outbox
from mechtech.texts import address_key
from mechtech.web.authentication import Caller
from mechtech.web.idempotency import create_once
from mechtech.web.tokens import BOOKING_SECONDS

COLUMNS = """
    bookings.id, bookings.user_id, bookings.name, bookings.email, bookings.phone, vehicle_type, vehicle_brand,
    vehicle_model, service_type, description, location, bookings.latitude, bookings.longitude, bookings.status,
    bookings.mechanic_id, bookings.created_at, bookings.updated_at,
    mechanics.name AS mechanic_name, mechanics.phone AS mechanic_phone, service_history.cost"""
SERVICE = "service_history.service_date, service_history.rating, service_history.review"  # none before it is completed
JOINED = """
    FROM bookings
    LEFT JOIN mechanics ON mechanics.id = bookings.mechanic_id
    LEFT JOIN service_history ON service_history.booking_id = bookings.id"""
CONDITIONS = {  # what a list can be asked for; `search` is in lower case
    "user_id": "bookings.user_id = :user_id",
    "status": "bookings.status = :status",
    "mechanic_id": "bookings.mechanic_id = :mechanic_id",
    "begin": "bookings.created_at >= :begin",
    "end": "bookings.created_at < :end",
    "search": """(
        instr(casefold(bookings.name), :search) > 0 OR instr(casefold(bookings.email), :search) > 0
        OR instr(casefold(bookings.phone), :search) > 0
        OR instr('bk' || substr('000000', length(bookings.id || '') + 1) || bookings.id, :search) > 0
    )""",
}


def create(booking: dict, caller: Caller) -> dict:
    """The booking that this request made, or an earlier try: its id, user_id and created_at at least.

    What an admin books for a caller is a guest's.
    """
    settings = current_app.config["settings"]
    row = {**booking, "user_id": None if caller.is_admin else caller.user_id, **clock.stamps()}

    def insert(tx: Transaction) -> int:
        made = tx.write(
            """
            INSERT INTO bookings (
                user_id, name, email, phone, vehicle_type, vehicle_brand, vehicle_model, service_type, description,
                location, latitude, longitude, created_at, updated_at
            )
            VALUES (
                :user_id, :name, :email, :phone, :vehicle_type, :vehicle_brand, :vehicle_model, :service_type,
                :description, :location, :latitude, :longitude, :created_at, :updated_at
            )
            RETURNING id
            """,
            row,
        )
        booking_id = made[0]["id"]
        if caller.is_admin:
            add_step(tx, booking_id, "pending", row["created_at"], "admin")
        told = {**row, "id": booking_id, "reference": rules.reference(booking_id)}
        outbox.add(tx, settings, "owner_booking", told)
        outbox.add(tx, settings, "booked", told)
        return booking_id

    booking_id, earlier = create_once("booking", caller.user_id, insert)
    if earlier:
        row = get_db().one("SELECT user_id, created_at FROM bookings WHERE id = :id", {"id": booking_id})
    return {**row, "id": booking_id}


def list_page(
    filters: dict, after: Position | None, limit: int, oldest_first: bool
) -> tuple[list[dict], int, Position | None]:
    """A page of bookings, how many match the filters, and the position that the next page begins after.

    filters: values by the names of CONDITIONS; None asks for nothing.
    """
    rows, total, following = page(
        f"SELECT {COLUMNS} {JOINED}", "bookings", CONDITIONS, filters, after, limit, oldest_first
    )
    return [_shown(row) for row in rows], total, following


def find(booking_id: int, caller: Caller) -> dict:
    """The booking with `service` and `history`, all from one state of the database.

    Raises NotFound where it does not open for the caller, as where there is none.
    """

    def read(tx: Transaction) -> dict:
        row = tx.one(f"SELECT {COLUMNS}, {SERVICE} {JOINED} WHERE bookings.id = :id", {"id": booking_id})
        if not row or not rules.opens(row, caller):
            raise NotFound
        service = {name: row.pop(name) for name in ("service_date", "rating", "review")}
        booking = {**_shown(row), "service": None, "history": _history(tx, row)}
        if service["service_date"] is not None:
            # A booking keeps the mechanic who completed it.
            mechanic = booking["mechanic"] and {"id": booking["mechanic_id"], "name": booking["mechanic"]["name"]}
            booking["service"] = {**service, "cost": booking["cost"], "mechanic": mechanic}
        return booking

    return get_db().snapshot(read)


def find_with_address(booking_id: int, address: str) -> dict | None:
    """The booking, if it was made with this address, an address_key(), and its token is still good; else None."""
    row = get_db().one(f"SELECT {COLUMNS} {JOINED} WHERE bookings.id = :id", {"id": booking_id})
    if not row or address_key(row["email"]) != address:
        return None
    return _shown(row) if clock.seconds(row["created_at"]) + BOOKING_SECONDS > clock.now() else None


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


def _shown(row: dict) -> dict:
    """The row with its reference, and with `mechanic` as an object or None."""
    mechanic = {"id": row["mechanic_id"], "name": row.pop("mechanic_name"), "phone": row.pop("mechanic_phone")}
    row["mechanic"] = mechanic if mechanic["id"] else None
    row["reference"] = rules.reference(row["id"])
    return row


def _history(tx: Transaction, booking: dict) -> list[dict]:
    """Every status it had, oldest first. The booking's own row tells of the first, unless an admin made it."""
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
    by = "guest" if booking["user_id"] is None else "customer"
    return [{"status": "pending", "at": booking["created_at"], "by": by}, *stored]
