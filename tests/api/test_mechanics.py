"""/api/mechanics: the directory, who is near, who is free, and what only an admin may do."""

import re
from itertools import product
from urllib.parse import quote

import jwt
import pytest

from mechtech import create_app
from mechtech.settings import from_environment
from tests.answers import refused, wrong_fields
from tests.conftest import BOOKING, MECHANIC, SECRET, Api, book, complete, hire, lasting_client, signup

COLUMNS = {
    *("id", "name", "email", "phone", "latitude", "longitude", "rating", "experience_years", "specializations"),
    *("verified", "created_at", "updated_at", "review_count"),
}
SERVICE = {"id", "service_date", "cost", "rating", "review", "service_type", "vehicle_type"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
DEGREE = 111.195  # km of a degree of latitude, on a sphere of 6,371 km
MAX = {name: value for name, value in MECHANIC.items() if name != "verified"}


@pytest.fixture(scope="module")
def standing(lasting):
    """For what is refused, and so leaves no trace: a client, and an admin's token. Mechanic 1 is max@garage.example."""
    admin = signup(lasting)
    lasting.client.application.extensions["mechtech.db"].write("UPDATE users SET role = 'admin'")
    hire(lasting, admin)
    return lasting, admin


def find(client, query=""):
    answer = client.get(f"/api/mechanics/{query}")
    assert answer.status_code == 200, answer.text
    assert answer.json.keys() == {"total", "mechanics"}
    return answer.json


def ids(found):
    return [mechanic["id"] for mechanic in found["mechanics"]]


def hire_at(client, admin, *places):
    return [
        hire(client, admin, f"at{number}@garage.example", latitude=latitude, longitude=longitude)
        for number, (latitude, longitude) in enumerate(places)
    ]


def assert_invalid(answer, *fields):
    assert wrong_fields(answer) == set(fields)


# --- The list


def test_an_empty_directory(client):
    assert find(client) == {"total": 0, "mechanics": []}


def test_a_mechanic_is_listed_under_the_column_names(client, admin):
    hire(client, admin, latitude=1, longitude=2, experience_years=3, specializations="Engine Repair, Towing")
    (mechanic,) = find(client)["mechanics"]
    assert mechanic.keys() == COLUMNS
    expected = MAX | {"latitude": 1, "longitude": 2, "experience_years": 3, "verified": 1, "rating": 0, "id": 1}
    expected["specializations"] = "Engine Repair, Towing"
    assert {name: mechanic[name] for name in expected} == expected
    assert type(mechanic["verified"]) is int
    assert TIME.fullmatch(mechanic["created_at"])


def test_the_best_rated_come_first_then_the_most_experienced(app, client, admin):
    made = [
        hire(client, admin, f"{number}@garage.example", experience_years=years)
        for number, years in enumerate((3, 9, 0, 80))
    ]
    app.extensions["mechtech.db"].write("UPDATE mechanics SET rating = 4.5 WHERE id IN (:a, :b)", dict(zip("ab", made)))
    app.extensions["mechtech.db"].write("UPDATE mechanics SET rating = 4.6 WHERE id = :id", {"id": made[2]})
    assert ids(find(client)) == [made[2], made[1], made[0], made[3]]


def test_only_the_verified_are_listed_even_for_an_admin(client, admin):
    hire(client, admin, "unverified@garage.example", verified=False)
    verified = hire(client, admin)
    assert ids(find(client)) == [verified]
    assert ids(client.get("/api/mechanics/", token=admin).json) == [verified]
    near = "?latitude=0&longitude=0&radius=30000"
    assert find(client, near)["total"] == 0


def _fill(app, count):
    app.extensions["mechtech.db"].write(
        """
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
        INSERT INTO mechanics (name, email, phone, verified, latitude, longitude)
        SELECT 'N', i || '@garage.example', '1234', 1, 0, 0 FROM n
        """,
        {"count": count},
    )


@pytest.mark.parametrize("place", ["", "latitude=0&longitude=0&"])
def test_a_limit_bounds_the_list_and_not_the_total(app, client, place):
    _fill(app, 201)
    for query, length in (("limit=1", 1), ("limit=200", 200), ("", 100)):
        found = find(client, f"?{place}{query}")
        assert (len(found["mechanics"]), found["total"]) == (length, 201)


@pytest.mark.parametrize(
    "query",
    [
        *(f"limit={value}" for value in ("0", "201", "-1", "1.0", "", "x", "٣", "9" * 30, "1_0")),
        *(
            f"radius={value}"
            for value in ("0", "0.0", "-1", "", "x", "nan", "inf", "-inf", "1e400", "٣", "0x10", "1_0")
        ),
        *(f"available={value}" for value in ("", "yes", "1", "True", "TRUE", "true,false", "%00")),
        *(f"specialization={value}" for value in ("%00", "a%1Fb", "%7F")),
        *(f"latitude={value}&longitude=0" for value in ("90.0001", "-91", "x", "", "nan", "inf", "1e400", "٣", "4,5")),
        *(f"longitude={value}&latitude=0" for value in ("180.0001", "-181", "x", "", "NaN", "Infinity", "1e999")),
    ],
)
@pytest.mark.parametrize("place", ["", "&latitude=1&longitude=1"])
def test_a_query_value_that_breaks_a_rule_is_named(standing, query, place):
    client, _ = standing
    assert_invalid(client.get(f"/api/mechanics/?{query}{place if 'tude' not in query else ''}"), query.split("=")[0])


@pytest.mark.parametrize(
    ("radius", "text"),
    [
        *product(["0", "-1", "-1e-300", "1e-999"], ["This must be above 0."]),
        *product(["1e400", "-1e400", "9" * 400], ["This number is too large or too small."]),
        *product(["x", "", "1,5", "0x1", "nan", "inf"], ["This must be a number."]),
    ],
)
def test_what_is_wrong_with_a_radius_is_told_in_words(standing, radius, text):
    client, _ = standing
    assert client.get(f"/api/mechanics/?radius={radius}").json["fields"] == {"radius": text}


@pytest.mark.parametrize("query", ["specialization=%ff", "specialization=%e2%82", "%ff=1", "limit=1&x=%C3%28"])
def test_a_query_that_is_not_utf_8_is_400(standing, query):
    client, _ = standing
    assert_invalid(client.get(f"/api/mechanics/?{query}"), "query")


def test_of_a_name_that_stands_twice_the_first_counts(standing):
    client, _ = standing
    assert client.get("/api/mechanics/?limit=1&limit=x").status_code == 200
    assert_invalid(client.get("/api/mechanics/?limit=x&limit=1"), "limit")


def test_all_wrong_query_values_are_named_at_once(standing):
    client, _ = standing
    query = "latitude=91&longitude=181&radius=0&limit=0&available=x&specialization=%00"
    names = [part.split("=")[0] for part in query.split("&")]
    assert_invalid(client.get(f"/api/mechanics/?{query}"), *names)


@pytest.mark.parametrize(("query", "missing"), [("latitude=1", "longitude"), ("longitude=1&radius=5", "latitude")])
def test_of_a_place_the_missing_half_is_named(standing, query, missing):
    client, _ = standing
    assert_invalid(client.get(f"/api/mechanics/?{query}"), missing)


@pytest.mark.parametrize(
    "query", ["_=1795678825", "radius=5", "available=false", "specialization=", "specialization=%20"]
)
def test_a_query_that_means_nothing_changes_nothing(standing, query):
    client, _ = standing
    assert ids(find(client, f"?{query}")) == [1]


# --- Places


def test_those_within_50_km_come_nearest_first_with_their_distance(client, admin):
    far, near, mid, too_far = hire_at(client, admin, (40.4, -74), (40.01, -74), (39.8, -74), (40.46, -74))
    hire(client, admin, "nowhere@garage.example")
    found = find(client, "?latitude=40&longitude=-74")
    assert (found["total"], ids(found)) == (3, [near, mid, far])
    assert all(mechanic.keys() == COLUMNS | {"distance_km"} for mechanic in found["mechanics"])
    distances = [mechanic["distance_km"] for mechanic in found["mechanics"]]
    assert distances == pytest.approx([0.01 * DEGREE, 0.2 * DEGREE, 0.4 * DEGREE], rel=0.005)
    assert too_far not in ids(found)


def test_the_radius_is_in_kilometres(client, admin):
    (one_degree,) = hire_at(client, admin, (41, -74))
    assert find(client, "?latitude=40&longitude=-74&radius=110")["total"] == 0
    assert ids(find(client, "?latitude=40&longitude=-74&radius=112.5")) == [one_degree]


def test_a_place_itself_is_at_distance_zero(client, admin):
    hire_at(client, admin, (0, 0))
    (mechanic,) = find(client, "?latitude=0&longitude=0&radius=0.001")["mechanics"]
    assert mechanic["distance_km"] == 0


def test_nearest_comes_before_best_rated(app, client, admin):
    best, nearest = hire_at(client, admin, (0, 0.2), (0, 0.1))
    app.extensions["mechtech.db"].write("UPDATE mechanics SET rating = 5 WHERE id = :id", {"id": best})
    assert ids(find(client, "?latitude=0&longitude=0")) == [nearest, best]
    assert ids(find(client)) == [best, nearest]


@pytest.mark.parametrize(
    ("here", "there", "km"),
    [
        ((0, 179.9), (0, -179.9), 22.2),  # over the antimeridian
        ((0, -180), (0, 180), 0),
        ((-17, 179.95), (-17, -179.95), 10.6),
        ((90, 0), (89.9, 137), 11.1),  # over the pole every meridian is near
        ((89.9, 0), (89.9, 180), 22.2),
        ((-90, -180), (-90, 64), 0),
        ((-89.9, 90), (-89.9, -90), 22.2),
    ],
)
def test_distances_over_the_antimeridian_and_the_poles(client, admin, here, there, km):
    hire_at(client, admin, there)
    query = f"?latitude={here[0]}&longitude={here[1]}"
    (mechanic,) = find(client, query)["mechanics"]
    assert mechanic["distance_km"] == pytest.approx(km, abs=0.1)
    if km:
        assert find(client, f"{query}&radius={km - 1}")["total"] == 0


@pytest.mark.parametrize("radius", ["20016", "30000", "1e300", "+1e5"])
def test_a_radius_may_reach_around_the_world(client, admin, radius):
    antipode, quarter = hire_at(client, admin, (-40, 106), (0, -164))
    found = find(client, f"?latitude=40&longitude=-74&radius={quote(radius)}")
    assert ids(found) == [quarter, antipode]
    assert found["mechanics"][1]["distance_km"] == pytest.approx(20015, abs=1)


# --- Specialization and availability


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Engine Repair", {1}),
        ("engine repair", {1}),
        ("  ENGINE ", {1}),
        ("gin", {1}),
        ("TOWING", {1, 2}),
        ("ÉLECTRIQUE", {2}),
        ("électrique", {2}),
        ("ШИНЫ", {2}),
        ("strasse", {3}),
        ("STRASSE", {3}),
        ("straße", {3}),
        ("%", {3}),
        ("_", {3}),
        ("100%", {3}),
        ("100_", set()),
        ("%ow%", set()),
        ("\\", set()),
        ("'", set()),
        ("*", set()),
        ("Repair, Tow", {1}),
        ("plumbing", set()),
    ],
)
@pytest.mark.parametrize("place", ["", "&latitude=0&longitude=0"])
def test_a_specialization_is_part_of_the_text_in_any_case(specialists, text, found, place):
    assert set(ids(find(specialists, f"?specialization={quote(text)}{place}"))) == found


