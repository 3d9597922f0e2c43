"""The log: one line a request, under an id that the answer carries too, and no secrets in it."""

import logging
import re
from logging import makeLogRecord

import pytest

from mechtech import clock
from mechtech.web.request_log import without_secrets
from tests.conftest import BOOKING, CONTACT, MECHANIC, book, signup

pytestmark = pytest.mark.own_database

LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) id=(?P<id>[!-~]+) (?P<address>[!-~]+) (?P<method>[!-~]+)"
    r" (?P<path>[!-~]+) (?P<status>\d{3}) (?P<ms>\d+\.\d)ms user=(?P<user>-|\d+)"
)
EVIL = {"Origin": "https://evil.example"}
PREFLIGHT = {"Origin": "null", "Access-Control-Request-Method": "POST"}


@pytest.fixture
def logged(capfd):
    """logged() → what was logged since the last time, a dict a line; fails if a line is not of the form."""

    def read():
        lines = capfd.readouterr().err.splitlines()
        matches = [LINE.fullmatch(line) for line in lines]
        assert all(matches), lines
        return [match.groupdict() for match in matches]

    return read


def test_a_line_tells_time_id_address_method_path_status_milliseconds_and_user(client, customer, logged):
    logged()
    before = clock.text(clock.now())
    overrides = {"REMOTE_ADDR": "198.51.100.7"}
    answer = client.get("/api/auth/profile", token=customer, environ_overrides=overrides)
    (line,) = logged()
    assert before <= line.pop("time") <= clock.text(clock.now())
    assert 0 <= float(line.pop("ms")) < 10_000
    assert line == {
        "id": answer.headers["X-Request-ID"],
        "address": "198.51.100.7",
        "method": "GET",
        "path": "/api/auth/profile",
        "status": "200",
        "user": str(answer.json["user"]["id"]),
    }


def test_there_is_one_line_a_request_whatever_becomes_of_it(environ, request, logged):
    environ["RATE_LIMIT"] = "12 per hour"
    client = request.getfixturevalue("client")
    calls = [
        ("GET", "/", {}, 200),
        ("GET", "/health", {}, 200),
        ("HEAD", "/health", {}, 200),
        ("GET", "/nowhere", {}, 404),
        ("TRACE", "/health", {}, 405),
        ("GET", "/api/mechanics/", {}, 200),
        ("POST", "/api/booking/", {"json": BOOKING}, 201),
        ("POST", "/api/booking/", {"json": {}}, 400),
        ("POST", "/api/booking/", {"data": b"{", "content_type": "application/json"}, 400),
        ("POST", "/api/booking/", {"data": b"{}"}, 415),
        ("POST", "/api/booking/", {"data": b"{}".ljust(70_000), "content_type": "application/json"}, 413),
        ("GET", "/api/booking/1", {}, 401),
        ("GET", "/api/nowhere", {}, 404),
        ("PATCH", "/api/booking/", {}, 405),
        ("OPTIONS", "/api/booking/", {}, 200),
        ("OPTIONS", "/api/booking/", {"headers": PREFLIGHT}, 204),
        ("GET", "/api/booking/", {"headers": EVIL}, 403),
        ("HEAD", "/api/mechanics/", {}, 200),
        ("GET", "/api/mechanics/", {}, 200),
        ("GET", "/api/mechanics/", {}, 429),
    ]
    for method, path, body, status in calls:
        answer = client.call(method, path, **body)
        assert answer.status_code == status, (method, path)
        (line,) = logged()
        assert (line["method"], line["path"], line["status"]) == (method, path, str(status))
        assert line["id"] == answer.headers["X-Request-ID"]


def test_the_user_is_whoever_is_signed_in(client, customer, admin, logged):
    user = str(client.get("/api/auth/profile", token=customer).json["user"]["id"])
    guest = book(client)["bookingToken"]
    logged()
    for token, status in ((customer, 404), (guest, 200), (None, 401), ("bad", 401)):
        assert client.get("/api/booking/1", token=token).status_code == status
    client.get("/api/contact/", token=customer)
    assert [line["user"] for line in logged()] == [user, "-", "-", "-", user]


def test_a_logins_line_tells_the_account_that_it_meant(environ, request, logged):
    client = request.getfixturevalue("client")
    token = signup(client, "login@example.com")
    user = str(client.get("/api/auth/profile", token=token).json["user"]["id"])
    logged()
    for email, password, status, told in (
        ("login@example.com", "password123", 200, user),
        ("LOGIN@example.com ", "password123", 200, user),
        ("login@example.com", "wrong", 401, user),
        ("nobody@example.com", "wrong", 401, "-"),
        *[("login@example.com", "wrong", 401, user)] * 9,
        ("login@example.com", "password123", 429, user),
    ):
        assert client.post("/api/auth/login", {"email": email, "password": password}).status_code == status
        (line,) = logged()
        assert (line["status"], line["user"]) == (str(status), told)


