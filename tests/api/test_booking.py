"""/api/booking: asking for help, following it, the life of a booking, and the review."""

import re
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import jwt
import pytest

from mechtech import create_app
from mechtech.settings import from_environment
from tests.answers import refused, sql, wrong_fields
from tests.conftest import BOOKING, SECRET, Api, book, complete, hire, signup

COLUMNS = {
    *("id", "user_id", "name", "email", "phone", "vehicle_type", "vehicle_brand", "vehicle_model", "service_type"),
    *("description", "location", "latitude", "longitude", "status", "mechanic_id", "created_at", "updated_at"),
    *("reference", "mechanic", "cost"),
}
COLUMN = {"vehicleType": "vehicle_type", "brand": "vehicle_brand", "model": "vehicle_model"}  # where names differ
STEPS = {
    "pending": [],
    "confirmed": ["confirmed"],
    "in-progress": ["confirmed", "in-progress"],
    "completed": ["confirmed", "in-progress", "completed"],
    "cancelled": ["cancelled"],
}
ALLOWED = {
    ("pending", "confirmed"),
    ("confirmed", "in-progress"),
    ("in-progress", "completed"),
    ("pending", "cancelled"),
    ("confirmed", "cancelled"),
    ("in-progress", "cancelled"),
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
LONG_EMAIL = f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 61}"  # 254


@pytest.fixture(scope="module")
def standing(lasting):
    """For what is refused, and so leaves no trace: one app for all of them. Gives a client and an admin's token.

    The admin's own bookings: 1 pending, 2 in progress, 3 completed. Mechanic 1 is verified.
    """
    admin = signup(lasting)
    lasting.client.application.extensions["mechtech.db"].write("UPDATE users SET role = 'admin'")
    hire(lasting, admin)
    for booking_id, status in enumerate(("pending", "in-progress", "completed"), 1):
        book(lasting, admin)
        bring_to(lasting, admin, booking_id, status)
    return lasting, admin


def bring_to(client, admin, booking_id, status):
    for step in STEPS[status]:
        assert client.put(f"/api/booking/{booking_id}", {"status": step}, token=admin).status_code == 200


def view(client, token, booking_id):
    answer = client.get(f"/api/booking/{booking_id}", token=token)
    assert answer.status_code == 200, answer.text
    return answer.json["booking"]


def assert_invalid(answer, *fields):
    assert wrong_fields(answer) == set(fields)


# --- Asking for help


def test_a_guest_gets_a_booking_token(client):
    answer = client.post("/api/booking/", BOOKING)
    assert answer.status_code == 201
    assert answer.json.keys() == {"message", "id", "bookingId", "status", "bookingToken"}
    assert (answer.json["id"], answer.json["bookingId"], answer.json["status"]) == ("BK000001", 1, "pending")
    assert jwt.get_unverified_header(answer.json["bookingToken"])["alg"] == "HS256"
    claims = jwt.decode(answer.json["bookingToken"], SECRET, ["HS256"])
    assert claims.keys() == {"bookingId", "iat", "exp"}
    assert claims["bookingId"] == 1
    assert claims["exp"] - claims["iat"] == 90 * 86400


def test_a_customer_gets_no_booking_token_and_owns_the_booking(client, customer):
    answer = client.post("/api/booking/", BOOKING, token=customer)
    assert answer.status_code == 201
    assert answer.json.keys() == {"message", "id", "bookingId", "status"}
    user = client.get("/api/auth/profile", token=customer).json["user"]
    assert view(client, customer, 1)["user_id"] == user["id"]


def test_an_admin_books_for_a_caller_who_gets_the_booking_token(client, admin):
    answer = client.post("/api/booking/", BOOKING, token=admin, headers={"Idempotency-Key": "by phone"})
    assert answer.json.keys() == {"message", "id", "bookingId", "status", "bookingToken"}
    again = client.post("/api/booking/", BOOKING, token=admin, headers={"Idempotency-Key": "by phone"})
    assert (again.json, again.headers["Idempotent-Replayed"]) == (answer.json, "true")
    booking = view(client, answer.json["bookingToken"], 1)
    assert booking["user_id"] is None
    assert booking["history"] == [{"status": "pending", "at": booking["created_at"], "by": "admin"}]
    complete(client, admin, 1)
    refused(client.post("/api/booking/1/review", {"rating": 5}, token=admin), 403, "forbidden")
    assert client.post("/api/booking/1/review", {"rating": 5}, token=answer.json["bookingToken"]).status_code == 201


def test_a_booking_names_its_mechanic_and_its_cost(client, admin):
    token = book(client)["bookingToken"]
    assert (view(client, token, 1)["mechanic"], view(client, token, 1)["cost"]) == (None, None)
    mechanic = hire(client, admin)
    complete(client, admin, 1, mechanic, cost=12.5)
    expected = {"id": mechanic, "name": "Max Torque", "phone": "+1 555 0199"}
    assert (view(client, token, 1)["mechanic"], view(client, token, 1)["cost"]) == (expected, 12.5)
    (listed,) = client.get("/api/booking/", token=admin).json["bookings"]
    assert (listed["mechanic"], listed["cost"]) == (expected, 12.5)


CORRECTION = {
    "phone": "+1 555 0111",
    "location": "Pier 4",
    "description": "Now at the pier.",
    "latitude": 1,
    "longitude": 2,
}


@pytest.mark.parametrize("field", ["phone", "location", "description"])
def test_an_owner_corrects_how_to_find_and_reach_them(client, field):
    token = book(client)["bookingToken"]
    assert client.put("/api/booking/1", {field: CORRECTION[field]}, token=token).json["status"] == "pending"
    assert view(client, token, 1)[field] == CORRECTION[field]
    client.put("/api/booking/1", {field: None}, token=token)
    assert view(client, token, 1)[field] is None


def test_a_place_is_corrected_whole(client):
    token = book(client)["bookingToken"]
    assert wrong_fields(client.put("/api/booking/1", {"latitude": 1}, token=token)) == {"longitude"}
    client.put("/api/booking/1", {"latitude": 1, "longitude": 2}, token=token)
    assert (view(client, token, 1)["latitude"], view(client, token, 1)["longitude"]) == (1, 2)


