"""The lists of mechanics: the best ones, and those near a place. Places are in degrees."""

from math import asin, cos, degrees, radians, sin, sqrt

from mechtech.database import Transaction, get_db
from mechtech.mechanics.repository import COLUMNS

EARTH_KM = 6371.0
MARGIN = 1e-7  # degrees, a centimetre: more than rounding loses
CONDITIONS = {
    "verified": "verified = :verified",
    "specialization": "instr(casefold(specializations), :specialization) > 0",
    "capacity": """:capacity > (
        SELECT COUNT(*)
        FROM bookings
        WHERE mechanic_id = mechanics.id AND status IN ('confirmed', 'in-progress')
    )""",
}


def list_best(filters: dict, limit: int) -> tuple[list[dict], int]:
    """The best rated, then most experienced, and how many match.

    filters: values by the names of CONDITIONS; None asks for nothing. Of a capacity, there must be a free slot.
    """
    matching = _matching(filters)

    def read(tx: Transaction) -> tuple[list[dict], int]:
        best = tx.all(
            f"""
            SELECT {COLUMNS}
            FROM mechanics
            WHERE {matching}
            ORDER BY rating DESC, experience_years DESC, id
            LIMIT :limit + 1
            """,
            {**filters, "limit": limit},
        )
        if len(best) <= limit:
            return best, len(best)
        return best[:limit], tx.one(f"SELECT COUNT(*) AS total FROM mechanics WHERE {matching}", filters)["total"]

    return get_db().snapshot(read)


def list_near(latitude: float, longitude: float, radius: float, filters: dict, limit: int) -> tuple[list[dict], int]:
    """Those within radius km, nearest first, each with distance_km, and how many match.

    The index finds them by whole degrees of latitude and, within each, by longitude. One side of the antimeridian is
    360 degrees away from the other.
    """
    candidates = get_db().all(
        f"""
        WITH RECURSIVE degrees (latitude) AS (
            SELECT CAST(:south AS INTEGER)
            UNION ALL
            SELECT latitude + 1 FROM degrees WHERE latitude < CAST(:north AS INTEGER)
        ), ranges (west, east) AS (
            VALUES (:west, :east), (:west - 360, :east - 360), (:west + 360, :east + 360)
        )
        SELECT {COLUMNS}
        FROM degrees
        CROSS JOIN ranges
        CROSS JOIN mechanics
        WHERE CAST(mechanics.latitude AS INTEGER) = degrees.latitude
            AND mechanics.longitude > ranges.west AND mechanics.longitude <= ranges.east
            AND {_matching(filters)}
        """,
        {**filters, **box(latitude, longitude, radius)},
    )
    near = []
    for mechanic in candidates:
        distance = distance_km(latitude, longitude, mechanic["latitude"], mechanic["longitude"])
        if distance <= radius:
            near.append((distance, mechanic["id"], {**mechanic, "distance_km": round(distance, 2)}))
    return [mechanic for _, _, mechanic in sorted(near)[:limit]], len(near)


def _matching(filters: dict) -> str:
    return " AND ".join(CONDITIONS[name] for name, value in filters.items() if value is not None) or "TRUE"


def distance_km(latitude1: float, longitude1: float, latitude2: float, longitude2: float) -> float:
    """Along a great circle, by the haversine formula."""
    phi1, phi2 = radians(latitude1), radians(latitude2)
    across = sin((phi2 - phi1) / 2) ** 2
    along = sin(radians(longitude2 - longitude1) / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(across + cos(phi1) * cos(phi2) * along)))


def box(latitude: float, longitude: float, radius_km: float) -> dict[str, float]:
    """The smallest box, a margin aside, with all that is within radius_km; its west or east may be beyond 180."""
    angle = radius_km / EARTH_KM  # in radians, seen from the centre of the earth
    south, north = latitude - degrees(angle) - MARGIN, latitude + degrees(angle) + MARGIN
    half = 180.0  # around a pole are all longitudes
    if south > -90 and north < 90:
        half = degrees(asin(min(1.0, sin(angle) / cos(radians(latitude))))) + MARGIN
    return {"south": max(-90.0, south), "north": min(90.0, north), "west": longitude - half, "east": longitude + half}
