"""CORS: which web pages may call, and what their browsers are told."""

import pytest

from tests.conftest import BOOKING, Api, book, signup

PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,authorization"}
EXPOSED = {
    *("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after", "x-request-id"),
    "idempotent-replayed",
}
PATHS = [
    "/",
    "/health",
    "/api/booking/",
    "/api/booking/1",
    "/api/mechanics/",
    "/api/nowhere",
    "/nowhere",
    "//",
    "/api/",
]

LOCAL = [
    *("http://localhost", "http://localhost:3000", "http://localhost:5173", "https://localhost:8443"),
    *("http://127.0.0.1", "http://127.0.0.1:3000", "http://127.0.0.1:65535", "https://127.0.0.1", "null"),
]
LOOK_ALIKES = [
    *("http://localhost.evil.com", "http://localhost:3000.evil.com", "http://127.0.0.1:3000.evil.com"),
    *("http://127.0.0.1.evil.com", "http://evil.com", "http://evil.com?http://localhost", "http://evil.com#localhost"),
    *("http://evil-localhost", "http://evil.localhost", "http://localhost@evil.com", "http://localhost:3000@evil.com"),
    *("http://localhost:", "http://localhost:abc", "http://localhost:3000/", "http://localhost/evil", "localhost"),
    *("http://127.0.0.10", "http://127x0x0x1", "http://127.0.0.2", "ftp://localhost", "file://", "NULL", "nullx", ""),
    *("http://localhost:3000 http://evil.com", "http://localhost:3000,http://evil.com", "http://localhost\n"),
    *("//localhost:3000", "javascript:alert(1)", "*", "http://[::1]:3000", "http://0.0.0.0:3000", "http://localhosт"),
]


def named(answer, header):
    """The names in a header that lists some."""
    return {name.strip().lower() for name in answer.headers.get(header, "").split(",") if name.strip()}


def from_page(client, origin, path="/api/mechanics/", method="GET", **kwargs):
    environ = {"HTTP_ORIGIN": origin.encode().decode("latin-1")}
    return client.call(method, path, environ_overrides=environ, **kwargs)


def assert_allowed(answer, origin):
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "origin" in named(answer, "Vary")


def assert_forbidden(answer):
    assert (answer.status_code, answer.json["error"]) == (403, "cors_forbidden")
    assert answer.json.keys() == {"error", "message", "requestId"}
    assert not any(name.lower().startswith("access-control-allow") for name, _ in answer.headers)
    assert "origin" in named(answer, "Vary")


@pytest.fixture
def production(environ):
    environ |= {"MECHTECH_ENV": "production", "CORS_ORIGINS": "https://mechtech.com, https://www.mechtech.com:8443"}


# --- Development


@pytest.mark.parametrize("origin", LOCAL)
def test_development_allows_every_local_port_and_pages_from_disk(client, origin):
    answer = from_page(client, origin)
    assert answer.status_code == 200
    assert_allowed(answer, origin)


@pytest.mark.parametrize("origin", LOOK_ALIKES)
def test_development_refuses_what_only_looks_local(client, origin):
    assert_forbidden(from_page(client, origin))
    assert_forbidden(from_page(client, origin, "/api/booking/", "OPTIONS", headers=PREFLIGHT))


def test_a_list_replaces_what_development_allows(environ, request):
    environ["CORS_ORIGINS"] = "https://mechtech.com"
    client = request.getfixturevalue("client")
    assert_allowed(from_page(client, "https://mechtech.com"), "https://mechtech.com")
    for origin in ("http://localhost:5173", "null", "http://127.0.0.1:5173"):
        assert_forbidden(from_page(client, origin))


# --- Production


@pytest.mark.parametrize(
    "origin", ["https://mechtech.com", "https://mechtech.com:443", "https://www.mechtech.com:8443"]
)
def test_production_allows_what_is_listed(production, client, origin):
    answer = from_page(client, origin)
    assert answer.status_code == 200
    assert_allowed(answer, origin)


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "http://mechtech.com",
            "https://mechtech.com:80",
            "https://mechtech.com:4430",
            "https://mechtech.com.evil.net",
            "https://xmechtech.com",
        ),
        *("https://mechtech.com/", "https://mechtechxcom", "https://api.mechtech.com", "https://www.mechtech.com"),
        *("https://www.mechtech.com:84431", "https://mechtech.com, https://www.mechtech.com:8443", "https://", ""),
        *("https://mechtech.com\n", "https://evil.net#https://mechtech.com", *LOCAL[1:]),
    ],
)
def test_production_refuses_what_is_not_listed(production, client, origin):
    assert_forbidden(from_page(client, origin))
    assert_forbidden(from_page(client, origin, "/api/booking/", "OPTIONS", headers=PREFLIGHT))