@pytest.mark.parametrize("status", STEPS)
@pytest.mark.parametrize("who", ["guest", "admin"])
def test_corrections_are_open_to_an_owner_until_in_progress_and_to_an_admin_until_the_end(client, admin, status, who):
    token = book(client)["bookingToken"]
    bring_to(client, admin, 1, status)
    answer = client.put("/api/booking/1", CORRECTION, token=admin if who == "admin" else token)
    open_until = {"guest": ("pending", "confirmed"), "admin": ("pending", "confirmed", "in-progress")}[who]
    if status in open_until:
        assert answer.status_code == 200
        assert {name: view(client, token, 1)[name] for name in CORRECTION} == CORRECTION
    else:
        refused(answer, 409, "conflict")
        assert view(client, token, 1)["phone"] == BOOKING["phone"]


@pytest.mark.parametrize(
    "body", [{"cost": 5}, {"serviceDate": "2026-01-19"}, {"mechanicId": None}, {"status": "confirmed"}]
)
def test_an_owner_who_asks_for_more_is_forbidden_and_nothing_changes(client, body):
    token = book(client)["bookingToken"]
    refused(client.put("/api/booking/1", {**CORRECTION, **body}, token=token), 403, "forbidden")
    assert view(client, token, 1)["phone"] == BOOKING["phone"]


def test_an_admin_corrects_cost_and_date_of_a_completed_booking(client, admin):
    token = book(client)["bookingToken"]
    complete(client, admin, 1)
    assert client.put("/api/booking/1", {"cost": 80, "serviceDate": "2026-01-19"}, token=admin).status_code == 200
    service = view(client, token, 1)["service"]
    assert (service["cost"], service["service_date"]) == (80, "2026-01-19T00:00:00Z")
    client.put("/api/booking/1", {"cost": None}, token=admin)
    service = view(client, token, 1)["service"]
    assert (service["cost"], service["service_date"]) == (None, "2026-01-19T00:00:00Z")


def test_an_admin_asks_for_bookings_by_mechanic_day_and_text_and_oldest_first(app, client, admin):
    mechanic = hire(client, admin)
    for name, day in (("Jörg 100%", "2026-01-18"), ("Anna", "2026-01-19"), ("Zoë", "2026-01-20")):
        booking_id = book(client, name=name)["bookingId"]
        app.extensions["mechtech.db"].write(
            "UPDATE bookings SET created_at = :at WHERE id = :id", {"at": f"{day}T23:59:59Z", "id": booking_id}
        )
    client.put("/api/booking/2", {"mechanicId": mechanic}, token=admin)

    def asked(query):
        answer = client.get(f"/api/booking/?{query}", token=admin)
        assert answer.status_code == 200, answer.text
        assert answer.json["total"] == len(answer.json["bookings"])
        return [row["id"] for row in answer.json["bookings"]]

    assert asked("order=oldest") == [1, 2, 3]
    assert asked("") == [3, 2, 1]
    assert asked(f"mechanicId={mechanic}") == [2]
    assert asked("from=2026-01-19") == [3, 2]
    assert asked("to=2026-01-19") == [2, 1]
    assert asked("to=9999-12-31") == asked("from=0001-01-01") == [3, 2, 1]  # the ends of what Python counts
    assert asked("from=%202026-01-19&to=2026-01-19%20") == [2]
    assert asked("from=2026-01-19T23:59:59Z&to=2026-01-20T23:59:59Z") == [2]
    for text, found in (
        ("J%C3%96RG", [1]),
        ("100%25", [1]),
        ("%25", [1]),
        ("_", []),
        ("bk000003", [3]),
        ("DOE@", [3, 2, 1]),
    ):
        assert asked(f"q={text}") == found


@pytest.mark.parametrize("query", ["mechanicId=1", "q=x", "offset=5", "user_id=7", "Limit=0"])
def test_a_name_that_a_list_does_not_know_is_an_error_and_an_admins_names_are_unknown_to_others(
    client, customer, query
):
    assert wrong_fields(client.get(f"/api/booking/?{query}", token=customer)) == {query.split("=")[0]}


def test_a_cursor_is_good_only_for_the_query_that_it_came_from(client, admin):
    for _ in range(3):
        book(client)
    cursor = client.get("/api/booking/?limit=1", token=admin).json["nextCursor"]
    assert client.get(f"/api/booking/?limit=2&cursor={cursor}", token=admin).json["bookings"][0]["id"] == 2
    for query in ("/api/booking/?status=pending", "/api/booking/?order=oldest", "/api/contact/?limit=1"):
        assert wrong_fields(client.get(f"{query}&cursor={cursor}", token=admin)) == {"cursor"}


def test_the_holder_of_a_booking_token_books_as_a_guest(client):
    first = book(client)
    second = book(client, first["bookingToken"])
    assert second["bookingId"] == 2
    assert view(client, second["bookingToken"], 2)["user_id"] is None
    refused(client.get("/api/booking/2", token=first["bookingToken"]), 404, "not_found")


def test_a_bad_token_makes_no_booking(client, admin):
    refused(client.post("/api/booking/", BOOKING, token="bad"), 401, "unauthorized")
    assert client.get("/api/booking/", token=admin).json["total"] == 0


def test_a_reference_grows_beyond_six_digits(app, client, environ):
    book(client)
    if "DATABASE_URL" in environ:
        sql(environ["DB_PATH"], "SELECT setval('bookings_id_seq', 999998)")
    else:
        sql(environ["DB_PATH"], "UPDATE sqlite_sequence SET seq = 999998 WHERE name = 'bookings'")
    assert book(client)["id"] == "BK999999"
    seventh = book(client)
    assert seventh["id"] == "BK1000000"
    assert view(client, seventh["bookingToken"], "bk1000000")["reference"] == "BK1000000"