@pytest.fixture(scope="module")
def specialists(tmp_path_factory):
    """A client of a directory with three mechanics that differ in what they can."""
    client = lasting_client(tmp_path_factory.mktemp("specialists"))
    admin = signup(client)
    client.client.application.extensions["mechtech.db"].write("UPDATE users SET role = 'admin'")
    for number, text in enumerate(("Engine Repair, Towing", "Électrique, Шины, towing", "100% snake_case, Straße")):
        hire(client, admin, f"{number}@garage.example", specializations=text, latitude=0, longitude=0)
    return client


def test_available_leaves_out_whoever_is_full(environ, request):
    environ["MECHANIC_CAPACITY"] = "2"
    client, admin = request.getfixturevalue("client"), request.getfixturevalue("admin")
    place = {"latitude": 0, "longitude": 0}
    full, half = hire(client, admin, **place), hire(client, admin, "half@garage.example", **place)
    for mechanic_id, status in ((full, "confirmed"), (full, "confirmed"), (half, "confirmed"), (half, "pending")):
        booking_id = book(client)["bookingId"]
        body = {"mechanicId": mechanic_id, **({"status": status} if status != "pending" else {})}
        assert client.put(f"/api/booking/{booking_id}", body, token=admin).status_code == 200
    for query in ("available=true", "available=true&latitude=0&longitude=0"):
        assert (ids(find(client, f"?{query}")), find(client, f"?{query}&limit=1")["total"]) == ([half], 1)
    for query in ("available=false", ""):
        assert set(ids(find(client, f"?{query}"))) == {full, half}
    client.put("/api/booking/1", {"status": "in-progress"}, token=admin)
    assert ids(find(client, "?available=true")) == [half]
    client.put("/api/booking/1", {"status": "completed"}, token=admin)
    assert set(ids(find(client, "?available=true"))) == {full, half}


