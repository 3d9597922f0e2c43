"""The JSON layer, in front of every endpoint that takes a body, and the order of the layers around it."""

import gzip
import json
import socket
from types import SimpleNamespace

import pytest

from tests.answers import refused
from tests.conftest import BOOKING, CONTACT, MECHANIC, SECRET, book, complete, signup
from tests.gunicorn_server import Server

KIB_64 = 64 * 1024
SIGNUP = {"name": "Some User", "email": "new@example.com", "password": "password123"}
TAKING_A_BODY = {
    "POST /api/auth/signup": SIGNUP,
    "POST /api/auth/login": {"email": "user@example.com", "password": "password123"},
    "PUT /api/auth/profile": {"name": "Other Name"},
    "POST /api/booking/": BOOKING,
    "PUT /api/booking/1": {"status": "cancelled"},
    "POST /api/booking/1/review": {"rating": 5},
    "POST /api/contact/": CONTACT,
    "POST /api/mechanics/": MECHANIC,
    "PUT /api/mechanics/1": {"name": "Other Name"},
}
NEEDING_A_TOKEN = [name for name in TAKING_A_BODY if "profile" in name or "1" in name or "mechanics" in name]
every_endpoint = pytest.mark.parametrize("endpoint", TAKING_A_BODY)

NOT_AN_OBJECT = {
    "empty": b"",
    "blank": b" \n",
    "null": b"null",
    "list": b"[]",
    "list of an object": b'[{"name": "x"}]',
    "text": b'"name"',
    "number": b"5",
    "true": b"true",
    "open": b'{"name": "x"',
    "trailing": b'{"name": "x"} x',
    "two": b"{}{}",
    "single quotes": b"{'name': 'x'}",
    "last comma": b'{"name": "x",}',
    "comment": b'{"name": "x" /* y */}',
    "bare name": b"{name: 1}",
    "leading zero": b'{"a": 01}',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": Infinity}',
    "-Infinity": b'{"a": -Infinity}',
    "nested NaN": b'{"a": [{"b": NaN}]}',
    "a name twice": b'{"name": "x", "name": "y"}',
    "a nested name twice": b'{"a": {"b": 1, "b": 2}}',
    "control character": b'{"name": "a\x00b"}',
    "line break in text": b'{"name": "a\nb"}',
    "bad escape": b'{"name": "\\x41"}',
    "30,000 brackets": b"[" * 30_000,
    "10,000 brackets closed": b'{"a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "10,000 objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "60,000 digits": b'{"a": ' + b"9" * 60_000 + b"}",
    "UTF-16": json.dumps(BOOKING).encode("utf-16"),
    "UTF-16 without a mark": json.dumps(BOOKING).encode("utf-16-le"),
    "UTF-32": json.dumps(BOOKING).encode("utf-32"),
    "two byte order marks": b"\xef\xbb\xbf\xef\xbb\xbf{}",
    "byte order mark alone": b"\xef\xbb\xbf",
    "Latin-1": '{"name": "José"}'.encode("latin-1"),
    "overlong UTF-8": b'{"name": "\xc0\xaf"}',
    "surrogate as UTF-8": b'{"name": "\xed\xa0\x80"}',
    "form": b"name=x&email=y",
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
}


@pytest.fixture(scope="module")
def standing(lasting):
    """A client of an app for all that is refused."""
    signup(lasting)
    book(lasting)
    return lasting


def send(client, endpoint, data, content_type="application/json", **kwargs):
    method, path = endpoint.split()
    return client.call(method, path, data=data, content_type=content_type, **kwargs)


# --- What is no JSON object


@every_endpoint
def test_a_body_that_is_no_json_object_is_400_before_anybody_asks_who_sent_it(standing, endpoint):
    seen = {name: send(standing, endpoint, data) for name, data in NOT_AN_OBJECT.items()}
    codes = {name: (answer.status_code, answer.json["error"]) for name, answer in seen.items()}
    assert codes == dict.fromkeys(NOT_AN_OBJECT, (400, "invalid_json"))
    assert not any("fields" in answer.json for answer in seen.values())


@every_endpoint
def test_a_missing_body_is_400(standing, endpoint):
    method, path = endpoint.split()
    refused(standing.call(method, path), 400, "invalid_json")


def test_a_byte_order_mark_in_front_is_skipped(client):
    assert send(client, "POST /api/contact/", b"\xef\xbb\xbf" + json.dumps(CONTACT).encode()).status_code == 201


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('{"email": "a@b.example", "name": "x", "name": "x"}', "name"),
        ('{"deep": [{"b": 1, "c": 2, "b": 3}]}', "b"),
        ('{"": 1, "": 2}', ""),
        ('{"\\ud800": 1, "\\ud800": 2}', "\ud800"),
        (f'{{"{"n" * 60}": 1, "{"n" * 60}": 2}}', "n" * 50),
    ],
)
def test_a_name_that_stands_twice_is_told(standing, body, name):
    answer = refused(send(standing, "POST /api/contact/", body), 400, "invalid_json")
    assert answer["message"] == f'The name "{name}" stands twice in the body.'