def test_a_new_booking_is_shown_under_its_column_names(client):
    booking = view(client, book(client)["bookingToken"], 1)
    assert booking.keys() == COLUMNS | {"service", "history"}
    assert booking["service"] is None
    assert booking["created_at"] == booking["updated_at"] == booking["history"][0]["at"]
    assert TIME.fullmatch(booking["created_at"])
    expected = {COLUMN.get(name, name): value for name, value in BOOKING.items()}
    expected |= {"id": 1, "user_id": None, "status": "pending", "mechanic_id": None, "reference": "BK000001"}
    assert {name: booking[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "O"),
        ("name", "李"),
        ("name", "é" * 100),
        ("email", "a@b.c"),
        ("email", LONG_EMAIL),
        ("email", "o'neill+car@sub.example.com"),
        ("phone", "1234"),
        ("phone", "+1 (555) 010-0000"),
        ("phone", "1" * 21),
        *((name, "x") for name in ("vehicleType", "brand", "model", "service_type")),
        *((name, "ж" * 50) for name in ("vehicleType", "brand", "model")),
        ("service_type", "s" * 100),
        ("description", "d" * 2000),
        ("description", "Tabs\tand\r\nlines\u2028and\u2029more"),
        ("location", "l" * 500),
    ],
)
def test_a_field_within_its_rule_is_kept_as_it_was_sent(client, field, value):
    made = book(client, **{field: value})
    assert view(client, made["bookingToken"], 1)[COLUMN.get(field, field)] == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *product(
            ("name", "email", "vehicleType", "brand", "model", "service_type"),
            (None, "", " \t\n", 5, 1.5, True, [], {}, ["text"], "nul\0", "del\x7f", "esc\x1b[0m", "csi\x9b"),
        ),
        *product(["name", "brand", "location"], ["Jo\nDoe", "Jo\rDoe", "Jo\tDoe", "Jo\u2028Doe", "Jo\u2029Doe"]),
        *product(["name", "location", "description"], ["\u200b", "\u2800", "\u3164", "\u200b \ufeff"]),
        *product(["name"], ["Jo\x1f", "\x85Jo", "Jo\v", "\fJo"]),
        ("name", "n" * 101),
        ("email", "a" + LONG_EMAIL),
        *product(("email",), ("plain", "a@b", "@b.c", "a@", "a b@c.d", "a@b..c", "a@b.c\nx", "a@@b.c", "a@-b.c,d@e.f")),
        ("phone", "123"),
        ("phone", "1" * 22),
        *product(("phone",), ("call me", "----", "((((", "12x34", "12\n34", "1234;5", 5550100, True, [], {})),
        *((name, "x" * 51) for name in ("vehicleType", "brand", "model")),
        ("service_type", "s" * 101),
        ("description", "d" * 2001),
        ("location", "l" * 501),
        *product(("description", "location"), (5, False, [], {}, "a\0b")),
        *product(("latitude",), (90.0001, -90.0001, 1e300, -91, "40.7", True, [], {})),
        *product(("longitude",), (180.0001, -180.0001, -1e300, 181, "-73.9", False, [], {})),
    ],
)
def test_a_field_that_breaks_its_rule_is_named(standing, field, value):
    client, admin = standing
    assert_invalid(client.post("/api/booking/", {**BOOKING, field: value}), field)
    assert client.get("/api/booking/", token=admin).json["total"] == 3


def test_all_wrong_fields_are_named_at_once(client):
    assert_invalid(
        client.post("/api/booking/", {"phone": "x", "latitude": 91}),
        *("name", "email", "phone", "vehicleType", "brand", "model", "service_type", "latitude", "longitude"),
    )


@pytest.mark.parametrize("nothing", [None, "", "absent"])
@pytest.mark.parametrize("fields", [("phone",), ("description",), ("location",), ("latitude", "longitude")])
def test_an_optional_field_may_be_absent_null_or_empty(client, fields, nothing):
    body = {**BOOKING, **dict.fromkeys(fields, nothing)}
    if nothing == "absent":
        body = {name: value for name, value in BOOKING.items() if name not in fields}
    answer = client.post("/api/booking/", body)
    assert answer.status_code == 201, answer.text
    booking = view(client, answer.json["bookingToken"], 1)
    assert [booking[name] for name in fields] == [None] * len(fields)


@pytest.mark.parametrize(("latitude", "longitude"), [(90, 180), (-90, -180), (0, 0), (90.0, -180.0), (1e-300, -0.5)])
def test_a_place_may_be_at_the_ends_of_the_earth(client, latitude, longitude):
    made = book(client, latitude=latitude, longitude=longitude)
    booking = view(client, made["bookingToken"], 1)
    assert (booking["latitude"], booking["longitude"]) == (latitude, longitude)


@pytest.mark.parametrize("nothing", [None, ""])
@pytest.mark.parametrize("missing", ["latitude", "longitude"])
def test_of_a_pair_the_missing_one_is_named(client, missing, nothing):
    assert_invalid(client.post("/api/booking/", {**BOOKING, missing: nothing}), missing)
    body = {name: value for name, value in BOOKING.items() if name != missing}
    assert_invalid(client.post("/api/booking/", body), missing)


def test_strings_are_trimmed_before_they_are_measured(client):
    made = book(client, name=f" {'n' * 100}\n", brand="\tToyota  ", email=" a@b.example ", phone=" 1234 ", location=" ")
    booking = view(client, made["bookingToken"], 1)
    assert booking["name"] == "n" * 100
    assert booking["vehicle_brand"] == "Toyota"
    assert (booking["email"], booking["phone"], booking["location"]) == ("a@b.example", "1234", None)


def test_unknown_fields_change_nothing(client):
    made = book(client, status="completed", user_id=7, id=99, mechanic_id=1, mechanicId=1, role="admin", reference="X")
    assert made["bookingId"] == 1
    booking = view(client, made["bookingToken"], 1)
    assert (booking["status"], booking["user_id"], booking["mechanic_id"]) == ("pending", None, None)
    assert booking["reference"] == "BK000001"


# --- Lists


def test_a_customer_lists_only_their_own_bookings(client, customer, admin):
    book(client)
    mine = book(client, customer)["bookingId"]
    book(client, admin)
    listed = client.get("/api/booking/", token=customer).json
    assert listed.keys() == {"total", "bookings", "nextCursor"}
    assert (listed["total"], [row["id"] for row in listed["bookings"]], listed["nextCursor"]) == (1, [mine], None)
    assert listed["bookings"][0].keys() == COLUMNS


def test_an_admin_lists_everyones_bookings_newest_first(client, customer, admin):
    book(client)
    book(client, customer)
    book(client, admin)
    listed = client.get("/api/booking/", token=admin).json
    assert (listed["total"], [row["id"] for row in listed["bookings"]]) == (3, [3, 2, 1])


def test_a_list_without_rows_is_empty(client, customer):
    assert client.get("/api/booking/", token=customer).json == {"total": 0, "bookings": [], "nextCursor": None}


def test_a_cursor_leads_from_page_to_page_until_it_is_null(client, customer):
    for _ in range(5):
        book(client, customer)
    pages, cursor = [], ""
    while cursor is not None:
        page = client.get(f"/api/booking/?limit=2{cursor}", token=customer).json
        pages.append([row["id"] for row in page["bookings"]])
        assert page["total"] == 5 + (len(pages) > 1)
        if len(pages) == 1:
            book(client, customer)  # whoever comes meanwhile shifts nothing
        cursor = page["nextCursor"] and f"&cursor={page['nextCursor']}"
    assert pages == [[5, 4], [3, 2], [1]]