def test_availability_counts_the_bookings_that_are_confirmed_or_in_progress(client, admin):
    mechanic_id = hire(client, admin)

    def availability():
        return client.get(f"/api/mechanics/{mechanic_id}/availability").json

    expected = {"mechanic": {"id": mechanic_id, "name": "Max Torque"}, "capacity": 5}
    assert availability() == {**expected, "available": True, "currentBookings": 0, "availableSlots": 5}
    for booking_id in range(1, 7):
        book(client)
        client.put(f"/api/booking/{booking_id}", {"mechanicId": mechanic_id}, token=admin)
    assert availability()["currentBookings"] == 0
    for booking_id in range(1, 6):
        client.put(f"/api/booking/{booking_id}", {"status": "confirmed"}, token=admin)
        assert availability()["currentBookings"] == booking_id
    assert availability() == {**expected, "available": False, "currentBookings": 5, "availableSlots": 0}
    client.put("/api/booking/1", {"status": "in-progress"}, token=admin)
    assert availability()["currentBookings"] == 5
    client.put("/api/booking/1", {"status": "completed"}, token=admin)
    client.put("/api/booking/2", {"status": "cancelled"}, token=admin)
    assert availability() == {**expected, "available": True, "currentBookings": 3, "availableSlots": 2}


def test_a_lower_capacity_leaves_no_negative_slots(environ, client, admin):
    mechanic_id = hire(client, admin)
    for booking_id in (1, 2):
        book(client)
        body = {"status": "confirmed", "mechanicId": mechanic_id}
        client.put(f"/api/booking/{booking_id}", body, token=admin)
    smaller = Api(create_app(from_environment({**environ, "MECHANIC_CAPACITY": "1"})).test_client())
    answer = smaller.get(f"/api/mechanics/{mechanic_id}/availability").json
    assert (answer["available"], answer["capacity"]) == (False, 1)
    assert (answer["currentBookings"], answer["availableSlots"]) == (2, 0)


