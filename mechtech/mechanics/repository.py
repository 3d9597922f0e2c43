"""Mechanics, their free slots and their services. search.py has the lists."""

from mechtech import clock
from mechtech.database import Duplicate, Transaction, get_db
from mechtech.errors import Invalid, NotFound

TAKEN = {"email": "There is a mechanic with this address already."}
COLUMNS = """
    id, name, email, phone, mechanics.latitude, longitude, rating, experience_years, specializations, verified,
    created_at, updated_at, (
        SELECT COUNT(*) FROM service_history WHERE service_history.mechanic_id = mechanics.id AND rating IS NOT NULL
    ) AS review_count"""
COUNT_ACTIVE = """
    SELECT COUNT(*) AS active
    FROM bookings
    WHERE mechanic_id = :mechanic_id AND status IN ('confirmed', 'in-progress')"""


def find(mechanic_id: int) -> dict:
    """Raises NotFound."""
    mechanic = get_db().one(
        f"""
        SELECT {COLUMNS}
        FROM mechanics
        WHERE id = :mechanic_id
        """,
        {"mechanic_id": mechanic_id},
    )
    if mechanic is None:
        raise NotFound
    return mechanic


def find_recent_services(mechanic_id: int) -> list[dict]:
    """The ten newest, with nothing that tells who the customer was."""
    return get_db().all(
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


def count_active(mechanic_id: int) -> int:
    """The bookings that take a slot."""
    return get_db().one(COUNT_ACTIVE, {"mechanic_id": mechanic_id})["active"]


def create(mechanic: dict) -> dict:
    """The new mechanic. Raises Invalid if the address is taken, in whatever case."""
    try:
        made = get_db().write(
            f"""
            INSERT INTO mechanics (
                name, email, phone, latitude, longitude, experience_years, specializations, verified, created_at,
                updated_at
            )
            VALUES (
                :name, :email, :phone, :latitude, :longitude, :experience_years, :specializations, :verified, :now, :now
            )
            RETURNING {COLUMNS}
            """,
            {**mechanic, "now": clock.text(clock.now())},
        )
    except Duplicate:
        raise Invalid(fields=TAKEN) from None
    return made[0]


def update(mechanic_id: int, changes: dict) -> dict:
    """The mechanic after the changes. Raises NotFound, and Invalid if the address is taken."""

    def change(tx: Transaction) -> dict:
        before = tx.one(
            f"""
            SELECT {COLUMNS}
            FROM mechanics
            WHERE id = :mechanic_id
            """,
            {"mechanic_id": mechanic_id},
            lock=True,
        )
        if before is None:
            raise NotFound
        updated = tx.write(
            f"""
            UPDATE mechanics
            SET name = :name, email = :email, phone = :phone, latitude = :latitude, longitude = :longitude,
                experience_years = :experience_years, specializations = :specializations, verified = :verified,
                updated_at = :now
            WHERE id = :id
            RETURNING {COLUMNS}
            """,
            {**before, **changes, "now": clock.text(clock.now())},
        )
        return updated[0]

    try:
        return get_db().transaction(change)
    except Duplicate:
        raise Invalid(fields=TAKEN) from None


def serves(mechanic_id: int, user_id: int | None, booking_id: int | None) -> bool:
    """Whether the mechanic has that booking, or any of that user's."""
    found = get_db().one(
        """
        SELECT 1
        FROM bookings
        WHERE mechanic_id = :mechanic_id AND (user_id = :user_id OR id = :booking_id)
        LIMIT 1
        """,
        {"mechanic_id": mechanic_id, "user_id": user_id, "booking_id": booking_id},
    )
    return found is not None
