"""Addresses: with and without a trailing slash, never by a redirect, and the methods that each of them knows."""

from itertools import permutations

import pytest

from tests.conftest import MECHANIC, book, signup
from tests.endpoints import METHODS

ENDPOINTS = {path.replace(":id", "1"): methods for path, methods in METHODS.items()}
ALL_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND"]
PAGES = ("/admin", "/docs", "/booking", "/reset")
SLASHED = [path + slash for path in ENDPOINTS for slash in ("", "/") if path + slash != "//"]
every_path = pytest.mark.parametrize("path", SLASHED)


@pytest.fixture(scope="module")
def standing(lasting):
    """A client, and the token of an admin who has booking 1; mechanic 1 is there, messages are not."""
    admin = signup(lasting)
    lasting.client.application.extensions["mechtech.db"].write("UPDATE users SET role = 'admin'")
    book(lasting, admin)
    lasting.post("/api/mechanics/", MECHANIC, token=admin)
    return lasting, admin


def methods(path):
    return ENDPOINTS[path.rstrip("/") or "/"]


@every_path
def test_a_method_that_a_path_knows_is_answered_there_without_a_redirect(standing, path):
    client, admin = standing
    if path.endswith("/logout"):
        admin = None
    for method in methods(path):
        answer = client.call(method, path, token=admin)
        assert answer.status_code not in (405, 413, 415, 500)
        assert not 300 <= answer.status_code < 400
        absent = "contact/1" in path or "metrics" in path  # there is no message, and no METRICS_TOKEN
        assert answer.status_code != 404 or absent


@pytest.mark.parametrize("path", [path for path in ENDPOINTS if path != "/"])
def test_the_slash_makes_no_difference(standing, path):
    client, admin = standing
    if path.endswith("/logout"):  # it would end the token that the other tests need
        admin = None
    for method in methods(path) - {"DELETE"}:
        plain, slashed = (client.call(method, each, token=admin) for each in (path, f"{path}/"))
        assert plain.status_code == slashed.status_code
        if path in PAGES:
            assert plain.data == slashed.data
        else:
            assert {**plain.json, "requestId": None} == {**slashed.json, "requestId": None}


@every_path
def test_every_other_method_is_405_with_allow(standing, path):
    client, admin = standing
    for method in ALL_METHODS:
        if method in methods(path):
            continue
        answer = client.call(method, path, token=admin)
        assert (answer.status_code, answer.json["error"]) == (405, "method_not_allowed"), method
        allowed = {name.strip() for name in answer.headers["Allow"].split(",")}
        assert allowed - {"HEAD", "OPTIONS"} == methods(path), method
        assert ("HEAD" in allowed) == ("GET" in methods(path))


@every_path
def test_a_wrong_method_is_405_before_anybody_asks_for_a_token_or_a_body(standing, path):
    client, _ = standing
    answer = client.call("PATCH", path, data=b"{", token="bad", content_type="text/plain")
    assert answer.status_code == 405


@every_path
def test_head_is_get_without_a_body(standing, path):
    client, admin = standing
    head = client.call("HEAD", path, token=admin)
    assert head.data == b""
    if "GET" in methods(path):
        get = client.get(path, token=admin)
        assert head.status_code == get.status_code
        assert head.headers["Content-Length"] == str(len(get.data))
        kind = "text/html; charset=utf-8" if path.rstrip("/") in PAGES else "application/json"
        assert head.headers["Content-Type"] == get.headers["Content-Type"] == kind
    else:
        assert head.status_code == 405


@every_path
def test_options_tells_the_methods(standing, path):
    client, _ = standing
    answer = client.call("OPTIONS", path)
    assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (200, b"", "0")
    assert {name.strip() for name in answer.headers["Allow"].split(",")} - {"HEAD", "OPTIONS"} == methods(path)


@pytest.mark.parametrize(
    "path",
    [
        *("/api//booking", "/api/booking//1", "/api/booking/1//review"),
        *("/api/./booking", "/api/../health", "/api/%2e%2e/health", "/API/booking", "/Health", "/api/Booking", "/api"),
        *("/api/", "/nowhere", "/api/nowhere", "/api/bookings", "/api/booking/1/2", "/api/booking/1/reviews"),
        *("/api/auth", "/api/contact/1/unread", "/api/contact/BK000001", "/api/mechanics/1/availability/1"),
        *(
            "/api%2f%2fbooking",
            "/api/booking%00",
            "/health%0A",
            "/health%20",
            "/static/x",
            "/health;x",
        ),
        *("/.env", "/mechtech.db", "/favicon.ico", "/%E2%82%AC", "/%FF", "/" + "x" * 9000),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PATCH"])
def test_an_unknown_path_is_404_and_looks_at_no_token(standing, path, method):
    client, _ = standing
    for token in (None, "bad"):
        answer = client.call(method, path, token=token)
        assert (answer.status_code, answer.json["error"]) == (404, "not_found")
        assert answer.json["requestId"] == answer.headers["X-Request-ID"]
        assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("order", list(permutations([("GET", 200), ("PATCH", 405), ("OPTIONS", 200)])))
def test_what_was_answered_before_makes_no_difference(client, admin, order):
    book(client, admin)
    for _ in range(2):
        for method, status in order:
            assert client.call(method, "/api/booking/1", token=admin).status_code == status
            no_row = 404 if method == "GET" else status
            assert client.call(method, "/api/booking/99", token=admin).status_code == no_row
            assert client.call(method, "/api/nowhere/1", token=admin).status_code == 404
        assert client.get("/api/booking/1", token=admin).json["booking"]["id"] == 1
        assert client.get("/api/booking/bk1", token=admin).json["booking"]["id"] == 1


@pytest.mark.parametrize("path", ["//api//booking", "//api//booking/", "///api//booking/1", "//nowhere"])
def test_doubled_slashes_are_404_and_no_redirect(standing, path):
    client, admin = standing
    # Given so because the test client would take the first name for a host.
    answer = client.get("/", environ_overrides={"PATH_INFO": path}, token=admin)
    assert (answer.status_code, answer.json["error"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/", "/health", "/nowhere"])
def test_outside_of_the_api_no_token_is_looked_at(standing, path):
    client, _ = standing
    for authorization in ("Bearer bad", "Basic dXNlcjpwYXNz", "Bearer", "\x00"):
        headers = {"HTTP_AUTHORIZATION": authorization}
        assert client.get(path, environ_overrides=headers).status_code == client.get(path).status_code


@pytest.mark.parametrize("ending", ["//", "///", "/?", "/?x=1", "?", "/#x", "//?limit=1"])
@pytest.mark.parametrize("path", list(ENDPOINTS))
def test_nothing_is_ever_redirected(standing, path, ending):
    client, _ = standing
    for method in ("GET", "OPTIONS"):
        answer = client.call(method, path + ending)
        assert not 300 <= answer.status_code < 400
        assert "Location" not in answer.headers


def test_an_upgrade_that_a_client_offers_is_passed_over(standing):
    client, _ = standing
    assert client.get("/health", headers={"Connection": "Upgrade", "Upgrade": "websocket"}).status_code == 200