# --- One mechanic


def test_a_mechanic_is_shown_with_their_services(client, customer, admin):
    mechanic_id = hire(client, admin)
    assert client.get(f"/api/mechanics/{mechanic_id}").json["recentServices"] == []
    book(client, customer, name="Secret Name", email="secret@example.com", phone="5555555", location="Secret Road")
    complete(client, admin, 1, mechanic_id, cost=80, serviceDate="2026-01-19")
    client.post("/api/booking/1/review", {"rating": 5, "review": "Great"}, token=customer)
    answer = client.get(f"/api/mechanics/{mechanic_id}")
    assert answer.json.keys() == {"mechanic", "recentServices"}
    assert answer.json["mechanic"].keys() == COLUMNS
    (service,) = answer.json["recentServices"]
    assert service.keys() == SERVICE
    assert service | {"id": 0} == {
        "id": 0,
        "service_date": "2026-01-19T00:00:00Z",
        "cost": 80,
        "rating": 5,
        "review": "Great",
        "service_type": BOOKING["service_type"],
        "vehicle_type": BOOKING["vehicleType"],
    }
    for secret in ("Secret", "secret@", "5555555", "user_id", "BK0", "booking_id"):
        assert secret not in answer.text


def test_the_ten_newest_services_are_shown(client, admin):
    mechanic_id, other = hire(client, admin), hire(client, admin, "other@garage.example")
    days = [5, 12, 1, 8, 3, 11, 7, 2, 10, 6, 9, 4]
    for booking_id, day in enumerate(days, 1):
        book(client)
        complete(client, admin, booking_id, mechanic_id, serviceDate=f"2026-01-{day:02d}")
    book(client)
    complete(client, admin, 13, other, serviceDate="2026-02-01")
    services = client.get(f"/api/mechanics/{mechanic_id}").json["recentServices"]
    assert [int(service["service_date"][8:10]) for service in services] == [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]


