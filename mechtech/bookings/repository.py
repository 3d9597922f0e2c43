"""Bookings, what became of them, and the services they ended in."""

from mechtech import clock
from mechtech.bookings import rules
from mechtech.database import Database, Transaction, get_db
from mechtech.database.page import page
from mechtech.errors import Conflict, Invalid, NotFound
from mechtech.mechanics.repository import COUNT_ACTIVE
from mechtech.web import idempotency
from mechtech.web.idempotency import Retry

COLUMNS = """
    id, user_id, name, email, phone, vehicle_type, vehicle_brand, vehicle_model, service_type, description, location,
    latitude, longitude, status, mechanic_id, created_at, updated_at, printf('BK%06d', id) AS reference"""


def create(booking: dict, retry: Retry) -> tuple[dict, bool]:
    """id and created_at of the booking that this request made, and whether an earlier try made it."""
    now = clock.text(clock.now())

    def create_once(tx: Transaction) -> tuple[dict, bool]:
        def insert() -> int:
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
                {**booking, "user_id": retry.user_id, "now": now},
            )
            return made[0]["id"]

        booking_id, earlier = idempotency.once(tx, "booking", retry, insert)
        if not earlier:
            return {"id": booking_id, "created_at": now}, False
        return tx.one("SELECT id, created_at FROM bookings WHERE id = :id", {"id": booking_id}), True

    return get_db().transaction(create_once)


def list_page(
    user_id: int | None, status: str | None, before: int | None, limit: int
) -> tuple[list[dict], int, int | None]:
    """A page of one user's bookings; without a user, of everyone's."""
    return page(COLUMNS, "bookings", {"user_id": user_id, "status": status}, before, limit)


def find(booking_id: int) -> dict:
    """Raises NotFound."""
    return _found(get_db(), booking_id)


def find_with_its_service_and_history(booking_id: int) -> dict:
    """The booking, with `service` and `history`, all read from one state of the database. Raises NotFound."""

    def read(tx: Transaction) -> dict:
        booking = _found(tx, booking_id)
        return {**booking, "service": _service(tx, booking_id), "history": _history(tx, booking)}

    return get_db().snapshot(read)


def _found(tx: Transaction | Database, booking_id: int) -> dict:
    booking = tx.one(
        f"""
        SELECT {COLUMNS}
        FROM bookings
        WHERE id = :id
        """,
        {"id": booking_id},
    )
    if booking is None:
        raise NotFound
    return booking


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


def update(booking_id: int, changes: dict, actor: str, capacity: int) -> str:
    """The status after changes of status, mechanic_id, cost and service_date.

    Raises Conflict where the booking's state or the mechanic's capacity forbids it, Invalid for a mechanic who may
    not work.
    """

    def change(tx: Transaction) -> str:
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
            active = tx.one(COUNT_ACTIVE, {"mechanic_id": mechanic_id})["active"]
            rules.check_capacity(active, capacity)
        now = clock.text(clock.now())
        tx.write(
            """
            UPDATE bookings
            SET status = :status, mechanic_id = :mechanic_id, updated_at = :now
            WHERE id = :id
            """,
            {"status": status, "mechanic_id": mechanic_id, "now": now, "id": booking_id},
        )
        if "status" in changes:
            _add_step(tx, booking_id, status, now, actor)
        if status == "completed":
            tx.write(
                """
                INSERT INTO service_history (booking_id, mechanic_id, user_id, service_date, cost, created_at)
                VALUES (:booking_id, :mechanic_id, :user_id, :service_date, :cost, :now)
                """,
                {
                    "booking_id": booking_id,
                    "mechanic_id": mechanic_id,
                    "user_id": before["user_id"],
                    "service_date": changes.get("service_date") or now,
                    "cost": changes.get("cost"),
                    "now": now,
                },
            )
        return status

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
        mechanic_id = reviewed[0]["mechanic_id"]
        if mechanic_id is None:
            return
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

    get_db().transaction(review_once)


def _state(tx: Transaction, booking_id: int) -> dict:
    found = tx.one("SELECT status, mechanic_id, user_id FROM bookings WHERE id = :id", {"id": booking_id})
    if found is None:
        raise NotFound
    return found


def _check_verified(tx: Transaction, mechanic_id: int | None) -> None:
    if mechanic_id is None:
        return
    if tx.one("SELECT 1 FROM mechanics WHERE id = :id AND verified = 1", {"id": mechanic_id}) is None:
        raise Invalid(fields={"mechanicId": "There is no verified mechanic with this id."})


def _add_step(tx: Transaction, booking_id: int, status: str, at: str, actor: str) -> None:
    tx.write(
        """
        INSERT INTO booking_history (booking_id, step, status, at, actor)
        SELECT :booking_id, COUNT(*) + 1, :status, :at, :actor
        FROM booking_history
        WHERE booking_id = :booking_id
        """,
        {"booking_id": booking_id, "status": status, "at": at, "actor": actor},
    )
