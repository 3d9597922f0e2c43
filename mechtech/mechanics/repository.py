"""Mechanics, their free slots and their services. search.py has the lists."""

from mechtech import clock
from mechtech.database import Database, Duplicate, Transaction, get_db
from mechtech.errors import Invalid, found
from mechtech.web.authentication import Caller

TAKEN = {"email": "There is a mechanic with this address already."}
COLUMNS = """
    id, name, email, phone, mechanics.latitude, longitude, rating, experience_years, specializations, verified,
    created_at, updated_at, (
        SELECT COUNT(*) FROM service_history WHERE service_history.mechanic_id = mechanics.id AND rating IS NOT NULL
    ) AS review_count"""


def find(db: Database | Transaction, mechanic_id: int) -> dict | None:
    return db.one(
        f"""
        SELECT {COLUMNS}
        FROM mechanics
        WHERE id = :id
        """,
        {"id": mechanic_id},
    )


def find_recent_services(db: Database | Transaction, mechanic_id: int) -> list[dict]:
    """The ten newest, with nothing that tells who the customer was."""
    return db.all(
        """
        SELECT service.id, service_date, cost, rating, review, service_type, vehicle_type
        FROM service_history AS service
        JOIN bookings ON bookings.id = service.booking_id
        WHERE service.mechanic_id = :mechanic_id
        ORDER BY service_date DESC, service.id DESC
        LIMIT 10
        """,
        {"mechanic_id": mechanic_id},
    )


def count_active(db: Database | Transaction, mechanic_id: int) -> int:
    """The bookings that take a slot."""
    counted = db.one(
        """
        SELECT COUNT(*) AS active
        FROM bookings
        WHERE mechanic_id = :mechanic_id AND status IN ('confirmed', 'in-progress')
        """,
        {"mechanic_id": mechanic_id},
    )
    return counted["active"]


def create(mechanic: dict) -> dict:
    """The new mechanic. Raises Invalid if the address is taken, in whatever case."""
    return _write(
        f"""
        INSERT INTO mechanics (
            name, email, phone, latitude, longitude, experience_years, specializations, verified, created_at, updated_at
        )
        VALUES (
            :name, :email, :phone, :latitude, :longitude, :experience_years, :specializations, :verified, :created_at,
            :updated_at
        )
        RETURNING {COLUMNS}
        """,
        {**mechanic, **clock.stamps()},
    )


def update(mechanic_id: int, changes: dict) -> dict:
    """The mechanic after the changes, whose names are columns. Raises NotFound, and Invalid if the address is taken."""
    absent = dict.fromkeys(
        ("name", "email", "phone", "latitude", "longitude", "experience_years", "specializations", "verified")
    )
    has_place, now = int("latitude" in changes), clock.text(clock.now())
    return _write(
        f"""
        UPDATE mechanics
        SET name = COALESCE(:name, name),
            email = COALESCE(:email, email),
            phone = COALESCE(:phone, phone),
            latitude = CASE WHEN :has_place = 1 THEN :latitude ELSE latitude END,
            longitude = CASE WHEN :has_place = 1 THEN :longitude ELSE longitude END,
            experience_years = COALESCE(:experience_years, experience_years),
            specializations = COALESCE(:specializations, specializations),
            verified = COALESCE(:verified, verified),
            updated_at = :now
        WHERE id = :id
        RETURNING {COLUMNS}
        """,
        {**absent, **changes, "has_place": has_place, "now": now, "id": mechanic_id},
    )


def _write(sql: str, params: dict) -> dict:
    try:
        return found(get_db().write(sql, params))[0]
    except Duplicate:
        raise Invalid(fields=TAKEN) from None


def serves(mechanic_id: int, caller: Caller) -> bool:
    """Whether the mechanic has the booking of the caller's token, or any of the user's."""
    booking = get_db().one(
        """
        SELECT 1
        FROM bookings
        WHERE mechanic_id = :mechanic_id AND (user_id = :user_id OR (id = :id AND created_at = :made))
        LIMIT 1
        """,
        {"mechanic_id": mechanic_id, "user_id": caller.user_id, "id": caller.booking_id, "made": caller.booking_made},
    )
    return booking is not None