def test_a_mechanic_without_verification_is_404_but_for_an_admin(client, customer, admin):
    mechanic_id = hire(client, admin, verified=False)
    for path in (f"/api/mechanics/{mechanic_id}", f"/api/mechanics/{mechanic_id}/availability"):
        guest = book(client)["bookingToken"]
        for token in (None, customer, guest):
            refused(client.get(path, token=token), 404, "not_found")
        assert client.get(path, token=admin).status_code == 200
        refused(client.get(path, token="bad"), 404, "not_found")
    client.put(f"/api/mechanics/{mechanic_id}", {"verified": True}, token=admin)
    assert client.get(f"/api/mechanics/{mechanic_id}").json["mechanic"]["verified"] == 1
    client.put(f"/api/mechanics/{mechanic_id}", {"verified": 0}, token=admin)
    assert client.get(f"/api/mechanics/{mechanic_id}").status_code == 404


def test_an_unverified_mechanic_is_shown_to_who_has_a_booking_with_them(client, customer, admin):
    guest = book(client)["bookingToken"]
    book(client, customer)
    claims = jwt.decode(guest, SECRET, ["HS256"])
    earlier = jwt.encode({**claims, "iat": claims["iat"] - 1}, SECRET)  # of another booking that had this number
    mechanic_id = hire(client, admin)
    for booking_id in (1, 2):
        client.put(f"/api/booking/{booking_id}", {"mechanicId": mechanic_id}, token=admin)
    client.put(f"/api/mechanics/{mechanic_id}", {"verified": False}, token=admin)
    for path in (f"/api/mechanics/{mechanic_id}", f"/api/mechanics/{mechanic_id}/availability"):
        assert [client.get(path, token=token).status_code for token in (guest, customer, earlier)] == [200, 200, 404]


@pytest.mark.parametrize(
    "path_id", ["2", "0", "-1", "1.0", "٣", "%EF%BC%91", "1%00", "x", "BK000001", "+1", "%201", str(2**63), "9" * 400]
)
def test_a_path_id_without_a_mechanic_is_404(standing, path_id):
    client, admin = standing
    path = f"/api/mechanics/{path_id}"
    refused(client.get(path, token=admin), 404, "not_found")
    refused(client.get(f"{path}/availability", token=admin), 404, "not_found")
    refused(client.put(path, {"name": "Other"}, token=admin), 404, "not_found")


# --- What only an admin may do


