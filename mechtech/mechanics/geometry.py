"""Distances on the globe, and the box around a place in which everything within a radius lies. Places in degrees."""

from math import asin, cos, degrees, pi, radians, sin, sqrt
from typing import NamedTuple

EARTH_KM = 6371.0
MARGIN = 1e-7  # degrees, a centimetre: more than rounding loses


class Box(NamedTuple):
    """South and north, and one or two ranges of longitude: two where the box lies across the antimeridian."""

    south: float
    north: float
    longitudes: tuple[tuple[float, float], ...]


def distance_km(latitude1: float, longitude1: float, latitude2: float, longitude2: float) -> float:
    """Along a great circle, by the haversine formula."""
    phi1, phi2 = radians(latitude1), radians(latitude2)
    across = sin((phi2 - phi1) / 2) ** 2
    along = sin(radians(longitude2 - longitude1) / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(across + cos(phi1) * cos(phi2) * along)))


def box(latitude: float, longitude: float, radius_km: float) -> Box:
    """The smallest box, a margin aside, with all that is within radius_km of the place."""
    angle = radius_km / EARTH_KM  # in radians, seen from the centre of the earth
    south = max(-90.0, latitude - degrees(angle) - MARGIN)
    north = min(90.0, latitude + degrees(angle) + MARGIN)
    if south == -90.0 or north == 90.0 or angle >= pi / 2:  # around a pole are all longitudes
        return Box(south, north, ((-180.0, 180.0),))
    half = degrees(asin(min(1.0, sin(angle) / cos(radians(latitude))))) + MARGIN
    west, east = longitude - half, longitude + half
    if west < -180.0:
        return Box(south, north, ((-180.0, east), (west + 360.0, 180.0)))
    if east > 180.0:
        return Box(south, north, ((west, 180.0), (-180.0, east - 360.0)))
    return Box(south, north, ((west, east),))
