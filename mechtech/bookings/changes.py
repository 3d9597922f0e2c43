"""What changes a booking: its next status, its mechanic, corrections, the service it ended in, and its review.

Each change reads the booking and writes it in one transaction, and asks rules.py in between. Rows are locked in one
order, the booking before its mechanic, so that no two changes wait for each other.
"""

from flask import current_app

from mechtech import clock
from mechtech.bookings import rules
from mechtech.bookings.repository import add_step
from mechtech.database import Transaction, get_db
from mechtech.errors import Conflict, Forbidden, Invalid, NotFound
from mechtech.mail import outbox
from mechtech.mechanics.repository import count_active
from mechtech.web.authentication import Caller


def update(booking_id: int, changes: dict, caller: Caller) -> str:
    """The booking's status after the changes, whose names are columns of bookings and of service_history.

    Raises NotFound where it does not open for the caller, Forbidden, Conflict and Invalid as the rules have it.
    """
    settings = current_app.config["settings"]

    def change(tx: Transaction) -> str:
        before = _opened(tx, booking_id, caller)
        rules.check_changes(before["status"], changes, caller.role)
        after, now = {**before, **changes}, clock.text(clock.now())
        mechanic = _lock_mechanic(tx, after["mechanic_id"])
        if changes.get("mechanic_id") is not None and not (mechanic and mechanic["verified"]):
            raise Invalid(fields={"mechanicId": "There is no verified mechanic with this id."})
        if rules.takes_slot(before, after) and count_active(tx, after["mechanic_id"]) >= settings.mechanic_capacity:
            raise Conflict("This mechanic has no free slot.")
        tx.write(
            """
            UPDATE bookings
            SET status = :status, mechanic_id = :mechanic_id, phone = :phone, description = :description,
                location = :location, latitude = :latitude, longitude = :longitude, updated_at = :now
            WHERE id = :id
            """,
            {**after, "now": now},
        )
        if "status" in changes:
            add_step(tx, booking_id, after["status"], now, caller.role)
        service = {"has_cost": int("cost" in changes), "cost": None, "service_date": None, **changes, "id": booking_id}
        if changes.get("status") == "completed":
            tx.write(
                """
                INSERT INTO service_history (booking_id, mechanic_id, user_id, service_date, cost, created_at)
                VALUES (:id, :mechanic_id, :user_id, COALESCE(:service_date, :now), :cost, :now)
                """,
                {**after, **service, "now": now},
            )
        elif rules.OF_SERVICE.keys() & changes.keys():
            tx.write(
                """
                UPDATE service_history
                SET cost = CASE WHEN :has_cost = 1 THEN :cost ELSE cost END,
                    service_date = COALESCE(:service_date, service_date)
                WHERE booking_id = :id
                """,
                service,
            )
        if kind := rules.mail_about(before, changes):
            told = {**after, "reference": rules.reference(booking_id), "mechanic": mechanic}
            outbox.add(tx, settings, kind, told)
        return after["status"]

    return get_db().transaction(change)


def review(booking_id: int, rating: int, text: str | None, caller: Caller) -> None:
    """The one review of a completed booking, and its mechanic's new mean. Raises NotFound, Forbidden and Conflict."""
    now = clock.text(clock.now())

    def review_once(tx: Transaction) -> None:
        booking = _opened(tx, booking_id, caller)
        if caller.is_admin:
            raise Forbidden("Only the customer may review a booking.")
        reviewed = tx.write(
            """
            UPDATE service_history
            SET rating = :rating, review = :review
            WHERE booking_id = :booking_id AND rating IS NULL
            RETURNING id
            """,
            {"rating": rating, "review": text, "booking_id": booking_id},
        )
        if not reviewed:
            raise Conflict("Only a completed booking can be reviewed, and only once.")
        _lock_mechanic(tx, booking["mechanic_id"])
        # The mean to one decimal, halves up; in whole numbers, where no half is lost.
        tx.write(
            """
            UPDATE mechanics
            SET updated_at = :now, rating = (
                SELECT (20 * SUM(rating) + COUNT(*)) / (2 * COUNT(*)) / 10.0
                FROM service_history
                WHERE mechanic_id = :mechanic_id AND rating IS NOT NULL
            )
            WHERE id = :mechanic_id
            """,
            {"mechanic_id": booking["mechanic_id"], "now": now},
        )

    get_db().transaction(review_once)


def _opened(tx: Transaction, booking_id: int, caller: Caller) -> dict:
    """The booking's row, if it opens for the caller; else NotFound, as for one that does not exist."""
    booking = tx.one("SELECT * FROM bookings WHERE id = :id", {"id": booking_id}, lock=True)
    if booking is None or not rules.opens(booking, caller):
        raise NotFound
    return booking


def _lock_mechanic(tx: Transaction, mechanic_id: int | None) -> dict | None:
    """The mechanic's row, which stays as it is to the end: what counts their bookings or reviews waits here."""
    return tx.one("SELECT name, phone, verified FROM mechanics WHERE id = :id", {"id": mechanic_id}, lock=True)