@pytest.mark.parametrize("order, found", [("newest", [4, 1, 3, 2, 5]), ("oldest", [5, 2, 3, 1, 4])])
def test_pages_go_by_time_whatever_the_numbers(app, client, customer, order, found):
    for day in (19, 18, 18, 20, 17):
        row = {"at": f"2026-01-{day}T10:30:00Z", "id": book(client, customer)["bookingId"]}
        app.extensions["mechtech.db"].write("UPDATE bookings SET created_at = :at WHERE id = :id", row)
    ids, cursor = [], ""
    while cursor is not None:
        page = client.get(f"/api/booking/?order={order}&limit=2{cursor}", token=customer).json
        ids += [row["id"] for row in page["bookings"]]
        cursor = page["nextCursor"] and f"&cursor={page['nextCursor']}"
    assert ids == found


def test_a_last_page_that_is_full_has_no_next_one(client, customer):
    for _ in range(4):
        book(client, customer)
    first = client.get("/api/booking/?limit=2", token=customer).json
    last = client.get(f"/api/booking/?limit=2&cursor={first['nextCursor']}", token=customer).json
    assert ([row["id"] for row in last["bookings"]], last["nextCursor"]) == ([2, 1], None)


def test_a_cursor_of_someone_else_shows_nothing_of_theirs(client, customer, admin):
    book(client, customer)
    book(client)
    book(client)
    cursor = client.get("/api/booking/?limit=1", token=admin).json["nextCursor"]
    listed = client.get(f"/api/booking/?cursor={cursor}", token=customer).json
    assert [row["id"] for row in listed["bookings"]] == [1]
    assert listed["total"] == 1


@pytest.mark.parametrize("limit", [1, 50, 200])
def test_a_limit_within_its_rule(app, client, customer, limit):
    _fill(app, 201)
    assert len(client.get(f"/api/booking/?limit={limit}", token=customer).json["bookings"]) == limit


def test_the_default_limit_is_50(app, client, customer):
    _fill(app, 51)
    listed = client.get("/api/booking/", token=customer).json
    assert (len(listed["bookings"]), listed["total"]) == (50, 51)
    assert listed["nextCursor"]


@pytest.mark.parametrize(
    "query",
    [
        *(f"limit={value}" for value in ("0", "201", "-1", "1.0", "1e2", "", "ten", "٣", "1_0", "0x10", "9" * 30)),
        *(f"status={value}" for value in ("", "Pending", "done", "pending,confirmed", "%00", "'")),
        *(f"cursor={value}" for value in ("", "x", "1", "null", "a.b.c", "%00", "%F0%9F%98%80", "'--")),
    ],
)
def test_a_query_value_that_breaks_a_rule_is_named(standing, query):
    client, admin = standing
    name = query.split("=")[0]
    assert_invalid(client.get(f"/api/booking/?{query}", token=admin), name)


def test_a_damaged_or_foreign_cursor_is_refused(client, customer):
    guest = book(client, customer) and book(client)["bookingToken"]
    book(client, customer)
    good = client.get("/api/booking/?limit=1", token=customer).json["nextCursor"]
    head, claims, signature = good.split(".") if good.count(".") == 2 else (good[:3], good[3:6], good[6:])
    damaged = good[:-3] + ("AAA" if good[-3:] != "AAA" else "BBB")
    swapped = good.replace(claims, claims.swapcase(), 1)
    foreign = jwt.encode({"before": 2}, "another secret, of another service", "HS256")
    unsigned = jwt.encode({"before": 2}, None, "none")
    for cursor in (
        damaged,
        swapped,
        good[:-1],
        f"{head}.{claims}",
        good + signature,
        foreign,
        unsigned,
        customer,
        guest,
    ):
        assert_invalid(client.get(f"/api/booking/?cursor={cursor}", token=customer), "cursor")


def test_a_query_name_with_an_underscore_in_front_is_ignored(client, customer):
    book(client, customer)
    assert client.get("/api/booking/?_=1795678825", token=customer).json["total"] == 1


@pytest.mark.parametrize("status", STEPS)
def test_a_list_of_one_status(client, admin, status):
    for booking_id, each in enumerate(STEPS, 1):
        book(client)
        bring_to(client, admin, booking_id, each)
    listed = client.get(f"/api/booking/?status={status}", token=admin).json
    assert listed["total"] == 1
    assert [row["status"] for row in listed["bookings"]] == [status]


def test_a_total_stops_at_ten_thousand(app, client, customer, admin):
    _fill(app, 9_999)
    assert client.get("/api/booking/?limit=1", token=customer).json["total"] == 9_999
    _fill(app, 2)
    for query in ("limit=1", "limit=1&status=pending"):
        for token in (customer, admin):
            assert client.get(f"/api/booking/?{query}", token=token).json["total"] == 10_000
    first = client.get("/api/booking/?limit=1", token=customer).json
    assert first["bookings"][0]["id"] == 10_001
    assert client.get(f"/api/booking/?cursor={first['nextCursor']}", token=customer).json["total"] == 10_000


def _fill(app, count):
    """Pending bookings of the first user there is."""
    app.extensions["mechtech.db"].write(
        """
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
        INSERT INTO bookings (user_id, name, email, vehicle_type, vehicle_brand, vehicle_model, service_type)
        SELECT (SELECT MIN(id) FROM users), 'N', 'n@example.com', 'Car', 'B', 'M', 'Towing' FROM n
        """,
        {"count": count},
    )


# --- One booking


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize(
    ("caller", "status", "code"),
    [
        ("nobody", 401, "unauthorized"),
        ("another customer", 404, "not_found"),
        ("another guest", 404, "not_found"),
        ("its guest", 200, None),
        ("admin", 200, None),
    ],
)
def test_who_opens_the_booking_of_a_guest(client, customer, admin, method, caller, status, code):
    tokens = {"its guest": book(client)["bookingToken"], "another guest": book(client)["bookingToken"]}
    tokens |= {"nobody": None, "another customer": customer, "admin": admin}
    body = {"status": "cancelled"} if method == "PUT" else None
    answer = client.call(method, "/api/booking/1", json=body, token=tokens[caller])
    assert (answer.status_code, answer.json.get("error")) == (status, code)
    assert (view(client, admin, 1)["status"] == "cancelled") == (status == 200 and method != "GET")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize(
    ("caller", "status"), [("nobody", 401), ("another customer", 404), ("a guest", 404), ("owner", 200), ("admin", 200)]
)
def test_who_opens_the_booking_of_a_customer(client, customer, admin, method, caller, status):
    book(client, customer)
    tokens = {"nobody": None, "owner": customer, "admin": admin}
    tokens |= {"another customer": signup(client), "a guest": book(client)["bookingToken"]}
    body = {"status": "cancelled"} if method == "PUT" else None
    assert client.call(method, "/api/booking/1", json=body, token=tokens[caller]).status_code == status


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_booking_that_does_not_exist(client, customer, admin, method):
    body = {"status": "cancelled"} if method == "PUT" else None
    guest = book(client)["bookingToken"]
    refused(client.call(method, "/api/booking/7", json=body), 401, "unauthorized")
    strangers = [client.call(method, "/api/booking/7", json=body, token=token) for token in (customer, admin, guest)]
    hidden = client.call(method, "/api/booking/1", json=body, token=customer)
    for answer in (*strangers, hidden):
        refused(answer, 404, "not_found")
        assert answer.json["message"] == hidden.json["message"]  # no telling them apart