@every_endpoint
@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "GZIP", "identity, gzip", "aes128gcm"])
def test_a_content_encoding_is_415_and_told(standing, endpoint, encoding):
    data = gzip.compress(json.dumps(TAKING_A_BODY[endpoint]).encode())
    for body in (data, b"{}"):
        answer = send(standing, endpoint, body, headers={"Content-Encoding": encoding})
        assert "Content-Encoding" in refused(answer, 415, "unsupported_media_type")["message"]


@pytest.mark.parametrize("encoding", ["", "identity", "Identity"])
def test_a_body_that_is_sent_as_it_is_is_taken(client, encoding):
    data = json.dumps(CONTACT)
    answer = send(client, "POST /api/contact/", data, headers={"Content-Encoding": encoding})
    assert answer.status_code == 201


@every_endpoint
def test_an_empty_object_is_json(standing, endpoint):
    answer = send(standing, endpoint, b"{}")
    assert answer.json["error"] in ("validation", "unauthorized")  # a profile may be updated with nothing


@every_endpoint
@pytest.mark.parametrize(
    "content_type",
    [
        *("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json"),
        *("application/jsonx", "application/xml", "*/*", "json", "", None),
    ],
)
def test_another_content_type_is_415(standing, endpoint, content_type):
    data = json.dumps(TAKING_A_BODY[endpoint]).encode()
    refused(send(standing, endpoint, data, content_type), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type", ["application/json;charset=UTF-8", "Application/JSON", "application/json ; x=y"]
)
def test_the_content_type_may_have_parameters_and_any_case(client, content_type):
    assert send(client, "POST /api/booking/", json.dumps(BOOKING), content_type).status_code == 201


@every_endpoint
def test_a_body_is_64_kib_at_most(standing, endpoint):
    refused(send(standing, endpoint, b"{}".ljust(KIB_64 + 1)), 413, "payload_too_large")
    assert send(standing, endpoint, b"{}".ljust(KIB_64)).json["error"] in ("validation", "unauthorized")


@pytest.mark.parametrize(
    "length, status", [("9" * 19, 413), ("9" * 5000, 400), ("0" * 5000, 400), ("-5", 400), ("x", 400), ("٣", 400)]
)
def test_no_length_that_is_claimed_is_a_500(client, length, status):
    """gunicorn refuses most of them itself."""
    overrides = {"CONTENT_LENGTH": length}
    assert client.client.post("/api/booking", json=BOOKING, environ_overrides=overrides).status_code == status


def test_a_body_of_64_kib_is_taken(client):
    assert send(client, "POST /api/booking/", json.dumps(BOOKING).ljust(KIB_64)).status_code == 201


# --- What JSON can say and fields cannot


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e999999", "9" * 400, "-" + "9" * 4000, "0.1e-99999999999"])
@pytest.mark.parametrize("field", ["latitude", "name", "phone", "unknown"])
def test_numbers_beyond_all_bounds_are_no_500(standing, number, field):
    body = {name: value for name, value in BOOKING.items() if name != field}
    data = json.dumps(body)[:-1] + f', "{field}": {number}}}'
    answer = send(standing, "POST /api/booking/", data)
    assert answer.status_code == (201 if field == "unknown" or (field, number[0]) == ("latitude", "0") else 400)
    assert answer.json.get("error") in (None, "validation", "invalid_json")


