"""Hostile input earns no 500: each answer has the contract's shape, comes quickly and tells nothing of the inside."""

import json
import os
import re
import socket
import time
from functools import cache
from urllib.parse import quote

import jwt
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mechtech import create_app
from mechtech.settings import from_environment
from tests.apps import fast_folder
from tests.conftest import BOOKING, CONTACT, MECHANIC, SECRET, Api, book, hire, make_admin, signup
from tests.tools import check_refusal, running
from tests.tools import settings as environment

# The same examples in every run; make soak sets another number of them.
EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "25"))
battery = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
SECONDS = 15.0  # an answer takes milliseconds; a noisy machine is no reason to fail

BODIES = {
    ("POST", "/api/auth/signup"): {
        **{"name": "Some User", "email": "hostile@example.com", "password": "password123"},
        **{"confirmPassword": "password123", "phone": "+1 555 0100"},
    },
    ("POST", "/api/auth/login"): {"email": "customer@example.com", "password": "password123"},
    ("PUT", "/api/auth/profile"): {
        **{"name": "Other Name", "phone": "+1 555 0101", "newPassword": "password124"},
        "currentPassword": "password123",
    },
    ("POST", "/api/booking"): BOOKING,
    ("PUT", "/api/booking/<booking_id:id>"): {
        **{"status": "completed", "mechanicId": 1, "cost": 9.5, "serviceDate": "2026-01-19T10:30:00Z"},
    },
    ("POST", "/api/booking/<booking_id:id>/review"): {"rating": 5, "review": "Quick and friendly."},
    ("POST", "/api/contact"): CONTACT,
    ("POST", "/api/mechanics"): {
        **MECHANIC,
        **{"latitude": 1, "longitude": 2, "experience_years": 3, "specializations": "Towing"},
    },
    ("PUT", "/api/mechanics/<row_id:id>"): {"name": "Max Torque", "verified": 1},
}
QUERIES = {
    "/api/booking": {"limit": "2", "cursor": None, "status": "pending"},
    "/api/contact": {"limit": "2", "cursor": None, "status": "read"},
    "/api/mechanics": {
        **{"latitude": "40.7", "longitude": "-74", "radius": "10", "specialization": "tow", "available": "true"},
        "limit": "2",
    },
}
HEADERS = (
    *("Authorization", "Idempotency-Key", "Origin", "Host", "X-Request-ID", "Content-Type", "Accept", "Cookie"),
    *("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Access-Control-Request-Method", "Range", "Expect"),
    *("X-HTTP-Method-Override", "Content-Encoding", "Transfer-Encoding", "If-None-Match", "Forwarded", "User-Agent"),
)

NASTY = [
    *(
        "",
        " ",
        "\x00",
        "\ud800",
        "\udfff\ud800",
        "\u202e",
        "\ufeff",
        "é" * 36,
        "\U0001d54f" * 60,
        "a" * 101,
        "a" * 5001,
    ),
    *("'", "' OR '1'='1", "'; DROP TABLE users; --", '"', "%", "%s%n", "\\", "{{7*7}}", "${7*7}", "<script>alert(1)"),
    *("../../etc/passwd", "٣", "1_000", "0x10", "1e400", "-1e400", "nan", "NaN", "Infinity", "-0", "1.0", "1e2"),
    *("9" * 20, "9" * 400, "-1", "0", "true", "null", "[]", "{}", "a@b", "a@b.c\n", "A@EXAMPLE.COM", "a@[127.0.0.1]"),
    *("2026-02-30", "0000-00-00", "9999-12-31T23:59:60Z", "10000-01-01", "0001-01-01", "2026-01-19T24:00:00Z"),
    *("completed", "cancelled", "in-progress", "read", "(a+)+$", "a" * 30 + "!", "\r\nSet-Cookie: a=b", "\n", "\t"),
]
NUMBERS = [
    *(0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64, 10**400, 0.1, -0.0, 5e-324, 1e308, 1e16, 7.9),
    *(float("inf"), float("-inf"), float("nan"), True, False, 90.0000001, 180, 10_000_000.5, 1e-7),
]
texts = st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=()), max_size=30))
scalars = st.one_of(st.none(), st.booleans(), st.sampled_from(NUMBERS), st.integers(), st.floats(), texts)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
latin = st.one_of(
    st.sampled_from(NASTY).map(lambda text: text.encode("utf-8", "surrogatepass").decode("latin-1")),
    st.text(st.characters(max_codepoint=255), max_size=40),
).map(lambda text: re.sub(r"[\r\n]", " ", text))  # a server splits headers at line ends before the app sees them