@pytest.mark.parametrize("path_id", ["1", "BK000001", "bk000001", "Bk000001", "bK000001"])
def test_a_path_id_is_the_number_or_the_reference_in_any_case(client, admin, path_id):
    token = book(client)["bookingToken"]
    assert view(client, token, path_id)["id"] == 1
    answer = client.put(f"/api/booking/{path_id}", {"status": "confirmed"}, token=admin)
    assert (answer.json["bookingId"], answer.json["status"]) == (1, "confirmed")
    assert client.delete(f"/api/booking/{path_id}", token=token).json["bookingId"] == 1


@pytest.mark.parametrize(
    "path_id",
    [
        *("٣", "1.0", "1e0", "0x1", "-1", "+1", "%201", "1%20", "1%0A", "1%00", "%00", "0", "BK", "bk", "BK0"),
        *("BK-1", "BK 1", "BKBK1", "BK1.0", "KB000001", "B%E2%84%AA000001", "%EF%BC%91", "1;1", "1'--", "1%20OR%201=1"),
        *(str(2**63 - 1), str(2**63), str(2**64 + 1), "1" * 400, "BK" + "9" * 30, "..", "%2e%2e", "undefined", "null"),
    ],
)
def test_a_hostile_path_id_is_404(standing, path_id):
    client, admin = standing
    path = f"/api/booking/{path_id}"
    refused(client.get(path, token=admin), 404, "not_found")
    refused(client.put(path, {"status": "cancelled"}, token=admin), 404, "not_found")
    refused(client.delete(path, token=admin), 404, "not_found")
    refused(client.post(f"{path}/review", {"rating": 5}, token=admin), 404, "not_found")
    assert view(client, admin, 1)["status"] == "pending"


def test_the_history_tells_who_did_what(client, customer, admin):
    guest = book(client)["bookingToken"]
    book(client, customer)
    book(client, admin)
    client.put("/api/booking/1", {"status": "confirmed"}, token=admin)
    client.put("/api/booking/1", {"status": "cancelled"}, token=guest)
    client.delete("/api/booking/2", token=customer)
    bring_to(client, admin, 3, "completed")

    def history(booking_id):
        steps = view(client, admin, booking_id)["history"]
        assert all(step.keys() == {"status", "at", "by"} and TIME.fullmatch(step["at"]) for step in steps)
        assert [step["at"] for step in steps] == sorted(step["at"] for step in steps)
        return [(step["status"], step["by"]) for step in steps]

    assert history(1) == [("pending", "guest"), ("confirmed", "admin"), ("cancelled", "guest")]
    assert history(2) == [("pending", "customer"), ("cancelled", "customer")]
    assert history(3) == [(step, "admin") for step in ("pending", "confirmed", "in-progress", "completed")]


def test_who_booked_stays_what_they_were_when_roles_change(app, client, customer, admin):
    book(client, customer)
    book(client, admin)
    app.extensions["mechtech.db"].write(
        "UPDATE users SET role = CASE role WHEN 'admin' THEN 'customer' ELSE 'admin' END"
    )
    steps = [view(client, customer, booking_id)["history"] for booking_id in (1, 2)]
    assert [[step["by"] for step in history] for history in steps] == [["customer"], ["admin"]]


@pytest.mark.parametrize("after", ["", "confirmed"])
def test_a_first_step_that_is_stored_is_told_once(app, client, customer, admin, after):
    """As databases have it that began when every first step was."""
    book(client, customer)
    app.extensions["mechtech.db"].write(
        """
        INSERT INTO booking_history (booking_id, step, status, at, actor)
        SELECT id, 1, 'pending', created_at, 'customer'
        FROM bookings
        """
    )
    if after:
        client.put("/api/booking/1", {"status": after}, token=admin)
    steps = view(client, customer, 1)["history"]
    assert [step["status"] for step in steps] == ["pending", *filter(None, [after])]


@pytest.mark.sqlite
def test_a_thread_of_a_server_that_has_two_services_books_with_the_one_it_is_asked_for(app, client, environ, tmp_path):
    other = create_app(from_environment({**environ, "DB_PATH": str(tmp_path / "other.db")}))

    def ask_in_turn():
        for asked in (app, other, app, app):
            answer = asked.test_client().post(
                "/api/booking/", json=BOOKING, environ_overrides={"wsgi.multithread": True}
            )
            assert answer.status_code == 201

    with ThreadPoolExecutor(1) as pool:
        pool.submit(ask_in_turn).result()
    assert book(client)["bookingId"] == 4
    assert book(Api(other.test_client()))["bookingId"] == 2


def test_a_change_of_the_mechanic_alone_is_no_step_of_the_history(client, admin):
    book(client, admin)
    client.put("/api/booking/1", {"mechanicId": hire(client, admin)}, token=admin)
    assert [step["status"] for step in view(client, admin, 1)["history"]] == ["pending"]


# --- The life of a booking


@pytest.mark.parametrize(("before", "after"), list(product(STEPS, STEPS)))
def test_every_step_by_an_admin(client, customer, admin, before, after):
    book(client, customer)
    bring_to(client, admin, 1, before)
    was = view(client, admin, 1)
    answer = client.put("/api/booking/1", {"status": after}, token=admin)
    if (before, after) in ALLOWED:
        assert answer.status_code == 200
        assert answer.json.keys() == {"message", "bookingId", "status"}
        assert (answer.json["bookingId"], answer.json["status"]) == (1, after)
        assert view(client, admin, 1)["status"] == after
    else:
        refused(answer, 409, "conflict")
        assert view(client, admin, 1) == was


