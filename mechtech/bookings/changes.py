"""What changes a booking: its next status, its mechanic, corrections, the service it ended in, and its review.

Each change reads the booking and writes it in one transaction, and asks rules.py in between. Rows are locked in one
order, the booking before its mechanic, so that no two changes wait for each other.
"""

from flask import current_app

from mechtech import clock
from mechtech.bookings import rules
from mechtech.bookings.repository import add_step
from mechtech.database import Transaction, get_db
from mechtech.errors import Conflict, Invalid, NotFound
from mechtech.mail import outbox
from mechtech.mechanics.repository import COUNT_ACTIVE


def update(booking_id: int, changes: dict, actor: str, capacity: int) -> str:
    """The booking's status after the changes, whose names are columns of bookings, `cost` and `service_date`.

    Raises Conflict where the booking's state or the mechanic's capacity forbids it, Invalid for a mechanic who is not
    verified.
    """
    settings = current_app.config["settings"]

    def change(tx: Transaction) -> str:
        before = _state(tx, booking_id)
        after = {**before, **changes}
        rules.check_changes(before["status"], changes, actor)
        mechanic = _lock_mechanic(tx, after["mechanic_id"])
        if "mechanic_id" in changes and after["mechanic_id"] is not None:
            _check_verified(mechanic)
        if rules.takes_slot(before, after["status"], after["mechanic_id"]):
            active = tx.one(COUNT_ACTIVE, {"mechanic_id": after["mechanic_id"]})["active"]
            rules.check_capacity(active, capacity)
        now = clock.text(clock.now())
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
            add_step(tx, booking_id, after["status"], now, actor)
        if changes.get("status") == "completed":
            _add_service(tx, after, now)
        elif before["status"] == "completed":
            _correct_service(tx, booking_id, changes)
        if kind := rules.mail_about(before, changes):
            told = {**after, "reference": rules.reference(booking_id), "mechanic": mechanic}
            outbox.add(tx, settings, kind, told)
        return after["status"]

    return get_db().transaction(change)


def review(booking_id: int, rating: int, text: str | None) -> None:
    """The one review of a completed booking, and its mechanic's new mean; raises Conflict."""

    def review_once(tx: Transaction) -> None:
        reviewed = tx.write(
            """
            UPDATE service_history
            SET rating = :rating, review = :review
            WHERE booking_id = :booking_id AND rating IS NULL
            RETURNING mechanic_id
            """,
            {"rating": rating, "review": text, "booking_id": booking_id},
        )
        if not reviewed:
            raise Conflict("Only a completed booking can be reviewed, and only once.")
        if reviewed[0]["mechanic_id"] is not None:
            _rate(tx, reviewed[0]["mechanic_id"])

    get_db().transaction(review_once)


def _state(tx: Transaction, booking_id: int) -> dict:
    found = tx.one(
        """
        SELECT id, status, mechanic_id, user_id, name, email, phone, vehicle_type, vehicle_brand, vehicle_model,
            service_type, description, location, latitude, longitude, created_at
        FROM bookings
        WHERE id = :id
        """,
        {"id": booking_id},
        lock=True,
    )
    if found is None:
        raise NotFound
    return found


def _lock_mechanic(tx: Transaction, mechanic_id: int | None) -> dict | None:
    """The mechanic's row, which stays as it is to the end: what counts their bookings or reviews waits here."""
    return tx.one("SELECT name, phone, verified FROM mechanics WHERE id = :id", {"id": mechanic_id}, lock=True)


def _check_verified(mechanic: dict | None) -> None:
    if mechanic is None or not mechanic["verified"]:
        raise Invalid(fields={"mechanicId": "There is no verified mechanic with this id."})


def _add_service(tx: Transaction, booking: dict, now: str) -> None:
    tx.write(
        """
        INSERT INTO service_history (booking_id, mechanic_id, user_id, service_date, cost, created_at)
        VALUES (:booking_id, :mechanic_id, :user_id, :service_date, :cost, :now)
        """,
        {
            "booking_id": booking["id"],
            "mechanic_id": booking["mechanic_id"],
            "user_id": booking["user_id"],
            "service_date": booking.get("service_date") or now,
            "cost": booking.get("cost"),
            "now": now,
        },
    )


def _correct_service(tx: Transaction, booking_id: int, changes: dict) -> None:
    """A cost of None takes the cost off; a date is only ever replaced by another."""
    tx.write(
        """
        UPDATE service_history
        SET cost = CASE WHEN :has_cost = 1 THEN :cost ELSE cost END,
            service_date = COALESCE(:service_date, service_date)
        WHERE booking_id = :booking_id
        """,
        {
            "has_cost": int("cost" in changes),
            "cost": changes.get("cost"),
            "service_date": changes.get("service_date"),
            "booking_id": booking_id,
        },
    )


def _rate(tx: Transaction, mechanic_id: int) -> None:
    """Set the mechanic's rating to the mean of their reviews."""
    _lock_mechanic(tx, mechanic_id)
    reviews = tx.one(
        """
        SELECT SUM(rating) AS total, COUNT(*) AS number
        FROM service_history
        WHERE mechanic_id = :mechanic_id AND rating IS NOT NULL
        """,
        {"mechanic_id": mechanic_id},
    )
    tx.write(
        """
        UPDATE mechanics
        SET rating = :rating, updated_at = :now
        WHERE id = :mechanic_id
        """,
        {
            "rating": rules.mean_rating(reviews["total"], reviews["number"]),
            "now": clock.text(clock.now()),
            "mechanic_id": mechanic_id,
        },
    )