@cache
def world(folder):
    """An app with one of everything, and who may do anything in it. State may change: no answer here depends on it."""
    environ = {**environment(folder), "MECHANIC_CAPACITY": "1000"}
    app = create_app(from_environment(environ))
    client = Api(app.test_client())
    signup(client, "customer@example.com")
    admin = make_admin(app, client, "admin@example.com")
    hire(client, admin)
    booking = book(client)
    return app, client, {"admin": admin, "guest": booking["bookingToken"], "nobody": None}


@pytest.fixture(scope="module")
def folder():
    with fast_folder() as folder:
        yield folder


def endpoints(folder) -> list[tuple[str, str]]:
    return [
        (method, rule.rule)
        for rule in world(folder)[0].url_map.iter_rules()
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"})
    ]


def send(folder, method, path, token=None, headers=None, query="", **kwargs):
    """And look at the answer. The path and the query go in as they are, as a server would hand them on."""
    app, client, tokens = world(folder)
    raw = {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_URI": path, "RAW_URI": path}
    started = time.monotonic()
    answer = client.call(method, "/", token=token, headers=headers, environ_overrides=raw, **kwargs)
    took = time.monotonic() - started
    about = f"{method} {path!r} {query!r} {headers} {kwargs} → {answer.status_code} {answer.text[:300]}"
    assert answer.status_code < 500, about
    assert took < SECONDS, about
    assert answer.headers["X-Request-ID"] and answer.headers["X-Content-Type-Options"] == "nosniff", about
    if answer.status_code >= 400 and method != "HEAD":
        check_refusal(answer.status_code, answer.headers, answer.json)
    elif method != "OPTIONS" and method != "HEAD":
        assert isinstance(answer.json, dict) or answer.mimetype == "text/html", about
    if "/auth/" in path:  # it may have ended the admin's token, which the later requests need
        key = jwt.decode(tokens["admin"], SECRET, ["HS256"])["key"]
        app.extensions["mechtech.db"].write("UPDATE users SET token_key = :key WHERE role = 'admin'", {"key": key})
    return answer


def address(rule: str, id="1") -> str:
    return re.sub("<.*?>", id, rule)


def as_json(value) -> bytes:
    return json.dumps(value).encode()


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("endpoint", sorted(BODIES), ids=" ".join)
def test_no_field_of_a_body_earns_a_500(folder, endpoint):
    method, rule = endpoint
    good = BODIES[endpoint]

    @battery
    @given(st.data())
    def run(data):
        body = dict(good)
        for name in data.draw(st.lists(st.sampled_from(sorted(good)), min_size=1, max_size=3, unique=True)):
            body[name] = data.draw(values)
        for name in data.draw(st.lists(st.sampled_from(sorted(good)), max_size=2)):
            body.pop(name, None)
        token = world(folder)[2][data.draw(st.sampled_from(["admin", "guest", "nobody"]))]
        send(folder, method, address(rule), token, JSON, data=as_json(body))

    run()


@pytest.mark.parametrize("endpoint", sorted(BODIES), ids=" ".join)
def test_each_field_alone_takes_every_nasty_value(folder, endpoint):
    """Exhaustively, where the battery above samples: each value in each field, the others being right."""
    method, rule = endpoint
    for name in BODIES[endpoint]:
        for value in [*NASTY, *NUMBERS, None, [], {}, [[]], {"a": 1}, ["a"]]:
            body = as_json({**BODIES[endpoint], name: value})
            send(folder, method, address(rule), world(folder)[2]["admin"], JSON, data=body)


broken = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            *(b"", b"null", b"[]", b"1", b'"text"', b"{", b'{"a":1', b"{'a':1}", b'{"a":1}x', b'{"a":1,"a":2}'),
            *(b"[" * 30_000, b'{"a":' * 8_000, b'{"email":NaN}', b'{"email":1e400}', b'{"a":' + b"9" * 5000 + b"}"),
            *(
                b"\xff\xfe",
                '{"email":"a"}'.encode("utf-16"),
                b"\xef\xbb\xbf{}",
                b'{"email":"\\ud800"}',
                b'{"\\ud800":1}',
            ),
            *(b'{"email":"\xff"}', b"a=b", b"{}" + b" " * 65_535, b" " * 65_537, b'{"a":"' + b"x" * 66_000 + b'"}'),
        ]
    ),
)


def is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