def test_production_without_a_list_allows_no_other_origin(environ, request):
    environ["MECHTECH_ENV"] = "production"
    client = request.getfixturevalue("client")
    for origin in (*LOCAL[1:], "https://mechtech.com"):
        assert_forbidden(from_page(client, origin))
    assert client.get("/api/mechanics/").status_code == 200


def test_null_may_be_listed(environ, request):
    environ |= {"MECHTECH_ENV": "production", "CORS_ORIGINS": "null"}
    assert_allowed(from_page(request.getfixturevalue("client"), "null"), "null")


def test_a_same_origin_request_is_allowed_whatever_the_list(production, client):
    for base in ("http://api.mechtech.com", "https://api.mechtech.com", "http://api.mechtech.com:8000"):
        assert from_page(client, base, base_url=base).status_code == 200
        answer = from_page(client, base, "/api/booking/", "POST", json=BOOKING, base_url=base)
        assert answer.status_code == 201
    for base, origin in (("https://a.example:443", "https://a.example"), ("http://a.example:80", "http://a.example")):
        assert from_page(client, origin, base_url=base).status_code == 200
        assert from_page(client, base, base_url=origin).status_code == 200
    assert_forbidden(from_page(client, "http://a.example:443", base_url="http://a.example"))
    assert_forbidden(from_page(client, "https://api.mechtech.com", base_url="http://api.mechtech.com"))
    assert_forbidden(from_page(client, "http://api.mechtech.com:1", base_url="http://api.mechtech.com"))


def test_without_a_host_no_origin_is_the_same(production, client):
    assert_forbidden(from_page(client, "http://", headers={"Host": ""}))


@pytest.mark.parametrize(
    ("proxies", "schemes", "own"),
    [
        ("1", "https", "https"),
        ("1", "https, http", "http"),
        ("2", "https, http", "https"),
        ("2", "http, https", "http"),
    ],
)
def test_behind_proxies_the_same_origin_is_the_one_the_browser_sees(
    production, environ, request, proxies, schemes, own
):
    """The outermost proxy that is trusted saw the browser; what stands before its word is the client's."""
    environ["TRUSTED_PROXIES"] = proxies
    client = request.getfixturevalue("client")
    base = {"base_url": "http://api.mechtech.com", "headers": {"X-Forwarded-Proto": schemes}}
    for scheme in ("http", "https"):
        answer = from_page(client, f"{scheme}://api.mechtech.com", **base)
        assert answer.status_code == (200 if scheme == own else 403)


def test_a_scheme_that_the_client_claims_is_not_believed_without_a_proxy(production, client):
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.com"}
    for origin in ("https://api.mechtech.com", "http://evil.com", "https://evil.com"):
        assert_forbidden(from_page(client, origin, base_url="http://api.mechtech.com", headers=headers))


# --- Preflights


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_preflight_is_204_on_every_path(client, path, method):
    headers = {"Access-Control-Request-Method": method}
    answer = from_page(client, "http://localhost:5173", path, "OPTIONS", headers=headers)
    assert (answer.status_code, answer.data) == (204, b"")
    assert_allowed(answer, "http://localhost:5173")
    assert named(answer, "Access-Control-Allow-Methods") == {"get", "post", "put", "delete", "options"}
    assert "X-Request-ID" in answer.headers


@pytest.mark.parametrize("asked", ["content-type", "authorization, content-type", "idempotency-key", None])
def test_a_preflight_names_the_headers_that_are_allowed(client, asked):
    headers = {"Access-Control-Request-Method": "POST"}
    if asked:
        headers["Access-Control-Request-Headers"] = asked
    answer = from_page(client, "http://localhost:5173", "/api/booking/", "OPTIONS", headers=headers)
    allowed = named(answer, "Access-Control-Allow-Headers")
    assert allowed <= {"content-type", "authorization", "idempotency-key"}
    assert allowed >= {name.strip() for name in (asked or "").split(",")} - {""}


def test_a_preflight_allows_no_other_header(client):
    headers = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-evil, content-type"}
    answer = from_page(client, "http://localhost:5173", "/api/booking/", "OPTIONS", headers=headers)
    assert "x-evil" not in named(answer, "Access-Control-Allow-Headers")


