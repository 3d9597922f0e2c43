"""The directory of mechanics, their free slots and their services."""

from math import asin, cos, degrees, radians, sin, sqrt

from mechtech import clock
from mechtech.database import Duplicate, Transaction, get_db
from mechtech.errors import Invalid, NotFound

EARTH_KM = 6371.0
TAKEN = {"email": "There is a mechanic with this address already."}
COLUMNS = """
    id, name, email, phone, latitude, longitude, rating, experience_years, specializations, verified, created_at,
    updated_at"""
COUNT_ACTIVE = """
    SELECT COUNT(*) AS active
    FROM bookings
    WHERE mechanic_id = :mechanic_id AND status IN ('confirmed', 'in-progress')"""
SPECIALIZED = "AND instr(casefold(specializations), :specialization)"
FREE = """AND :capacity > (
    SELECT COUNT(*)
    FROM bookings
    WHERE mechanic_id = mechanics.id AND status IN ('confirmed', 'in-progress')
)"""


def list_best(specialization: str, capacity: int | None, limit: int) -> tuple[list[dict], int]:
    """The best rated, then most experienced, and how many match. capacity: only those with a free slot."""
    matching = _matching(specialization, capacity)
    params = {"specialization": specialization.casefold(), "capacity": capacity, "limit": limit}

    def read(tx: Transaction) -> tuple[list[dict], int]:
        best = tx.all(
            f"""
            SELECT {COLUMNS}
            FROM mechanics
            WHERE {matching}
            ORDER BY rating DESC, experience_years DESC, id
            LIMIT :limit
            """,
            params,
        )
        if len(best) < limit:
            return best, len(best)
        return best, tx.one(f"SELECT COUNT(*) AS total FROM mechanics WHERE {matching}", params)["total"]

    return get_db().snapshot(read)


def list_near(
    latitude: float, longitude: float, radius: float, specialization: str, capacity: int | None, limit: int
) -> tuple[list[dict], int]:
    """Those within radius km, nearest first, each with distance_km, and how many match."""
    reach = degrees(radius / EARTH_KM)
    band = get_db().all(
        f"""
        SELECT {COLUMNS}
        FROM mechanics
        WHERE latitude BETWEEN :south AND :north AND {_matching(specialization, capacity)}
        """,
        {
            "south": latitude - reach,
            "north": latitude + reach,
            "specialization": specialization.casefold(),
            "capacity": capacity,
        },
    )
    for mechanic in band:
        mechanic["distance_km"] = _distance_km(latitude, longitude, mechanic["latitude"], mechanic["longitude"])
    near = sorted((row for row in band if row["distance_km"] <= radius), key=lambda row: row["distance_km"])
    for mechanic in near:
        mechanic["distance_km"] = round(mechanic["distance_km"], 2)
    return near[:limit], len(near)


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
        before = tx.one(f"SELECT {COLUMNS} FROM mechanics WHERE id = :mechanic_id", {"mechanic_id": mechanic_id})
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


def _matching(specialization: str, capacity: int | None) -> str:
    """What a list asks of a mechanic, as SQL; '' and None ask for nothing."""
    return f"verified = 1 {SPECIALIZED if specialization else ''} {'' if capacity is None else FREE}"


def _distance_km(latitude1: float, longitude1: float, latitude2: float, longitude2: float) -> float:
    """Along a great circle: the haversine formula. Places in degrees."""
    phi1, phi2 = radians(latitude1), radians(latitude2)
    across = sin((phi2 - phi1) / 2) ** 2
    along = sin(radians(longitude2 - longitude1) / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(across + cos(phi1) * cos(phi2) * along)))