@pytest.mark.parametrize("endpoint", sorted(BODIES), ids=" ".join)
def test_no_broken_body_earns_a_500(folder, endpoint):
    method, rule = endpoint
    kinds = [
        "application/json",
        "application/json; charset=utf-16",
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
    ]

    @battery
    @given(broken, st.sampled_from(kinds), st.sampled_from(["admin", "nobody"]))
    def run(body, kind, who):
        assume(not (rule == "/api/auth/profile" and is_object(body)))  # there, names that are not known are no mistake
        answer = send(folder, method, address(rule), world(folder)[2][who], {"Content-Type": kind}, data=body)
        assert answer.status_code in (400, 401, 403, 413, 415), answer.text

    run()


@pytest.mark.parametrize("path", sorted(QUERIES))
def test_no_query_earns_a_500(folder, path):
    good = {name: value for name, value in QUERIES[path].items() if value is not None}

    @battery
    @given(st.data())
    def run(data):
        query = dict(good)
        for name in data.draw(st.lists(st.sampled_from(sorted(QUERIES[path])), max_size=3, unique=True)):
            query[name] = data.draw(texts).encode("utf-8", "surrogatepass")
        text = "&".join(f"{quote(name)}={quote(value)}" for name, value in query.items())
        text += data.draw(st.sampled_from(["", "&", "&&=", "&limit=3", "&a[]=1", "&%zz", "&%ff=%ff", ";"]))
        send(folder, "GET", path, world(folder)[2]["admin"], query=text)

    run()

    @battery
    @given(latin)
    def run_raw(text):
        send(folder, "GET", path, world(folder)[2]["admin"], query=text)

    run_raw()
    for name in QUERIES[path]:
        for value in NASTY:
            text = f"{name}={quote(value.encode('utf-8', 'surrogatepass'))}"
            send(folder, "GET", path, world(folder)[2]["admin"], query=text)


def test_no_path_earns_a_500(folder):
    rules = endpoints(folder)

    @settings(battery, max_examples=EXAMPLES * 5)
    @given(st.sampled_from(rules), latin, st.sampled_from(["admin", "guest", "nobody"]))
    def run(endpoint, text, who):
        method, rule = endpoint
        token = world(folder)[2][who]
        send(folder, method, address(rule, text.replace("\\", "")), token, JSON, data=b"{}")
        send(folder, method, f"/api/{text}", token)

    run()
    nasty = [
        "1",
        "0",
        "-1",
        "+1",
        "01",
        "BK1",
        "bk000001",
        "BKBK1",
        "1.0",
        "1e3",
        "٣".encode().decode("latin-1"),
        "9" * 15,
    ]
    for value in [*nasty, "9" * 16, "9" * 5000, str(2**63), "1%00", "1;", "1/..", "..", "", "null", "1\n", " 1", "²"]:
        for method, rule in rules:
            if "<" in rule:
                send(folder, method, address(rule, value), world(folder)[2]["admin"], JSON, data=b"{}")


def test_no_header_earns_a_500(folder):
    @settings(battery, max_examples=EXAMPLES * 8)
    @given(st.sampled_from(endpoints(folder)), st.dictionaries(st.sampled_from(HEADERS), latin, min_size=1, max_size=3))
    def run(endpoint, headers):
        method, rule = endpoint
        send(folder, method, address(rule), None, {**JSON, **headers}, data=as_json(BODIES.get(endpoint, {})))

    run()
    for name in HEADERS:
        for value in [
            "",
            " ",
            "Bearer",
            "Bearer ",
            "Bearer a.b.c",
            "Basic YTpi",
            "\xff" * 300,
            "a" * 256,
            ",",
            "[::1",
            "a b",
        ]:
            send(folder, "POST", "/api/booking", None, {**JSON, name: value}, data=as_json(BOOKING))


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "X"]
)
def test_no_method_earns_a_500(folder, method):
    for rule in {rule for _, rule in endpoints(folder)} | {"/nowhere", "/api", "/api/nowhere", "//", "/api//booking"}:
        for origin in ({}, {"Origin": "http://localhost:5173", "Access-Control-Request-Method": method}):
            send(folder, method, address(rule), world(folder)[2]["admin"], origin)