@pytest.mark.parametrize("owner", ["customer", "guest"])
@pytest.mark.parametrize(("before", "after"), list(product(STEPS, STEPS)))
def test_every_step_by_an_owner(client, customer, admin, owner, before, after):
    token = customer if owner == "customer" else None
    token = book(client, token).get("bookingToken", token)
    bring_to(client, admin, 1, before)
    was = view(client, admin, 1)
    answer = client.put("/api/booking/1", {"status": after}, token=token)
    if after != "cancelled":
        refused(answer, 403, "forbidden")
    elif before in ("pending", "confirmed"):
        assert (answer.status_code, answer.json["status"]) == (200, "cancelled")
        return
    else:
        refused(answer, 409, "conflict")
    assert view(client, admin, 1) == was


@pytest.mark.parametrize("who", ["customer", "admin"])
@pytest.mark.parametrize("before", STEPS)
def test_delete_cancels_and_keeps_the_row(client, customer, admin, before, who):
    book(client, customer)
    bring_to(client, admin, 1, before)
    answer = client.delete("/api/booking/1", token=customer if who == "customer" else admin)
    if before in ("pending", "confirmed") or (before == "in-progress" and who == "admin"):
        assert answer.status_code == 200
        assert answer.json.keys() == {"message", "bookingId", "status"}
        assert (answer.json["bookingId"], answer.json["status"]) == (1, "cancelled")
        assert view(client, customer, 1)["history"][-1] | {"at": None} == {
            "status": "cancelled",
            "at": None,
            "by": who,
        }
    else:
        refused(answer, 409, "conflict")
    assert client.get("/api/booking/", token=customer).json["total"] == 1


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"state": "confirmed"}, {"status": None}, {"status": ""}, {"cost": 5}, {"serviceDate": "2026-01-19"}),
        *({"status": value} for value in ("done", "Confirmed", "confirmed\0", 1, True, [], {}, ["confirmed"])),
    ],
)
def test_an_update_needs_a_known_status_or_a_mechanic(standing, body):
    client, admin = standing
    refused(client.put("/api/booking/1", body, token=admin), 400, "validation")
    assert view(client, admin, 1)["status"] == "pending"


def test_a_status_is_trimmed(client, admin):
    book(client)
    assert client.put("/api/booking/1", {"status": " confirmed "}, token=admin).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"status": None, "mechanicId": 1}, "pending"),
        ({"status": "", "mechanicId": 1}, "pending"),
        ({"status": "confirmed", "mechanicId": ""}, "confirmed"),
        ({"status": "confirmed", "mechanicId": None}, "confirmed"),
        ({"status": "confirmed", "cost": None, "serviceDate": ""}, "confirmed"),
        ({"status": "confirmed", "cost": "", "serviceDate": None}, "confirmed"),
    ],
)
def test_an_optional_part_of_an_update_may_be_null_or_empty(client, admin, body, status):
    book(client)
    hire(client, admin)
    answer = client.put("/api/booking/1", body, token=admin)
    assert answer.status_code == 200, answer.text
    assert answer.json["status"] == status
    assert view(client, admin, 1)["mechanic_id"] == (1 if body.get("mechanicId") else None)


# --- Mechanics of bookings


@pytest.mark.parametrize("status", ["pending", "confirmed", "in-progress"])
def test_a_booking_that_is_not_final_is_given_to_a_mechanic_to_another_and_to_none(client, admin, status):
    first, second = hire(client, admin), hire(client, admin, "second@garage.example")
    book(client)
    bring_to(client, admin, 1, status)
    for mechanic_id in (first, second, None):
        answer = client.put("/api/booking/1", {"mechanicId": mechanic_id}, token=admin)
        assert (answer.status_code, answer.json["status"]) == (200, status)
        assert view(client, admin, 1)["mechanic_id"] == mechanic_id


@pytest.mark.parametrize("status", ["completed", "cancelled"])
@pytest.mark.parametrize("given", ["a mechanic", "none"])
def test_a_final_booking_keeps_its_mechanic(client, admin, status, given):
    mechanic_id = hire(client, admin)
    book(client)
    bring_to(client, admin, 1, status)
    body = {"mechanicId": mechanic_id if given == "a mechanic" else None}
    refused(client.put("/api/booking/1", body, token=admin), 409, "conflict")


@pytest.mark.parametrize("value", ["1", "one", 1.5, True, False, 0, -1, 2**63 - 1, 2**63, 10**30, [], {}, [1], 7, "\0"])
def test_a_mechanic_that_cannot_be_is_400(standing, value):
    client, admin = standing
    assert_invalid(
        client.put("/api/booking/1", {"mechanicId": value, "status": "confirmed"}, token=admin), "mechanicId"
    )
    assert view(client, admin, 1)["status"] == "pending"


def test_an_unverified_mechanic_gets_no_booking(client, admin):
    mechanic_id = hire(client, admin, verified=False)
    book(client)
    assert_invalid(client.put("/api/booking/1", {"mechanicId": mechanic_id}, token=admin), "mechanicId")


@pytest.mark.parametrize(
    "body", [{"mechanicId": 1}, {"mechanicId": None}, {"status": "cancelled", "mechanicId": 1}, {"mechanicId": 99}]
)
def test_an_owner_who_asks_for_a_mechanic_is_forbidden(client, customer, admin, body):
    hire(client, admin)
    book(client, customer)
    refused(client.put("/api/booking/1", body, token=customer), 403, "forbidden")
    assert view(client, customer, 1)["status"] == "pending"


def _confirmed(client, admin, mechanic_id, count):
    """The ids of new bookings that this mechanic has confirmed."""
    ids = [book(client)["bookingId"] for _ in range(count)]
    for booking_id in ids:
        body = {"status": "confirmed", "mechanicId": mechanic_id}
        assert client.put(f"/api/booking/{booking_id}", body, token=admin).status_code == 200
    return ids


def test_a_mechanic_carries_five_bookings_and_the_next_is_409(client, admin):
    mechanic_id = hire(client, admin)
    ids = _confirmed(client, admin, mechanic_id, 5)
    waiting = book(client)["bookingId"]
    both = {"status": "confirmed", "mechanicId": mechanic_id}
    refused(client.put(f"/api/booking/{waiting}", both, token=admin), 409, "conflict")
    assert view(client, admin, waiting)["mechanic_id"] is None  # nothing changed
    # Pending ones may wait beyond the capacity, but not begin.
    assert client.put(f"/api/booking/{waiting}", {"mechanicId": mechanic_id}, token=admin).status_code == 200
    refused(client.put(f"/api/booking/{waiting}", {"status": "confirmed"}, token=admin), 409, "conflict")
    # In progress is as busy as confirmed; whoever has a slot keeps it.
    assert client.put(f"/api/booking/{ids[0]}", {"status": "in-progress"}, token=admin).status_code == 200
    assert client.put(f"/api/booking/{ids[1]}", {"mechanicId": mechanic_id}, token=admin).status_code == 200
    refused(client.put(f"/api/booking/{waiting}", {"status": "confirmed"}, token=admin), 409, "conflict")