def test_only_an_admin_adds_and_changes_mechanics(client, customer, admin):
    guest = book(client)["bookingToken"]
    hire(client, admin)
    for method, path in (("POST", "/api/mechanics/"), ("PUT", "/api/mechanics/1"), ("PUT", "/api/mechanics/7")):
        body = {**MECHANIC, "email": "new@garage.example"}
        refused(client.call(method, path, json=body), 401, "unauthorized")
        refused(client.call(method, path, json=body, token=guest), 401, "unauthorized")
        refused(client.call(method, path, json=body, token=customer), 403, "forbidden")
    assert [mechanic["email"] for mechanic in find(client)["mechanics"]] == [MECHANIC["email"]]


def test_a_new_mechanic_is_unverified(client, admin):
    answer = client.post("/api/mechanics/", MAX, token=admin)
    assert answer.status_code == 201
    assert answer.json.keys() == {"message", "mechanic"}
    mechanic = answer.json["mechanic"]
    assert mechanic.keys() == COLUMNS
    expected = {"id": 1, "verified": 0, "rating": 0, "experience_years": 0, "specializations": "", **MAX}
    expected |= {"latitude": None, "longitude": None}
    assert {name: mechanic[name] for name in expected} == expected
    assert find(client)["total"] == 0


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("name", "J", "J"),
        ("name", " 李 ", "李"),
        ("name", f" {'n' * 100} ", "n" * 100),
        ("email", "a@b.c", "a@b.c"),
        ("phone", " 1234", "1234"),
        ("phone", "1" * 21, "1" * 21),
        ("experience_years", 0, 0),
        ("experience_years", 80, 80),
        ("specializations", "s" * 500, "s" * 500),
        *product(["specializations"], [None, "", " "], [""]),
        *product(["experience_years"], [None, ""], [0]),
        *product(["verified"], [True, 1, 1.0], [1]),
        *product(["verified"], [False, 0, 0.0, None, ""], [0]),
    ],
)
def test_a_field_of_a_new_mechanic_within_its_rule(client, admin, field, value, kept):
    answer = client.post("/api/mechanics/", {**MAX, field: value}, token=admin)
    assert answer.status_code == 201, answer.text
    assert answer.json["mechanic"][field] == kept


BROKEN = [
    *product(("name", "email", "phone"), (None, "", " ", 5, True, [], {}, "nul\0")),
    ("name", "n" * 101),
    *product(["email"], ["plain", "a@b", f"{'a' * 251}@b.c"]),
    *product(["phone"], ["123", "1" * 22, "call me"]),
    *product(["experience_years"], [-1, 81, 1.5, "5", True, [], {}, 2**63, 1e300]),
    *product(["specializations"], ["s" * 501, 5, ["Towing"], {}, "a\0b", True]),
    *product(["verified"], [2, -1, "true", "1", [], {}, 1.5]),
    *product(["latitude"], [90.1, -90.1, "1", True, []]),
    *product(["longitude"], [180.1, -180.1, "1", False, {}]),
]


@pytest.mark.parametrize(("field", "value"), BROKEN)
def test_a_field_of_a_mechanic_that_breaks_its_rule_is_named(standing, field, value):
    client, admin = standing
    place = {"latitude": 1, "longitude": 2}
    new = {**MECHANIC, **place, "email": "new@garage.example", field: value}
    assert_invalid(client.post("/api/mechanics/", new, token=admin), field)
    changes = {**(place if field in place else {}), field: value}
    assert_invalid(client.put("/api/mechanics/1", changes, token=admin), field)
    assert find(client)["total"] == 1


@pytest.mark.parametrize(("given", "missing"), [("latitude", "longitude"), ("longitude", "latitude")])
@pytest.mark.parametrize("nothing", ["absent", None, ""])
def test_of_a_pair_the_missing_one_is_named(standing, given, missing, nothing):
    client, admin = standing
    pair = {given: 1} if nothing == "absent" else {given: 1, missing: nothing}
    assert_invalid(client.post("/api/mechanics/", {**MECHANIC, **pair, "email": "n@g.example"}, token=admin), missing)
    assert_invalid(client.put("/api/mechanics/1", pair, token=admin), missing)