def test_no_token_earns_a_500(folder):
    """Signed with the right key, so that nothing but its content is wrong; and not signed at all."""
    claims = {"userId": 1, "bookingId": 1, "iat": int(time.time()), "exp": int(time.time()) + 3600}
    plain = st.one_of(st.none(), st.booleans(), st.sampled_from(NUMBERS), st.integers(), st.floats(), texts)

    @settings(battery, max_examples=EXAMPLES * 5)
    @given(st.data())
    def run(data):
        payload = {}
        for name in data.draw(st.lists(st.sampled_from(sorted(claims)), unique=True)):
            payload[name] = data.draw(st.one_of(st.just(claims[name]), plain, st.lists(plain, max_size=2)))
        payload |= data.draw(st.dictionaries(st.sampled_from(["sub", "nbf", "aud", "iss", "jti", "crit"]), plain))
        header = data.draw(st.dictionaries(st.sampled_from(["kid", "typ", "cty", "jku", "crit", "b64", "x5u"]), values))
        body, head = (
            as_json(payload),
            {"alg": data.draw(st.sampled_from(["HS256", "none", "HS512", "RS256", ""])), **header},
        )
        token = signed(head, body)
        if data.draw(st.booleans()):
            cut = data.draw(st.integers(0, len(token)))
            token = token[:cut] + data.draw(st.sampled_from(["", ".", "=", "A", "é", " ", "\x00", "-_"])) + token[cut:]
        for path in ("/api/auth/profile", "/api/booking/1"):
            send(folder, "GET", path, token)
        send(folder, "GET", "/api/booking", world(folder)[2]["admin"], query=f"cursor={quote(token)}")

    run()


def signed(header: dict, payload: bytes) -> str:
    parts = [jwt.utils.base64url_encode(part).decode() for part in (as_json(header), payload)]
    key = jwt.get_algorithm_by_name("HS256").prepare_key(SECRET)
    signature = jwt.get_algorithm_by_name("HS256").sign(".".join(parts).encode(), key)
    return ".".join([*parts, jwt.utils.base64url_encode(signature).decode()])


def test_a_mechanic_id_beyond_what_the_database_holds_is_a_400(folder):
    """Found by the battery: it became a float, and with that one too many."""
    _, client, tokens = world(folder)
    path = f"/api/booking/{book(client)['bookingId']}"
    for value in (2**63 - 1, 2**63, 10**400):
        answer = send(folder, "PUT", path, tokens["admin"], JSON, data=as_json({"mechanicId": value}))
        assert answer.status_code == 400
        assert "mechanicId" in answer.json["fields"]


# On the wire, where gunicorn reads.


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("wire")) as server:
        yield server
        assert server.call("GET", "/health").status == 200
        log = server.log.read_text()
        assert "Traceback" not in log and "unforeseen" not in log and " 500 " not in log


