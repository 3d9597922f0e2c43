"""The rate limit: one count an address over all of /api/, exact across processes."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import BOOKING, MECHANIC
from tests.gunicorn_server import Server

HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


@pytest.fixture
def limited(environ, request):
    """limited("5 per hour", TRUSTED_PROXIES="1") → a client of such a service."""

    def make(rate, **settings):
        environ.update({"RATE_LIMIT": rate, **settings})
        return request.getfixturevalue("client")

    return make


def remaining(answer):
    return int(answer.headers["X-RateLimit-Remaining"])


def get(client, address="198.51.100.1", path="/api/mechanics/", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(path, headers=headers, environ_overrides={"REMOTE_ADDR": address})


def assert_limited(answer, seconds):
    assert (answer.status_code, answer.json["error"]) == (429, "rate_limited")
    assert answer.json.keys() == {"error", "message", "requestId"}
    assert 1 <= int(answer.headers["Retry-After"]) <= seconds
    assert remaining(answer) == 0


def test_all_of_the_api_shares_one_count(limited):
    client = limited("100 per hour")
    calls = [
        ("GET", "/api/mechanics/", {}, 200),
        ("GET", "/api/mechanics", {}, 200),
        ("HEAD", "/api/mechanics/", {}, 200),
        ("OPTIONS", "/api/mechanics/", {}, 200),  # no preflight: it asks for no method
        ("OPTIONS", "/api/mechanics/", {"headers": {"Origin": "null"}}, 200),
        ("POST", "/api/booking/", {"json": BOOKING}, 201),
        ("POST", "/api/booking/", {"json": {}}, 400),
        ("POST", "/api/booking/", {"data": b"{"}, 415),
        ("POST", "/api/contact/", {"data": b"{}".ljust(70_000), "content_type": "application/json"}, 413),
        ("GET", "/api/booking/1", {}, 401),
        ("GET", "/api/auth/profile", {"token": "bad"}, 401),
        ("POST", "/api/mechanics/", {"json": MECHANIC}, 401),
        ("GET", "/api/mechanics/7", {}, 404),
        ("GET", "/api/nowhere", {}, 404),
        ("GET", "/api//booking", {}, 404),
        ("PATCH", "/api/booking/", {}, 405),
        ("TRACE", "/api/booking/", {}, 405),
        ("GET", "/%61pi/mechanics/", {}, 200),
    ]
    resets = set()
    for number, (method, path, body, status) in enumerate(calls, 1):
        answer = client.call(method, path, **body)
        assert answer.status_code == status, (method, path)
        assert answer.headers["X-RateLimit-Limit"] == "100", (method, path)
        assert remaining(answer) == 100 - number
        assert all(len(answer.headers.getlist(name)) == 1 for name in HEADERS)
        assert "Retry-After" not in answer.headers
        resets.add(int(answer.headers["X-RateLimit-Reset"]))
    assert len(resets) == 1  # the window does not move
    assert time.time() < resets.pop() <= time.time() + 3601


@pytest.mark.parametrize("path", ["/api/", "/api"])
def test_the_bare_address_of_the_api_counts_too(limited, path):
    answer = limited("2 per hour").get(path)
    assert (answer.status_code, answer.headers.get("X-RateLimit-Remaining")) == (404, "1")


@pytest.mark.parametrize(
    "path", ["api/mechanics", "//api/mechanics", "///api/mechanics/", "/api/mechanics//", "/api/mechanics///"]
)
def test_no_spelling_of_a_path_goes_around_the_count(limited, path):
    client = limited("1 per hour")
    client.get("/api/mechanics/")
    answer = client.get("/", environ_overrides={"PATH_INFO": path})
    assert answer.status_code in (404, 429)


@pytest.mark.parametrize("path", ["/", "/health", "/nowhere", "/apix", "/favicon.ico"])
def test_outside_of_the_api_nothing_counts(limited, path):
    client = limited("2 per hour")
    for _ in range(4):
        answer = client.get(path)
        assert answer.status_code in (200, 404)
        assert not any(name in answer.headers for name in HEADERS)
    assert remaining(client.get("/api/mechanics/")) == 1


def test_health_and_the_index_are_free_when_the_limit_is_reached(limited):
    client = limited("1 per hour")
    client.get("/api/mechanics/")
    assert client.get("/api/mechanics/").status_code == 429
    assert client.get("/health").status_code == client.get("/").status_code == 200


def test_the_last_request_within_the_limit_passes_and_the_next_is_429(limited):
    client = limited("3 per hour")
    assert [remaining(client.get("/api/mechanics/")) for _ in range(2)] == [2, 1]
    third = client.get("/api/mechanics/")
    assert (third.status_code, remaining(third)) == (200, 0)
    reset = third.headers["X-RateLimit-Reset"]
    for path in ("/api/mechanics/", "/api/nowhere", "/api/booking/"):
        answer = client.get(path)
        assert_limited(answer, 3600)
        assert answer.headers["X-RateLimit-Reset"] == reset  # refused requests do not lengthen the window


def test_a_refused_request_does_nothing(environ, request, limited):
    client = limited("1 per hour")
    client.get("/api/mechanics/")
    assert_limited(client.post("/api/booking/", BOOKING), 3600)
    database = request.getfixturevalue("app").extensions["mechtech.db"]
    assert database.all("SELECT id FROM bookings") == []


@pytest.mark.parametrize(("env", "amount", "seconds"), [("development", 100, 900), ("production", 1000, 3600)])
def test_the_limit_by_default(environ, request, env, amount, seconds):
    del environ["RATE_LIMIT"]
    environ["MECHTECH_ENV"] = env
    answer = request.getfixturevalue("client").get("/api/mechanics/")
    assert (answer.headers["X-RateLimit-Limit"], remaining(answer)) == (str(amount), amount - 1)
    assert seconds - 5 <= int(answer.headers["X-RateLimit-Reset"]) - time.time() <= seconds + 1


def test_a_window_ends_and_a_new_one_is_full(limited):
    client = limited("2 per 2 seconds")
    statuses = [client.get("/api/mechanics/").status_code for _ in range(2)]
    refused = client.get("/api/mechanics/")
    assert statuses == [200, 200]
    assert_limited(refused, 2)
    promised = time.monotonic() + int(refused.headers["Retry-After"])
    while (answer := client.get("/api/mechanics/")).status_code == 429:
        assert time.monotonic() < promised + 0.5, "Retry-After promised an end by now"
        time.sleep(0.02)
    assert remaining(answer) == 1
    assert int(answer.headers["X-RateLimit-Reset"]) > int(refused.headers["X-RateLimit-Reset"])


# --- Whose request is it?


def test_each_address_has_a_count_of_its_own(limited):
    client = limited("2 per hour")
    addresses = ("198.51.100.1", "198.51.100.2", "2001:db8::1")
    assert [remaining(get(client, address)) for address in addresses * 2] == [1, 1, 1, 0, 0, 0]
    assert all(get(client, address).status_code == 429 for address in addresses)


def test_a_token_does_not_change_the_count(limited):
    client = limited("100 per hour")
    body = {"name": "Jo", "email": "jo@example.com", "password": "password123"}
    token = client.post("/api/auth/signup", body).json["token"]
    assert remaining(client.get("/api/auth/profile", token=token)) == 98
    assert remaining(client.get("/api/mechanics/")) == 97


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Client-IP", "CF-Connecting-IP", "True-Client-IP", "Via"]
)
def test_without_a_proxy_no_header_names_the_address(limited, header):
    client = limited("3 per hour")
    for last in (2, 1, 0):
        assert remaining(get(client, **{header: f"203.0.113.{last}"})) == last
    assert get(client, **{header: "203.0.113.9"}).status_code == 429


PROXY = "198.51.100.9"


def test_behind_one_proxy_the_address_is_the_last_hop(limited):
    client = limited("2 per hour", TRUSTED_PROXIES="1")
    assert remaining(get(client, PROXY, X_Forwarded_For="203.0.113.1")) == 1
    # Whatever the client writes itself stands before what the proxy adds.
    assert remaining(get(client, PROXY, X_Forwarded_For="192.0.2.7, 203.0.113.1")) == 0
    for forged in ("192.0.2.8", "203.0.113.2, 192.0.2.9", "garbage<>", ", , ,", '"quoted', 'a="b', "\\"):
        assert get(client, PROXY, X_Forwarded_For=f"{forged}, 203.0.113.1").status_code == 429
    assert remaining(get(client, PROXY, X_Forwarded_For="203.0.113.1, 203.0.113.2")) == 1
    assert remaining(get(client, PROXY, X_Real_IP="203.0.113.3")) == 1  # the proxy's own address


def test_behind_two_proxies_the_address_is_the_last_hop_but_one(limited):
    client = limited("2 per hour", TRUSTED_PROXIES="2")
    outer = "198.51.100.8"
    assert remaining(get(client, PROXY, X_Forwarded_For=f"203.0.113.1, {outer}")) == 1
    assert remaining(get(client, PROXY, X_Forwarded_For=f"192.0.2.7, 203.0.113.1, {outer}")) == 0
    for forged in ("192.0.2.8", "203.0.113.2, 203.0.113.3", '"quoted'):
        assert get(client, PROXY, X_Forwarded_For=f"{forged}, 203.0.113.1, {outer}").status_code == 429
    assert remaining(get(client, PROXY, X_Forwarded_For=f"203.0.113.2, {outer}")) == 1


def test_behind_two_proxies_a_header_with_one_hop_names_nobody(limited):
    client = limited("2 per hour", TRUSTED_PROXIES="2")
    assert [remaining(get(client, PROXY, X_Forwarded_For=f"203.0.113.{n}")) for n in (1, 2)] == [1, 0]
    assert get(client, PROXY, X_Forwarded_For="203.0.113.3").status_code == 429


# --- Real processes


@pytest.mark.own_database
def test_the_count_is_exact_with_four_workers_and_goes_on_after_a_restart(environ, tmp_path):
    environ |= {"RATE_LIMIT": "60 per hour", "WEB_CONCURRENCY": "4"}
    with Server(environ, tmp_path / "server.log") as server:
        deadline = time.monotonic() + 10
        while len(server.workers()) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(lambda _: server.call("GET", "/api/mechanics/"), range(120)))
        assert sorted(answer.status for answer in answers) == [200] * 60 + [429] * 60
        left = [int(answer.headers["X-RateLimit-Remaining"]) for answer in answers if answer.status == 200]
        assert sorted(left) == list(range(60))
        (reset,) = {answer.headers["X-RateLimit-Reset"] for answer in answers}
        assert server.stop() == 0
        server.start()
        again = server.call("GET", "/api/nowhere")
        assert (again.status, again.headers["X-RateLimit-Reset"]) == (429, reset)
        server.kill()
        server.start()
        assert server.call("GET", "/api/mechanics/").status == 429
        assert server.call("GET", "/health").status == 200