@pytest.mark.parametrize(
    "field", ["name", "email", "phone", "vehicleType", "brand", "model", "service_type", "description", "location"]
)
@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\udc00\ud800"])
def test_lone_surrogates_are_refused(standing, field, text):
    answer = send(standing, "POST /api/booking/", json.dumps({**BOOKING, field: text}))
    refused(answer, 400, "validation")
    assert answer.json["fields"].keys() == {field}


def test_a_pair_of_surrogates_is_a_character(client):
    made = send(client, "POST /api/booking/", json.dumps({**BOOKING, "name": "Jo \U0001f697"})).json
    assert client.get("/api/booking/1", token=made["bookingToken"]).json["booking"]["name"] == "Jo \U0001f697"


@pytest.mark.parametrize("endpoint", ["POST /api/auth/signup", "POST /api/auth/login"])
def test_a_password_of_lone_surrogates_is_refused(standing, endpoint):
    answer = send(standing, endpoint, json.dumps({**TAKING_A_BODY[endpoint], "password": "\ud800" * 8}))
    refused(answer, 400, "validation")
    assert answer.json["fields"].keys() == {"password"}


@pytest.mark.parametrize("name", ["\ud800", "", "\0", "a" * 60_000, "__proto__", "fields", "password"])
def test_unknown_names_of_a_post_are_named_as_ignored_whatever_they_are(client, name):
    answer = send(client, "POST /api/contact/", json.dumps({**CONTACT, name: {"deep": [1, None]}}))
    assert (answer.status_code, answer.json["ignored"]) == (201, [name])


@every_endpoint
def test_unknown_fields_are_named_by_the_success_of_a_post_and_are_errors_of_a_put(client, admin, endpoint):
    signup(client)
    guest = book(client)["bookingToken"]
    if "review" in endpoint:
        complete(client, admin, 1)
    client.post("/api/mechanics/", MECHANIC, token=admin)
    body = {**TAKING_A_BODY[endpoint], "unknown": 1, "role": "admin", "verifiedBy": None, "id": 99}
    if endpoint == "POST /api/mechanics/":
        body["email"] = "second@garage.example"
    answer = send(client, endpoint, json.dumps(body), token=guest if "review" in endpoint else admin)
    unknown = ["unknown", "role", "verifiedBy", "id"]
    if endpoint.startswith("PUT"):
        refused(answer, 400, "validation")
        assert answer.json["fields"].keys() == set(unknown)
    else:
        assert answer.status_code in (200, 201), answer.text
        assert answer.json["ignored"] == unknown


def test_what_a_put_does_not_know_is_told_beside_what_else_is_wrong(client, admin):
    answer = client.put("/api/auth/profile", {"email": "new@example.com", "phone": "x"}, token=admin)
    refused(answer, 400, "validation")
    assert answer.json["fields"].keys() == {"email", "phone"}


def test_the_name_of_the_sites_own_form_is_ignored_beside_the_full_name(client):
    answer = client.post("/api/contact/", {**CONTACT, "name": "Another", "subject": "Hello"})
    assert answer.json["ignored"] == ["name", "subject"]
    alone = {"name": "Jane Roe", "email": CONTACT["email"], "message": CONTACT["message"]}
    assert "ignored" not in client.post("/api/contact/", alone).json


# --- The order of the layers


@every_endpoint
def test_validation_comes_before_authorization(standing, endpoint):
    bad = {"name": 5, "email": 5, "status": 5, "rating": 0, "verified": 5, "newPassword": "short"}
    for token in (None, "bad"):
        refused(send(standing, endpoint, json.dumps(bad), token=token), 400, "validation")


@pytest.mark.parametrize("path", ["/api/booking/", "/api/contact/", "/api/mechanics/"])
def test_the_validation_of_a_query_comes_before_authorization(standing, path):
    for token in (None, "bad"):
        refused(standing.get(f"{path}?limit=0", token=token), 400, "validation")