def test_the_path_comes_without_its_query(client, logged):
    client.get("/api/mechanics/?specialization=hidden&limit=5")
    client.get("/api/nowhere?email=hidden@example.com#hidden")
    assert [line["path"] for line in logged()] == ["/api/mechanics/", "/api/nowhere"]


# --- X-Request-ID


@pytest.mark.parametrize("path", ["/", "/health", "/api/mechanics/", "/api/nowhere", "/nowhere"])
@pytest.mark.parametrize("given", ["7c9e6679-7425-40de-944b-e07fc1f90ae7", "a", "A.b_C:1-2", "0" * 64])
def test_a_sane_request_id_is_taken(client, logged, path, given):
    answer = client.get(path, headers={"X-Request-ID": given})
    assert answer.headers.getlist("X-Request-ID") == [given]
    assert [line["id"] for line in logged()] == [given]
    if answer.status_code == 404:
        assert answer.json["requestId"] == given


@pytest.mark.parametrize(
    "given",
    [
        "",
        " ",
        "a b",
        "a\tb",
        "x" * 1000,
        "<script>",
        "é",
        "a=b user=7",
        "a\x1b[31m",
        "a\0",
        "a;b",
        '"',
        "a,b",
        "a\n",
        "/",
    ],
)
def test_another_request_id_is_replaced(client, logged, given):
    answer = client.get("/api/nowhere", environ_overrides={"HTTP_X_REQUEST_ID": given})
    (answered,) = answer.headers.getlist("X-Request-ID")
    assert re.fullmatch(r"[0-9A-Za-z-]{8,64}", answered)
    assert answered == answer.json["requestId"]
    assert [line["id"] for line in logged()] == [answered]


def test_every_request_has_an_id_of_its_own(client, logged):
    answered = [client.get("/health").headers["X-Request-ID"] for _ in range(20)]
    assert len(set(answered)) == 20
    assert [line["id"] for line in logged()] == answered


# --- What cannot break the line


@pytest.mark.parametrize(
    "path",
    [
        *("/%0A2026-01-19T10:30:00Z%20id=x", "/%0D%0Ax", "/api/booking/%0A", "/%1B[31mred", "/%00", "/%7F", "/a%20b"),
        *("/%22quoted%22", "/%C3%A9", "/%FF%FE", "/%E2%80%A8separator", "/%C2%85next", "/%25", "/api/%F0%9F%9A%97"),
        "/" + "a" * 5000,
        "/" + "%0A" * 2000,
    ],
)
def test_an_odd_path_stays_within_its_line(client, logged, path):
    answer = client.get(path)
    assert answer.status_code == 404
    (line,) = logged()
    assert (line["id"], line["status"]) == (answer.headers["X-Request-ID"], "404")
    assert len(line["path"]) <= 1000


@pytest.mark.parametrize(
    "hop", ["203.0.113.1 user=7", "a\tb", "\x1b[31m", "évil", "x" * 3000, "[2001:db8::1]", "unknown", "::1%x user=7"]
)
def test_an_odd_address_from_a_proxy_stays_within_its_line(environ, request, logged, hop):
    environ["TRUSTED_PROXIES"] = "1"
    client = request.getfixturevalue("client")
    assert client.get("/api/mechanics/", headers={"X-Forwarded-For": hop}).status_code == 200
    (line,) = logged()
    assert len(line["address"]) <= 1000


def test_the_root_has_its_slash_though_the_request_has_none(client, logged):
    client.get("/", environ_overrides={"PATH_INFO": ""})
    assert [line["path"] for line in logged()] == ["/"]


def test_an_odd_method_stays_within_its_line(client, logged):
    assert client.call("BREW~!", "/api/booking/").status_code == 405
    assert [line["method"] for line in logged()] == ["BREW~!"]


# --- No secrets


def fixtures(request, *names):
    """Made while the test runs, so that what they log to is what capfd has its hands on by then."""
    return [request.getfixturevalue(name) for name in names]


