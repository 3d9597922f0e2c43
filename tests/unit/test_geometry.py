"""The box around a place holds all that is within the radius, across the antimeridian and near the poles too."""

import random

import pytest

from mechtech.mechanics.search import box, distance_km


def lies_in(place, found):
    latitude, longitude = place
    """In the latitudes of the box, and in one alone of the three ranges of longitude that the statement has."""
    ranges = [(found["west"] + turn, found["east"] + turn) for turn in (0, -360, 360)]
    times = sum(west < longitude <= east for west, east in ranges)
    assert times <= 1
    return found["south"] <= latitude <= found["north"] and times == 1


@pytest.mark.parametrize("radius", [0.001, 1, 50, 1000, 9000, 11000, 25000])
@pytest.mark.parametrize(
    "centre", [(0, 0), (40.7, -74), (52, 179.99), (-17, -179.9), (89.9, 10), (-90, 0), (90, 180), (66, 180), (10, -180)]
)
def test_all_that_is_within_the_radius_lies_in_the_box(centre, radius):
    found = box(*centre, radius)
    random.seed(1)
    reach = radius / 111
    near = 0
    for _ in range(3000):
        latitude = centre[0] + random.uniform(-reach, reach) * 1.01
        longitude = (centre[1] + random.uniform(-180, 180) * random.random() ** 4 + 180) % 360 - 180
        if abs(latitude) <= 90 and distance_km(*centre, latitude, longitude) <= radius:
            near += 1
            assert lies_in((latitude, longitude), found)
    assert lies_in(centre, found)
    assert near or radius < 10


def test_the_box_leaves_out_the_same_latitude_on_other_continents():
    assert not lies_in((40.7, 116), box(40.7, -74, 50))


def test_the_box_reaches_across_the_antimeridian():
    assert lies_in((52, -179.9), box(52, 179.9, 50))
    assert not lies_in((52, 0), box(52, 179.9, 50))