def test_a_preflight_is_answered_before_the_limiter_and_does_not_count(environ, request):
    environ["RATE_LIMIT"] = "2 per hour"
    client = request.getfixturevalue("client")
    for _ in range(4):
        answer = from_page(client, "null", "/api/booking/", "OPTIONS", headers=PREFLIGHT)
        assert answer.status_code == 204
        assert "X-RateLimit-Remaining" not in answer.headers
    assert client.get("/api/mechanics/").headers["X-RateLimit-Remaining"] == "1"
    client.get("/api/mechanics/")
    assert client.get("/api/mechanics/").status_code == 429
    assert from_page(client, "null", "/api/booking/", "OPTIONS", headers=PREFLIGHT).status_code == 204


# --- Refusals and errors


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"])
@pytest.mark.parametrize("path", PATHS)
def test_a_refused_origin_is_403_on_every_path_with_every_method(client, path, method):
    answer = from_page(client, "https://evil.example", path, method)
    if method == "HEAD":
        assert answer.status_code == 403
    else:
        assert_forbidden(answer)


def test_a_refused_origin_changes_nothing(app, client):
    guest = book(client)["bookingToken"]
    assert_forbidden(from_page(client, "https://evil.example", "/api/booking/", "POST", json=BOOKING))
    assert_forbidden(from_page(client, "https://evil.example", "/api/booking/1", "DELETE", token=guest))
    listed = app.extensions["mechtech.db"].all("SELECT status FROM bookings")
    assert listed == [{"status": "pending"}]


def test_a_refused_origin_is_not_counted(environ, request):
    environ["RATE_LIMIT"] = "2 per hour"
    client = request.getfixturevalue("client")
    for _ in range(4):
        answer = from_page(client, "https://evil.example")
        assert_forbidden(answer)
        assert "X-RateLimit-Remaining" not in answer.headers
    assert client.get("/api/mechanics/").headers["X-RateLimit-Remaining"] == "1"


def test_errors_carry_cors_headers_so_that_a_browser_can_read_them(environ, request):
    environ["RATE_LIMIT"] = "14 per hour"
    app = request.getfixturevalue("app")
    client = Api(app.test_client())
    customer = signup(client)
    app.extensions["mechtech.db"].write("DROP TABLE contact_messages")  # for the 500
    too_long = {"data": b"{}".ljust(70_000), "content_type": "application/json"}
    calls = [
        ("POST", "/api/booking/", {"data": b"{", "content_type": "application/json"}, 400),
        ("POST", "/api/booking/", {"json": {"name": 5}}, 400),
        ("POST", "/api/booking/", too_long, 413),
        ("POST", "/api/booking/", {"data": b"{}", "content_type": "text/plain"}, 415),
        ("GET", "/api/auth/profile", {}, 401),
        ("POST", "/api/auth/login", {"json": {"email": "user@example.com", "password": "wrong"}}, 401),
        ("GET", "/api/contact/", {"token": customer}, 403),
        ("GET", "/api/nowhere", {}, 404),
        ("GET", "/api/mechanics/7", {}, 404),
        ("PATCH", "/api/mechanics/", {}, 405),
        ("POST", "/api/contact/", {"json": {"fullName": "Jo", "email": "a@b.c", "message": "Long enough"}}, 500),
        ("GET", "/nowhere", {}, 404),
        ("DELETE", "/health", {}, 405),
        ("GET", "/api/mechanics/", {}, 200),
        ("GET", "/health", {}, 200),
        ("GET", "/api/mechanics/", {}, 200),
        ("GET", "/api/mechanics/", {}, 429),
    ]
    for method, path, body, status in calls:
        answer = from_page(client, "http://localhost:5173", path, method, **body)
        assert answer.status_code == status, (method, path, answer.text)
        assert_allowed(answer, "http://localhost:5173")
        assert named(answer, "Access-Control-Expose-Headers") == EXPOSED


def test_each_header_of_cors_is_there_once(client):
    for answer in (
        from_page(client, "null"),
        from_page(client, "null", "/api/booking/", "OPTIONS", headers=PREFLIGHT),
        from_page(client, "null", "/api/nowhere"),
    ):
        names = [name.lower() for name, _ in answer.headers]
        assert len(names) == len(set(names))


def test_credentials_are_not_asked_for(client):
    answer = from_page(client, "http://localhost:5173")
    assert "Access-Control-Allow-Credentials" not in answer.headers  # tokens travel in a header, cookies do not exist
    assert answer.headers["Access-Control-Allow-Origin"] != "*"


@pytest.mark.parametrize("path", PATHS)
def test_without_an_origin_there_are_no_cors_headers_but_vary(client, path):
    answer = client.get(path)
    assert not any(name.lower().startswith("access-control") for name, _ in answer.headers)
    assert "origin" in named(answer, "Vary")
