"""The directory of mechanics, their free slots and their services."""

from mechtech import clock
from mechtech.database import Duplicate, Transaction, get_db
from mechtech.errors import Invalid, NotFound
from mechtech.mechanics import geometry

NOWHERE = (1.0, 0.0)  # a range of longitude that holds none
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
SPECIALIZED = "AND instr(casefold(specializations), :specialization) > 0"
FREE = """AND :capacity > (
    SELECT COUNT(*)
    FROM bookings
    WHERE mechanic_id = mechanics.id AND status IN ('confirmed', 'in-progress')
)"""


def list_best(specialization: str, capacity: int | None, verified: int | None, limit: int) -> tuple[list[dict], int]:
    """The best rated, then most experienced, and how many match.

    capacity: only those with a free slot. verified: 1 or 0; None asks for both.
    """
    matching = _matching(specialization, capacity, verified)
    params = {**_params(specialization, capacity, verified), "limit": limit}

    def read(tx: Transaction) -> tuple[list[dict], int]:
        best = tx.all(
            f"""
            SELECT {COLUMNS}
            FROM mechanics
            WHERE {matching}
            ORDER BY rating DESC, experience_years DESC, id
            LIMIT :limit + 1
            """,
            params,
        )
        if len(best) <= limit:
            return best, len(best)
        return best[:limit], tx.one(f"SELECT COUNT(*) AS total FROM mechanics WHERE {matching}", params)["total"]

    return get_db().snapshot(read)


def list_near(
    latitude: float,
    longitude: float,
    radius: float,
    specialization: str,
    capacity: int | None,
    verified: int | None,
    limit: int,
) -> tuple[list[dict], int]:
    """Those within radius km, nearest first, each with distance_km, and how many match.

    The index finds them by whole degrees of latitude and, within each, by longitude.
    """
    box = geometry.box(latitude, longitude, radius)
    (west, east), (west2, east2) = (*box.longitudes, NOWHERE)[:2]
    candidates = get_db().all(
        f"""
        WITH RECURSIVE degrees (latitude) AS (
            SELECT CAST(:south AS INTEGER)
            UNION ALL
            SELECT latitude + 1 FROM degrees WHERE latitude < CAST(:north AS INTEGER)
        ), ranges (west, east) AS (
            VALUES (:west, :east), (:west2, :east2)
        )
        SELECT {COLUMNS}
        FROM degrees
        CROSS JOIN ranges
        CROSS JOIN mechanics
        WHERE CAST(mechanics.latitude AS INTEGER) = degrees.latitude
            AND mechanics.longitude BETWEEN ranges.west AND ranges.east
            AND {_matching(specialization, capacity, verified)}
        """,
        {
            **_params(specialization, capacity, verified),
            "south": box.south,
            "north": box.north,
            "west": west,
            "east": east,
            "west2": west2,
            "east2": east2,
        },
    )
    for mechanic in candidates:
        mechanic["distance_km"] = geometry.distance_km(latitude, longitude, mechanic["latitude"], mechanic["longitude"])
    near = sorted((row for row in candidates if row["distance_km"] <= radius), key=lambda row: row["distance_km"])
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


def _matching(specialization: str, capacity: int | None, verified: int | None) -> str:
    """What a list asks of a mechanic, as SQL."""
    asked = [
        "TRUE" if verified is None else "verified = :verified",
        SPECIALIZED if specialization else "",
        "" if capacity is None else FREE,
    ]
    return " ".join(asked)


def _params(specialization: str, capacity: int | None, verified: int | None) -> dict:
    return {"specialization": specialization.casefold(), "capacity": capacity, "verified": verified}
