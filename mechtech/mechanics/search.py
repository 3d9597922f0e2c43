"""The lists of mechanics: the best ones, and those near a place."""

from mechtech.database import Transaction, get_db
from mechtech.mechanics import geometry
from mechtech.mechanics.repository import COLUMNS

NOWHERE = (1.0, 0.0)  # a range of longitude that holds none
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