def test_no_body_token_password_or_address_of_mail_is_logged(capfd, request):
    app, client, admin = fixtures(request, "app", "client", "admin")
    secret = "MARKED"
    email, password, changed = f"{secret}1@example.com", f"{secret}2-password", f"{secret}3-password"
    tokens = [signup(client, email, password, name=f"{secret}4")]
    guest = book(client, email=email, name=f"{secret}5", description=f"{secret}6", location=f"{secret}7")[
        "bookingToken"
    ]
    tokens.append(guest)
    for body in (
        {"email": email, "password": password},
        {"email": email, "password": f"{secret}8"},
        {"email": password, "password": email},  # typed into the wrong fields
        {"email": f"{secret}9@nowhere.example", "password": secret},
        {"email": [secret], "password": {secret: secret}},
    ):
        client.post("/api/auth/login", body)
    change = {"currentPassword": password, "newPassword": changed, "phone": secret}
    assert client.put("/api/auth/profile", change, token=tokens[0]).status_code == 400
    del change["phone"]
    answer = client.put("/api/auth/profile", change, token=tokens[0])
    assert answer.status_code == 200
    tokens.append(answer.json["token"])
    client.get("/api/auth/profile", token=tokens[0])  # over now
    client.get("/api/auth/profile", headers={"Authorization": f"Basic {secret}"})
    client.get("/api/auth/profile", token=f"{secret}.{secret}.{secret}")
    client.post("/api/contact/", {**CONTACT, "fullName": secret, "email": email, "message": secret * 3})
    client.post("/api/contact/", {**CONTACT, "message": secret}, headers={"Idempotency-Key": f"{secret}-key"})
    client.post("/api/mechanics/", {**MECHANIC, "name": secret, "email": email}, token=admin)
    client.post("/api/mechanics/", {**MECHANIC, "name": secret, "email": email}, token=admin)  # taken
    client.get(f"/api/booking/1?token={guest}&email={email}", token=guest)
    for written in (email, email.replace("@", "%40"), f"x/{email}/x"):
        assert client.get(f"/api/contact/{written}", token=admin).status_code == 404
    client.post("/api/booking/1/review", {"rating": 5, "review": secret}, token=guest)
    client.post("/api/booking/", data=f'{{"{secret}": ', content_type="application/json")
    client.post("/api/booking/", data=secret, content_type=f"text/{secret}")
    client.get(
        "/api/mechanics/", headers={"Origin": f"https://{secret}.example", "Referer": secret, "User-Agent": secret}
    )
    app.extensions["mechtech.db"].write("DROP TABLE contact_messages")
    answer = client.post("/api/contact/", {**CONTACT, "fullName": secret, "email": email, "message": secret * 3})
    assert answer.status_code == 500
    out, err = capfd.readouterr()
    assert len(err.splitlines()) > 20
    everything = (out + err).lower()
    assert secret.lower() not in everything
    assert "@" not in re.sub(r"(?m)^\s.*$|^\d{4}.*unforeseen$", "", everything)  # but for a traceback's source lines
    for token in tokens:
        assert token.split(".")[1].lower() not in everything
        assert token.split(".")[2].lower() not in everything


def test_a_query_is_left_out_of_what_gunicorn_says_of_a_request():
    record = makeLogRecord({"msg": "Error handling request %s", "args": ("/api/booking?token=hidden",)})
    assert without_secrets(record)
    assert record.getMessage() == "Error handling request /api/booking"


def test_the_cause_of_a_500_is_in_the_log_under_the_request_id_and_nowhere_else(capfd, request):
    app, client = fixtures(request, "app", "client")
    app.extensions["mechtech.db"].write("DROP TABLE contact_messages")
    capfd.readouterr()
    answer = client.post("/api/contact/", CONTACT, headers={"X-Request-ID": "the-one-that-failed"})
    assert answer.status_code == 500
    assert answer.json == {
        "error": "server_error",
        "message": answer.json["message"],
        "requestId": "the-one-that-failed",
    }
    assert "contact_messages" not in answer.text
    assert "Traceback" not in answer.text
    log = capfd.readouterr().err
    assert re.search(r"id=the-one-that-failed .*\nTraceback \(most recent call last\):\n", log)
    assert "no such table: contact_messages" in log or 'relation "contact_messages" does not exist' in log
    lines = [match.groupdict() for match in map(LINE.fullmatch, log.splitlines()) if match]
    assert [(line["id"], line["status"]) for line in lines] == [("the-one-that-failed", "500")]


def test_an_error_of_several_lines_is_one_line(capfd, request):
    """Each line of the log has its time then, and what a library quotes cannot look like a line of its own."""
    fixtures(request, "app")
    logging.getLogger("mechtech").error("unavailable: %s", "refused\n\tIs the server running?\n")
    assert capfd.readouterr().err.endswith(" ERROR unavailable: refused Is the server running?\n")


def test_an_answer_that_fails_while_it_is_written_is_a_500_too(capfd, request):
    app, client = fixtures(request, "app", "client")
    app.view_functions["health.show_health"] = lambda: {"no": object()}
    answer = client.get("/health", headers={"X-Request-ID": "the-one-that-failed"})
    assert (answer.status_code, answer.json["error"]) == (500, "server_error")
    log = capfd.readouterr().err
    assert re.search(r"id=the-one-that-failed .*\nTraceback \(most recent call last\):\n", log)
    assert "not JSON serializable" in log
