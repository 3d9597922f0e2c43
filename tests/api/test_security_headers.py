"""The security headers: what Helmet 7 sets by default, on every answer, and nothing that names versions."""

import re

import pytest

from tests.conftest import BOOKING, SECRET, signup
from tests.gunicorn_server import Server

HELMET_7 = {
    "Content-Security-Policy": (
        "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';frame-ancestors 'self';"
        "img-src 'self' data:;object-src 'none';script-src 'self';script-src-attr 'none';"
        "style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Origin-Agent-Cluster": "?1",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=15552000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",
    "X-Download-Options": "noopen",
    "X-Frame-Options": "SAMEORIGIN",
    "X-Permitted-Cross-Domain-Policies": "none",
    "X-XSS-Protection": "0",
}
ORIGIN = {"Origin": "http://localhost:5173"}
PREFLIGHT = {**ORIGIN, "Access-Control-Request-Method": "POST"}
CALLS = [
    ("GET", "/", {}, 200),
    ("GET", "/health", {}, 200),
    ("GET", "/api/mechanics/", {}, 200),
    ("GET", "/api/mechanics/", {"headers": ORIGIN}, 200),
    ("HEAD", "/api/mechanics/", {}, 200),
    ("POST", "/api/booking/", {"json": BOOKING}, 201),
    ("OPTIONS", "/api/booking/", {"headers": PREFLIGHT}, 204),
    ("OPTIONS", "/api/booking/", {}, 200),
    ("POST", "/api/booking/", {"json": {}}, 400),
    ("POST", "/api/booking/", {"data": b"{", "content_type": "application/json"}, 400),
    ("GET", "/api/auth/profile", {}, 401),
    ("GET", "/api/mechanics/", {"headers": {"Origin": "https://evil.example"}}, 403),
    ("GET", "/nowhere", {}, 404),
    ("GET", "/api/nowhere", {}, 404),
    ("PATCH", "/api/booking/", {}, 405),
    ("TRACE", "/health", {}, 405),
    ("POST", "/api/booking/", {"data": b"{}".ljust(70_000), "content_type": "application/json"}, 413),
    ("POST", "/api/booking/", {"data": b"{}", "content_type": "text/plain"}, 415),
]


def assert_helmet(headers):
    assert sorted(pair for pair in headers.items() if pair[0] in HELMET_7) == sorted(HELMET_7.items())
    assert "X-Powered-By" not in headers


@pytest.mark.parametrize(("method", "path", "request_with", "status"), CALLS)
def test_every_answer_has_the_headers_of_helmet(client, method, path, request_with, status):
    answer = client.call(method, path, **request_with)
    assert answer.status_code == status
    assert_helmet(answer.headers)


def test_a_refusal_for_the_rate_has_them_too(environ, request):
    environ["RATE_LIMIT"] = "1 per hour"
    client = request.getfixturevalue("client")
    client.get("/api/mechanics/")
    answer = client.get("/api/mechanics/")
    assert answer.status_code == 429
    assert_helmet(answer.headers)


def test_an_error_that_nobody_foresaw_has_them_too(app, client):
    signup(client)
    app.extensions["mechtech.db"].write("DROP TABLE idempotency_keys")
    answer = client.post("/api/booking/", BOOKING, headers={"Idempotency-Key": "1"})
    assert (answer.status_code, answer.json["error"]) == (500, "server_error")
    assert "idempotency_keys" not in answer.text
    assert_helmet(answer.headers)


@pytest.fixture(scope="module")
def wire(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wire")
    environ = {"DB_PATH": str(folder / "test.db"), "JWT_SECRET": SECRET, "RATE_LIMIT": "1000000 per hour"}
    with Server({**environ, "WEB_CONCURRENCY": "1"}, folder / "server.log") as running:
        yield running


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", {}, 200),
        ("HEAD", "/health", {}, 200),
        ("GET", "/api/nowhere", {}, 404),
        ("TRACE", "/api/booking/", {}, 405),
        ("OPTIONS", "/api/booking/", PREFLIGHT, 204),
        ("GET", "/api/mechanics/", {"Origin": "https://evil.example"}, 403),
    ],
)
def test_on_the_wire_each_header_comes_once_and_none_names_a_version(wire, method, path, headers, status):
    answer = wire.call(method, path, headers=headers)
    assert answer.status == status
    assert_helmet(answer.headers)
    assert not re.search(r"\d", answer.headers.get("Server", ""))
    for name, value in answer.headers.items():
        assert not re.search(r"python|werkzeug|flask|gunicorn[/ ]\d", value, re.IGNORECASE), name
    names = [name.lower() for name in answer.headers]
    assert len(names) == len(set(names))


def test_nothing_under_api_is_stored(client):
    for path in ("/api/mechanics/", "/api/nowhere", "/api/auth/profile", "/api/"):
        assert client.get(path).headers["Cache-Control"] == "no-store"
    assert "no-store" not in client.get("/health").headers.get("Cache-Control", "")