@pytest.mark.parametrize("endpoint", NEEDING_A_TOKEN)
def test_authorization_comes_after_a_good_body(standing, endpoint):
    data = json.dumps(TAKING_A_BODY[endpoint])
    refused(send(standing, endpoint, data), 401, "unauthorized")


@every_endpoint
def test_a_bad_token_is_401_with_a_good_body_wherever_a_token_is_looked_at(client, endpoint):
    answer = send(client, endpoint, json.dumps(TAKING_A_BODY[endpoint]), token="bad")
    if endpoint.split()[1] in ("/api/auth/signup", "/api/auth/login", "/api/contact/"):
        assert answer.status_code == 201 or answer.json["error"] == "invalid_credentials"
    else:
        refused(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')


def test_each_layer_answers_before_the_next(environ, request):
    environ["RATE_LIMIT"] = "6 per hour"
    client = request.getfixturevalue("client")
    evil = {"headers": {"Origin": "https://evil.example"}}
    path = "PUT /api/auth/profile"
    refused(send(client, path, b"{", token="bad"), 400, "invalid_json")
    refused(send(client, path, b"{", "text/plain", token="bad"), 415, "unsupported_media_type")
    refused(send(client, path, b'{"name": 5}', token="bad"), 400, "validation")
    refused(send(client, path, b"{}", token="bad"), 401, "unauthorized")
    refused(send(client, "PUT /api/nowhere", b"{", token="bad"), 404, "not_found")
    refused(send(client, "PATCH /api/auth/profile", b"{", token="bad"), 405, "method_not_allowed")
    for endpoint in (path, "PUT /api/nowhere", "PATCH /api/auth/profile"):
        refused(send(client, endpoint, b"{", token="bad"), 429, "rate_limited")
        refused(send(client, endpoint, b"{", token="bad", **evil), 403, "cors_forbidden")


# --- Bodies on the wire


@pytest.fixture(scope="module")
def wire(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wire")
    environ = {"DB_PATH": str(folder / "test.db"), "JWT_SECRET": SECRET, "RATE_LIMIT": "1000000 per hour"}
    with Server({**environ, "WEB_CONCURRENCY": "1"}, folder / "server.log") as running:
        yield running


def chunked(data, size=8_000):
    return iter([data[start : start + size] for start in range(0, len(data), size)])


@pytest.mark.parametrize(
    ("size", "status"), [(1_000, 201), (KIB_64 - 1, 201), (KIB_64, 201), (KIB_64 + 1, 413), (2 * KIB_64, 413)]
)
@pytest.mark.parametrize("framing", ["chunked", "with a length"])
def test_a_body_over_64_kib_is_413_however_it_is_framed(wire, size, status, framing):
    data = json.dumps(BOOKING).encode().ljust(size)
    body = chunked(data) if framing == "chunked" else data
    answer = wire.call("POST", "/api/booking/", body=body, headers={"Content-Type": "application/json"})
    assert answer.status == status
    if status == 413:
        assert answer.json["error"] == "payload_too_large"
    assert wire.call("GET", "/health").status == 200


def test_a_body_without_a_length_is_read_no_further_than_64_kib(standing):
    asked = []

    def read(size):
        asked.append(size)
        assert sum(asked) <= 2 * KIB_64
        return b" " * size

    chunked = {"wsgi.input": SimpleNamespace(read=read), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    refused(standing.call("POST", "/api/booking/", environ_overrides=chunked), 413, "payload_too_large")


def test_a_length_over_64_kib_is_413_without_waiting_for_the_body(wire):
    with socket.create_connection(("127.0.0.1", wire.port), timeout=10) as connection:
        head = f"Host: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {10**9}\r\n\r\n"
        connection.sendall(f"POST /api/booking/ HTTP/1.1\r\n{head}{{".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_chunked_body_that_is_no_json_is_400(wire):
    headers = {"Content-Type": "application/json"}
    answer = wire.call("POST", "/api/booking/", body=chunked(b'{"name": '), headers=headers)
    assert (answer.status, answer.json["error"]) == (400, "invalid_json")