def test_all_wrong_fields_are_named_at_once(standing):
    client, admin = standing
    body = {"latitude": 91, "longitude": 0, "verified": "yes", "experience_years": -1, "specializations": 5}
    names = ("name", "email", "phone", "latitude", "verified", "experience_years", "specializations")
    assert_invalid(client.post("/api/mechanics/", body, token=admin), *names)


@pytest.mark.parametrize("email", ["max@garage.example", "MAX@Garage.Example", " max@garage.EXAMPLE "])
def test_one_mechanic_an_address_in_whatever_case(standing, email):
    client, admin = standing
    assert_invalid(client.post("/api/mechanics/", {**MECHANIC, "email": email}, token=admin), "email")


def test_a_mechanic_may_not_take_the_address_of_another_but_keep_their_own(client, admin):
    first, second = hire(client, admin), hire(client, admin, "second@garage.example")
    assert_invalid(client.put(f"/api/mechanics/{second}", {"email": "Max@garage.example"}, token=admin), "email")
    answer = client.put(f"/api/mechanics/{first}", {"email": "MAX@garage.example"}, token=admin)
    assert (answer.status_code, answer.json["mechanic"]["email"]) == (200, "MAX@garage.example")


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"name": " New Name "}, {"name": "New Name"}),
        ({"email": "new@garage.example"}, {"email": "new@garage.example"}),
        ({"phone": "4321"}, {"phone": "4321"}),
        ({"latitude": -90, "longitude": 180}, {"latitude": -90, "longitude": 180}),
        ({"latitude": None, "longitude": None}, {"latitude": None, "longitude": None}),
        ({"latitude": "", "longitude": ""}, {"latitude": None, "longitude": None}),
        ({"experience_years": 80}, {"experience_years": 80}),
        ({"experience_years": None}, {"experience_years": 0}),
        ({"specializations": ""}, {"specializations": ""}),
        ({"specializations": None}, {"specializations": ""}),
        ({"verified": False}, {"verified": 0}),
        ({"verified": 0, "name": "Both"}, {"verified": 0, "name": "Both"}),
    ],
)
def test_an_update_changes_what_it_names_and_nothing_else(client, admin, changes, kept):
    mechanic_id = hire(client, admin, latitude=1, longitude=2, experience_years=3, specializations="Towing")
    before = client.get(f"/api/mechanics/{mechanic_id}", token=admin).json["mechanic"]
    answer = client.put(f"/api/mechanics/{mechanic_id}", changes, token=admin)
    assert answer.status_code == 200, answer.text
    assert answer.json.keys() == {"message", "mechanic"}
    after = answer.json["mechanic"]
    assert after == {**before, **kept, "updated_at": after["updated_at"]}
    assert client.get(f"/api/mechanics/{mechanic_id}", token=admin).json["mechanic"] == after


@pytest.mark.parametrize("nothing", [None, ""])
def test_verified_stays_when_it_is_null_or_empty(client, admin, nothing):
    mechanic_id = hire(client, admin)
    answer = client.put(f"/api/mechanics/{mechanic_id}", {"verified": nothing, "name": "Same"}, token=admin)
    assert answer.json["mechanic"]["verified"] == 1


@pytest.mark.parametrize("body", [{}, {"rating": 5}, {"unknown": 1}])
def test_an_update_names_one_field_at_least(standing, body):
    client, admin = standing
    refused(client.put("/api/mechanics/1", body, token=admin), 400, "validation")


@pytest.mark.parametrize("half", ["latitude", "longitude"])
@pytest.mark.parametrize("empty", [None, ""])
def test_half_a_place_cannot_be_cleared(client, admin, half, empty):
    mechanic = hire(client, admin, latitude=40.7, longitude=-74.0)
    answer = client.put(f"/api/mechanics/{mechanic}", {half: empty}, token=admin)
    other = {"latitude": "longitude", "longitude": "latitude"}[half]
    assert (answer.status_code, list(answer.json["fields"])) == (400, [other])
    cleared = client.put(f"/api/mechanics/{mechanic}", {"latitude": empty, "longitude": None}, token=admin)
    assert (cleared.json["mechanic"]["latitude"], cleared.json["mechanic"]["longitude"]) == (None, None)