def wire(server, *pieces: bytes, seconds: float = 5) -> bytes:
    """Everything that is answered to these bytes, which are all that is sent."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # answered and closed before all was sent
        answer = b""
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionResetError:
            pass
        return answer


def answers(raw: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] ([0-9]{3}) ", raw)]


HOST = b"Host: 127.0.0.1\r\n"
POST = b"POST /api/contact/ HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
BODY = as_json(CONTACT)
SMUGGLED = b"GET /api/mechanics/ HTTP/1.1\r\n" + HOST + b"\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n\r\n",
        b"\x00\x01\x02\xff\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / FTP/1.1\r\n\r\n",
        b"get / HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /\x00 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\nNo-Colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nBad Name: a\r\n\r\n",
        b"GET / HTTP/1.1\r\n: empty\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\x00c\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"a" * 10_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        POST + b"Content-Length: -1\r\n\r\n" + BODY,
        POST + b"Content-Length: +5\r\n\r\n" + BODY,
        POST + b"Content-Length: abc\r\n\r\n" + BODY,
        POST + b"Content-Length: 5, 5\r\n\r\n" + BODY,
        POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n" + BODY,
        POST + LENGTH + b"Content-Length: 5\r\n\r\n" + BODY,
        POST + CHUNKED + b"\r\nzz\r\n" + BODY,
        POST + CHUNKED + b"\r\n-5\r\n" + BODY,
        POST + CHUNKED + b"\r\n5\r\nabcdefgh\r\n0\r\n\r\n",
        POST + CHUNKED + b"\r\nffffffffffffffffffff\r\n" + BODY,
        POST + CHUNKED + b"\r\n%x\r\n" % len(BODY) + BODY,
        POST + CHUNKED + b"\r\n%x\r\n" % (len(BODY) + 100) + BODY,
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: identity\r\n\r\n" + BODY,
        POST + b"Content-Length: %d\r\n\r\n" % (len(BODY) + 100) + BODY,
        POST + b"Content-Length: 10000000\r\n\r\n" + BODY,
    ],
)
def test_malformed_http_is_refused(server, raw):
    """Or gets no answer at all; and nothing of the inside is told."""
    answer = wire(server, raw)
    assert all(400 <= status < 500 or status in (501, 505) for status in answers(answer)), answer
    assert len(answers(answer)) <= 1
    told = answer.replace(b"Server: gunicorn\r\n", b"")  # a name without a version
    assert not re.search(rb"Traceback|File \"|gunicorn|python|werkzeug", told, re.IGNORECASE), answer


@pytest.mark.parametrize(
    "query", [b"\x80", b"status=\xff", b"limit=1&cursor=\xc3\x28", b"%80", b"status=%ff", b"a\xe9=b"]
)
def test_bytes_that_are_no_text_in_a_query_are_no_500(server, query):
    """Found by the battery."""
    raw = wire(server, b"GET /api/mechanics/?" + query + b" HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
    assert answers(raw) in ([200], [400]), raw


@pytest.mark.parametrize(
    "raw",
    [
        POST + LENGTH + CHUNKED + b"\r\n0\r\n\r\n" + SMUGGLED,
        POST + CHUNKED + LENGTH + b"\r\n0\r\n\r\n" + SMUGGLED,
        POST + b"Content-Length: 0\r\nTransfer-Encoding : chunked\r\n\r\n" + SMUGGLED,
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
        POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        POST + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
        POST + b"Content_Length: 0\r\n" + LENGTH + b"\r\n" + SMUGGLED,
        POST + b"X: y\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    ],
)
def test_no_second_request_is_smuggled_in_a_first(server, raw):
    answer = wire(server, raw)
    assert len(answers(answer)) <= 1, answer
    assert all(400 <= status < 500 or status in (501, 505) for status in answers(answer)), answer


@pytest.mark.parametrize(
    "header",
    [
        *(
            b"SCRIPT_NAME: /api",
            b"SCRIPT-NAME: /api",
            b"Script_Name: /nowhere",
            b"PATH_INFO: /",
            b"REMOTE_ADDR: 8.8.8.8",
        ),
        *(
            b"REMOTE_USER: 1",
            b"X-Forwarded-For: 1.2.3.4",
            b"X-Forwarded-Prefix: /api",
            b"X-Forwarded-Host: evil.example",
        ),
        *(b"X-Forwarded-Proto: https", b"X-Forwarded-Ssl: on", b"Forwarded: for=1.2.3.4;host=evil.example;proto=https"),
        *(b"X-Original-URL: /api/contact", b"X-Rewrite-URL: /api/contact", b"X-HTTP-Method-Override: DELETE"),
        *(b"wsgi.url_scheme: https", b"HTTP_AUTHORIZATION: Bearer x", b"Proxy: http://evil.example", b"Upgrade: h2c"),
    ],
)
def test_a_header_that_only_a_proxy_may_send_changes_nothing(server, header):
    def ask(extra):
        raw = wire(server, b"GET /api/mechanics/7/ HTTP/1.1\r\nConnection: close\r\n" + HOST + extra + b"\r\n")
        return answers(raw), re.search(rb"X-RateLimit-Remaining: ([0-9]+)", raw, re.IGNORECASE)

    (status, before), (status_too, after) = ask(b""), ask(header + b"\r\n")
    assert status == status_too == [404]
    assert int(after[1]) == int(before[1]) - 1, "it was counted for another address"


@pytest.mark.parametrize(
    "host", [b"", b"a b", b"evil.example", b"[::1", b"127.0.0.1:99999999", b"\xff", b"a" * 5000, b"/", b"a,b", b"a@b"]
)
def test_a_bad_host_does_not_matter(server, host):
    raw = b"GET /health HTTP/1.1\r\nConnection: close\r\nOrigin: http://localhost\r\nHost: " + host + b"\r\n\r\n"
    answer = wire(server, raw)
    assert set(answers(answer)) <= {200, 400}, answer
    assert b"evil" not in answer and b"Traceback" not in answer


def test_a_scheme_that_a_client_claims_makes_no_origin_its_own(server):
    def ask(origin, extra=b""):
        raw = b"GET /health HTTP/1.1\r\nConnection: close\r\nHost: mechtech.example\r\nOrigin: " + origin + b"\r\n"
        return answers(wire(server, raw + extra + b"\r\n"))

    assert ask(b"http://mechtech.example") == [200]
    assert ask(b"https://mechtech.example", b"X-Forwarded-Proto: https\r\n") == [403]
    assert ask(b"http://evil.example", b"X-Forwarded-Host: evil.example\r\n") == [403]


def test_a_body_that_is_shorter_than_it_says_makes_nothing(server):
    before = server.call("POST", "/api/contact/", CONTACT).json["id"]
    for raw in (b"Content-Length: %d\r\n\r\n" % (len(BODY) + 1), CHUNKED + b"\r\n%x\r\n" % (len(BODY) + 1)):
        assert answers(wire(server, POST + raw + BODY)) in ([], [400])
    assert server.call("POST", "/api/contact/", CONTACT).json["id"] == before + 1