@pytest.mark.parametrize(
    "freeing", [{"status": "completed"}, {"status": "cancelled"}, {"mechanicId": None}, {"mechanicId": 2}]
)
def test_a_slot_is_free_again_when_a_booking_ends_or_goes(client, admin, freeing):
    mechanic_id = hire(client, admin)
    assert hire(client, admin, "second@garage.example") == 2
    first, *_ = _confirmed(client, admin, mechanic_id, 5)
    client.put(f"/api/booking/{first}", {"status": "in-progress"}, token=admin)
    assert client.put(f"/api/booking/{first}", freeing, token=admin).status_code == 200
    _confirmed(client, admin, mechanic_id, 1)


@pytest.mark.parametrize("environ_capacity", ["1", "2"])
def test_the_capacity_is_a_setting(environ, request, environ_capacity):
    environ["MECHANIC_CAPACITY"] = environ_capacity
    client, admin = request.getfixturevalue("client"), request.getfixturevalue("admin")
    mechanic_id = hire(client, admin)
    _confirmed(client, admin, mechanic_id, int(environ_capacity))
    booking_id = book(client)["bookingId"]
    both = {"status": "confirmed", "mechanicId": mechanic_id}
    refused(client.put(f"/api/booking/{booking_id}", both, token=admin), 409, "conflict")


def test_a_confirmed_booking_does_not_move_to_a_mechanic_who_is_full(client, admin):
    full, other = hire(client, admin), hire(client, admin, "second@garage.example")
    _confirmed(client, admin, full, 5)
    (moving,) = _confirmed(client, admin, other, 1)
    refused(client.put(f"/api/booking/{moving}", {"mechanicId": full}, token=admin), 409, "conflict")
    assert view(client, admin, moving)["mechanic_id"] == other


def test_unverifying_a_mechanic_leaves_their_bookings(client, admin):
    mechanic_id = hire(client, admin)
    (booking_id,) = _confirmed(client, admin, mechanic_id, 1)
    assert client.put(f"/api/mechanics/{mechanic_id}", {"verified": False}, token=admin).status_code == 200
    assert view(client, admin, booking_id)["mechanic_id"] == mechanic_id
    for status in ("in-progress", "completed"):
        assert client.put(f"/api/booking/{booking_id}", {"status": status}, token=admin).status_code == 200
    assert view(client, admin, booking_id)["service"]["mechanic"]["id"] == mechanic_id


# --- Completion


def test_completed_shows_its_service(app, client, customer, admin):
    mechanic_id = hire(client, admin)
    book(client, customer)
    complete(client, admin, 1, mechanic_id, cost=120.5, serviceDate="2026-01-19T10:30:00Z")
    assert view(client, customer, 1)["service"] == {
        "service_date": "2026-01-19T10:30:00Z",
        "cost": 120.5,
        "rating": None,
        "review": None,
        "mechanic": {"id": mechanic_id, "name": "Max Torque"},
    }
    (row,) = app.extensions["mechtech.db"].all("SELECT * FROM service_history")
    assert row.keys() == {
        *("id", "booking_id", "mechanic_id", "user_id", "service_date", "cost", "rating", "review", "created_at")
    }
    user = client.get("/api/auth/profile", token=customer).json["user"]
    assert (row["booking_id"], row["mechanic_id"], row["user_id"]) == (1, mechanic_id, user["id"])


def test_a_service_without_cost_date_and_mechanic(client, admin):
    book(client)
    complete(client, admin, 1)
    booking = view(client, admin, 1)
    service = {"service_date": booking["updated_at"], "cost": None, "rating": None, "review": None, "mechanic": None}
    assert booking["service"] == service


@pytest.mark.parametrize("cost", [0, 0.01, 99.99, 10_000_000, 10_000_000.0])
def test_a_cost_within_its_rule(client, admin, cost):
    book(client)
    complete(client, admin, 1, cost=cost)
    assert view(client, admin, 1)["service"]["cost"] == cost


@pytest.mark.parametrize("cost", [-0.01, -1, 10_000_000.01, 1e300, pytest.param(10**400, id="huge"), "5", True, [], {}])
def test_a_cost_that_breaks_its_rule(standing, cost):
    client, admin = standing
    assert_invalid(client.put("/api/booking/2", {"status": "completed", "cost": cost}, token=admin), "cost")
    assert view(client, admin, 2)["status"] == "in-progress"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("2026-01-19", "2026-01-19T00:00:00Z"),
        ("2026-01-19T10:30:00Z", "2026-01-19T10:30:00Z"),
        ("2026-01-19T10:30:00.123Z", "2026-01-19T10:30:00Z"),  # what JavaScript's toISOString() writes
        (" 2026-01-19 ", "2026-01-19T00:00:00Z"),
        ("2024-02-29", "2024-02-29T00:00:00Z"),
        ("0999-12-31", "0999-12-31T00:00:00Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    ],
)
def test_a_service_date_is_shown_as_a_time_in_utc(client, admin, sent, shown):
    book(client)
    complete(client, admin, 1, serviceDate=sent)
    assert view(client, admin, 1)["service"]["service_date"] == shown


@pytest.mark.parametrize(
    "sent",
    [
        *("tomorrow", "19.01.2026", "2026-1-9", "2026-02-30", "2025-02-29", "2026-13-01", "2026-01-19T25:00:00Z"),
        *("2026-01-19T10:60:00Z", "2026-01-19T10:30:00+02:00", "2026-01-19 10:30", "٢٣٢٣-٣٣-٣٣", "0000-01-01"),
        *("10000-01-01", "2026-01-19\0", "2026-01-19Z", "2026-01-19T", 20260119, 1.5, True, [], {}),
    ],
)
def test_a_service_date_that_is_none(standing, sent):
    client, admin = standing
    body = {"status": "completed", "serviceDate": sent}
    assert_invalid(client.put("/api/booking/2", body, token=admin), "serviceDate")
    assert view(client, admin, 2)["status"] == "in-progress"


@pytest.mark.parametrize("status", ["confirmed", "in-progress", "cancelled", None])
@pytest.mark.parametrize(("field", "value"), [("cost", 5), ("cost", 0), ("serviceDate", "2026-01-19")])
def test_cost_and_service_date_go_only_with_completed(standing, status, field, value):
    client, admin = standing
    body = {"status": status} if status else {"mechanicId": 1}
    assert_invalid(client.put("/api/booking/1", {**body, field: value}, token=admin), field)


# --- Reviews


@pytest.mark.parametrize("owner", ["customer", "guest", "admin"])
def test_an_owner_reviews_once(client, customer, admin, owner):
    token = {"customer": customer, "admin": admin}.get(owner)
    token = book(client, token).get("bookingToken", token)
    mechanic_id = hire(client, admin)
    complete(client, admin, 1, mechanic_id)
    answer = client.post("/api/booking/1/review", {"rating": 4, "review": " Quick! "}, token=token)
    assert answer.status_code == 201
    assert answer.json.keys() == {"message", "rating"}
    assert answer.json["rating"] == 4
    service = view(client, token, 1)["service"]
    assert (service["rating"], service["review"]) == (4, "Quick!")
    refused(client.post("/api/booking/1/review", {"rating": 1}, token=token), 409, "conflict")
    assert client.get(f"/api/mechanics/{mechanic_id}").json["mechanic"]["rating"] == 4


@pytest.mark.parametrize(
    ("caller", "status", "code"),
    [
        ("nobody", 401, "unauthorized"),
        ("admin", 403, "forbidden"),
        ("another customer", 404, "not_found"),
        ("a guest", 404, "not_found"),
    ],
)
def test_nobody_else_reviews(client, customer, admin, caller, status, code):
    book(client, customer)
    complete(client, admin, 1)
    tokens = {"nobody": None, "admin": admin, "another customer": signup(client)}
    token = book(client)["bookingToken"] if caller == "a guest" else tokens[caller]
    refused(client.post("/api/booking/1/review", {"rating": 5}, token=token), status, code)
    assert view(client, customer, 1)["service"]["rating"] is None


@pytest.mark.parametrize("status", ["pending", "confirmed", "in-progress", "cancelled"])
def test_only_a_completed_booking_is_reviewed(client, customer, admin, status):
    book(client, customer)
    bring_to(client, admin, 1, status)
    refused(client.post("/api/booking/1/review", {"rating": 5}, token=customer), 409, "conflict")


@pytest.mark.parametrize("body", [{"rating": 1}, {"rating": 5, "review": None}, {"rating": 3, "review": ""}])
def test_a_review_may_have_no_text(client, customer, admin, body):
    book(client, customer)
    complete(client, admin, 1)
    assert client.post("/api/booking/1/review", body, token=customer).status_code == 201
    service = view(client, customer, 1)["service"]
    assert (service["rating"], service["review"]) == (body["rating"], None)


def test_the_longest_review(client, customer, admin):
    book(client, customer)
    complete(client, admin, 1)
    too_long = {"rating": 5, "review": "r" * 2001}
    assert_invalid(client.post("/api/booking/1/review", too_long, token=customer), "review")
    assert client.post("/api/booking/1/review", {"rating": 5, "review": "r" * 2000}, token=customer).status_code == 201


@pytest.mark.parametrize(
    "rating", [0, 6, -1, 4.5, "5", True, None, "", [], {}, 2**63, pytest.param(10**400, id="huge"), 1e300]
)
def test_a_rating_that_breaks_its_rule(standing, rating):
    client, admin = standing
    assert_invalid(client.post("/api/booking/3/review", {"rating": rating}, token=admin), "rating")
    assert view(client, admin, 3)["service"]["rating"] is None


@pytest.mark.parametrize(
    ("ratings", "mean"),
    [
        ([5], 5),
        ([1, 2], 1.5),
        ([4, 4, 5], 4.3),
        ([4, 5, 5], 4.7),
        ([4, 4, 4, 5], 4.3),  # 4.25
        ([2, 2, 2, 3], 2.3),  # 2.25
        ([4, 5, 5, 5], 4.8),  # 4.75
        ([1] * 19 + [2], 1.1),  # 1.05
        ([4] * 13 + [5] * 7, 4.4),  # 4.35
    ],
)
def test_the_rating_of_a_mechanic_is_the_mean_to_one_decimal_halves_up(client, admin, ratings, mean):
    mechanic_id = hire(client, admin)
    other = hire(client, admin, "other@garage.example")
    for rating in ratings:
        made = book(client)
        complete(client, admin, made["bookingId"], mechanic_id)
        path = f"/api/booking/{made['id']}/review"
        answer = client.post(path, {"rating": rating}, token=made["bookingToken"])
        assert answer.json["rating"] == rating  # the one given, not the mean
    assert client.get(f"/api/mechanics/{mechanic_id}").json["mechanic"]["rating"] == mean
    assert client.get(f"/api/mechanics/{other}").json["mechanic"]["rating"] == 0


def test_services_without_a_review_do_not_count_in_the_mean(client, admin):
    mechanic_id = hire(client, admin)
    for _ in range(2):
        made = book(client)
        complete(client, admin, made["bookingId"], mechanic_id)
    client.post(f"/api/booking/{made['id']}/review", {"rating": 3}, token=made["bookingToken"])
    assert client.get(f"/api/mechanics/{mechanic_id}").json["mechanic"]["rating"] == 3


@pytest.mark.parametrize("place", [(40.7379, -73.9967), (0.30000000000000004, -122.41481234567891), (90, -180)])
def test_a_place_is_the_same_number_in_every_view(client, customer, place):
    made = book(client, customer, latitude=place[0], longitude=place[1])
    one = client.get(f"/api/booking/{made['bookingId']}", token=customer).json["booking"]
    (listed,) = client.get("/api/booking/", token=customer).json["bookings"]
    assert (one["latitude"], one["longitude"]) == place
    assert (listed["latitude"], listed["longitude"]) == place


@pytest.mark.parametrize("more", [{"cost": 5}, {"serviceDate": "2026-01-19"}, {"cost": 5, "serviceDate": "2026-01-19"}])
def test_cost_and_date_beside_another_status_are_refused_before_it_matters_who_asks(client, more):
    book(client)
    answer = client.put("/api/booking/1", {"status": "confirmed", **more})
    assert (answer.status_code, answer.json["fields"].keys()) == (400, more.keys())
    answer = client.put("/api/booking/1", {"status": "completed", **more})
    assert answer.status_code == 401
