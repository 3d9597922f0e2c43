"""The log tells what happened and keeps secrets: error paths are driven with marked ones, and none is found there."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import jwt
import pytest

from tests.conftest import BOOKING, CONTACT, SECRET
from tests.gunicorn_server import ROOT
from tests.tools import all_workers_up, book, running, settings, sign_up, sql, wait_until

# What must never be in the log: each secret has this in it.
MARK = "s3cr3tm4rk"
PASSWORD = f"password-{MARK}"
EMAIL = f"{MARK}@example.com"
TEXT = f"a text {MARK} of a customer"


def log_of(server) -> str:
    return server.log.read_text(errors="replace")


def check_silent(server, *secrets: str, since: int = 0):
    """since: how long the log was before."""
    log = log_of(server)[since:]
    for secret in (MARK, MARK.upper(), SECRET, *secrets):
        told = [line for line in log.splitlines() if secret in line]
        assert not told


def line_of(server, request_id: str) -> str:
    """The one line of this request."""
    pattern = rf"(?m)^.* id={re.escape(request_id)} [0-9a-f.:]+ [A-Z]+ /.*$"
    found = wait_until(lambda: re.findall(pattern, log_of(server)))
    assert len(found) == 1
    return found[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("log"), RATE_LIMIT="500 per hour") as server:
        yield server


def test_a_line_tells_time_id_address_method_path_status_milliseconds_and_user(server):
    token = sign_up(server, f"line-{EMAIL}")
    answer = server.call("GET", f"/api/auth/profile?note={MARK}", token=token, headers={"X-Request-ID": "my-id.1"})
    user = answer.json["user"]["id"]
    assert answer.headers["X-Request-ID"] == "my-id.1"
    time_, milliseconds = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", r"\d+\.\dms"
    assert re.fullmatch(
        rf"{time_} id=my-id\.1 127\.0\.0\.1 GET /api/auth/profile 200 {milliseconds} user={user}",
        line_of(server, "my-id.1"),
    )
    guest = server.call("GET", "/health").headers["X-Request-ID"]
    assert line_of(server, guest).endswith(" user=-")
    check_silent(server, token)


@pytest.mark.parametrize("bad", ["two words", "a\tb", "x" * 65, "<script>", f"{MARK}@example.com", "a=b", "é"])
def test_a_request_id_that_is_not_sane_is_replaced(server, bad):
    answer = server.call("GET", "/health", headers={"X-Request-ID": bad.encode("latin-1")})
    assert answer.headers["X-Request-ID"] != bad
    assert line_of(server, answer.headers["X-Request-ID"])
    check_silent(server)


def test_no_error_path_of_the_app_tells_a_secret(server):
    token = sign_up(server, f"errors-{EMAIL}")
    made = book(server, TEXT).json
    expired = jwt.encode({"userId": 1, "iat": 1, "exp": 2, "note": MARK}, SECRET, "HS256")
    secret = {"name": TEXT, "email": EMAIL, "password": PASSWORD, "message": TEXT}
    raw = json.dumps(secret).encode()
    key = {"Idempotency-Key": f"key-{MARK}"}
    as_json = {"Content-Type": "application/json"}
    calls = [
        # validation, JSON, kinds and sizes of bodies
        (400, "POST", "/api/auth/signup", {"json": {**secret, "email": f"{MARK} no address"}}),
        (400, "POST", "/api/auth/signup", {"json": {**secret, "email": f"errors-{EMAIL}"}}),
        (400, "POST", "/api/auth/signup", {"json": {**secret, "email": PASSWORD, "password": EMAIL}}),
        (400, "POST", "/api/contact/", {"body": raw[:-1], "headers": as_json}),
        (400, "POST", "/api/contact/", {"body": raw + b"\xff", "headers": as_json}),
        (400, "POST", "/api/contact/", {"body": json.dumps([secret]), "headers": as_json}),
        (415, "POST", "/api/contact/", {"body": raw, "headers": {"Content-Type": f"text/{MARK}"}}),
        (413, "POST", "/api/contact/", {"body": raw + b" " * 66_000, "headers": as_json}),
        (400, "GET", f"/api/mechanics/?limit={MARK}&specialization={EMAIL}", {}),
        (400, "GET", f"/api/booking/?cursor={token}", {"token": token}),
        (400, "POST", "/api/booking/", {"json": BOOKING, "headers": {"Idempotency-Key": f"{MARK}{'x' * 255}"}}),
        # authorization
        (401, "POST", "/api/auth/login", {"json": {"email": EMAIL, "password": PASSWORD}}),
        (401, "POST", "/api/auth/login", {"json": {"email": f"errors-{EMAIL}", "password": PASSWORD}}),
        (401, "POST", "/api/auth/login", {"json": {"email": PASSWORD, "password": PASSWORD}}),
        (401, "GET", "/api/auth/profile", {"token": f"{token}{MARK}"}),
        (401, "GET", "/api/auth/profile", {"token": expired}),
        (401, "GET", "/api/auth/profile", {"token": made["bookingToken"]}),
        (401, "GET", "/api/auth/profile", {"headers": {"Authorization": f"Basic {MARK}"}}),
        (403, "GET", "/api/contact/", {"token": token}),
        (404, "GET", f"/api/booking/{made['id']}", {"token": token}),
        (403, "GET", "/health", {"headers": {"Origin": f"https://{MARK}.example"}}),
        (404, "POST", "/api/nowhere", {"json": secret, "token": token}),
        (405, "PATCH", "/api/contact/", {"json": secret, "token": token}),
        # conflicts
        (201, "POST", "/api/contact/", {"json": {**CONTACT, "message": TEXT}, "headers": key}),
        (409, "POST", "/api/contact/", {"json": {**CONTACT, "message": f"{TEXT}!"}, "headers": key}),
        (200, "DELETE", f"/api/booking/{made['id']}", {"token": made["bookingToken"]}),
        (409, "DELETE", f"/api/booking/{made['id']}", {"token": made["bookingToken"]}),
        (400, "PUT", "/api/auth/profile", {"token": token, "json": {"newPassword": PASSWORD, "currentPassword": TEXT}}),
    ]
    for expected, method, path, kwargs in calls:
        answer = server.call(method, path, **kwargs)
        assert answer.status == expected, (method, path, answer)
        line = line_of(server, answer.headers["X-Request-ID"])
        assert f" {expected} " in line
    check_silent(server, token, made["bookingToken"], expired, "john.doe@", "jane.roe@")


@pytest.mark.parametrize(
    "raw",
    [
        f"GET /{MARK} HTTP/9.9\r\n\r\n",
        f"GET /api/mechanics?token={MARK}\r\n\r\n",
        f"GET /?token={MARK} x HTTP/1.1\r\n\r\n",
        f"{MARK}\r\n\r\n",
        f"GET / HTTP/1.1\r\nAuthorization {MARK}\r\n\r\n",
        f"GET / HTTP/1.1\r\nAuthorization : Bearer {MARK}\r\n\r\n",
        f"GET / HTTP/1.1\r\nAuthorization: Bearer {MARK}\x00\r\n\r\n",
        f"GET / HTTP/1.1\r\nA: b\r\n {MARK}\r\n\r\n",
        f"POST /api/contact/?token={MARK} HTTP/1.1\r\nContent-Length: {MARK}\r\n\r\n",
        f"POST /api/contact/?token={MARK} HTTP/1.1\r\nTransfer-Encoding: {MARK}\r\n\r\n",
        f"POST /api/contact/?token={MARK} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{MARK}\r\n",
        f"POST /api/contact/?token={MARK} HTTP/1.1\r\nContent-Length: 500\r\n\r\n{MARK}",
        f"GET /?token={MARK} HTTP/1.1\r\nExpect: {MARK}\r\n\r\n",
        f"GET /{MARK}{'a' * 9000} HTTP/1.1\r\n\r\n",
        f"GET / HTTP/1.1\r\nAuthorization: {MARK}{'a' * 10_000}\r\n\r\n",
    ],
    ids=range(15),
)
def test_malformed_http_does_not_bring_its_secrets_into_the_log(server, raw):
    before = len(log_of(server))
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(raw.encode())
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    # What is still on its way to the log comes before the line of a request made now.
    line_of(server, server.call("GET", "/health").headers["X-Request-ID"])
    check_silent(server, since=before)


def test_a_500_has_its_traceback_in_the_log_under_its_id_and_nowhere_else(tmp_path):
    # One worker: a second that starts later would make the tables anew.
    with running(tmp_path, WEB_CONCURRENCY="1") as server:
        token = sign_up(server, EMAIL)
        path = server.environ["DB_PATH"]
        for table in ("contact_messages", "booking_history", "service_history"):
            sql(path, f"DROP TABLE {table}")
        broken = [
            server.call("POST", "/api/contact/", {**CONTACT, "message": TEXT}, headers={"Idempotency-Key": MARK}),
            server.call("GET", "/api/booking/", token=token),
        ]
        for answer in broken:
            assert answer.status == 500
            assert answer.json.keys() == {"error", "message", "requestId"}
            assert answer.json["error"] == "server_error"
            assert not re.search(rb"Traceback|sqlite|table|contact_messages|booking_history|\.py", answer.body)
            request_id = answer.json["requestId"]
            assert " 500 " in line_of(server, request_id)
            after = log_of(server).split(f"id={request_id} unforeseen")[1]
            assert after.lstrip().startswith("Traceback (most recent call last):")
            assert "no such table" in after
        # Nothing half-written: the booking went back with its history.
        assert sql(path, "SELECT COUNT(*) FROM bookings") == [(0,)]
        assert log_of(server).count("Traceback") == len(broken)
        check_silent(server, token)


def test_a_503_is_told_in_one_line_without_secrets(tmp_path):
    with running(tmp_path) as server:
        token = sign_up(server, EMAIL)
        (tmp_path / "test.db").rename(tmp_path / "aside")
        answer = book(server, TEXT, token=token)
        assert answer.status == 503
        request_id = answer.headers["X-Request-ID"]
        assert re.search(rf"(?m)^.* ERROR id={request_id} unavailable: .*$", log_of(server))
        (tmp_path / "test.db.hits").rename(tmp_path / "aside.hits")
        (tmp_path / "test.db.hits").write_bytes(os.urandom(10_000))
        body = {"email": EMAIL, "password": PASSWORD}
        wait_until(lambda: server.call("GET", "/api/mechanics/") and "not a file of rate limits" in log_of(server))
        assert server.call("POST", "/api/auth/login", body, token=token).status == 503
        assert "Traceback" not in log_of(server)
        check_silent(server, token)


def test_settings_keep_their_secrets_too(tmp_path):
    """A storage that does not answer, at an address with a password in it."""
    uri = f"redis://:{MARK}@127.0.0.1:1/0"
    with running(tmp_path, RATE_LIMIT_STORAGE=uri, WEB_CONCURRENCY="1") as server:
        started = time.monotonic()
        answer = server.call("POST", "/api/contact/", {**CONTACT, "message": TEXT})
        assert answer.status == 503
        assert time.monotonic() - started < 5
        check_silent(server)


def objects(server) -> list[dict]:
    """The lines of a JSON log, each of which must be an object with its time and level."""
    lines = [json.loads(line) for line in log_of(server).splitlines()]
    assert all({"time", "level"} <= line.keys() for line in lines)
    return lines


def test_every_line_of_a_json_log_is_an_object(tmp_path):
    with running(tmp_path, LOG_FORMAT="json") as server:
        token = sign_up(server, f"json-{EMAIL}")
        answer = server.call("GET", f"/api/auth/profile/{token}", token=token)
        user = server.call("GET", "/api/auth/profile", token=token).json["user"]["id"]
        server.call("POST", "/api/auth/login", {"email": f"json-{EMAIL}", "password": "wrong-password"})
        wait_until(lambda: "/api/auth/login" in log_of(server))
        server.stop()
    lines = objects(server)
    (lost,) = [line for line in lines if line.get("request_id") == answer.headers["X-Request-ID"]]
    assert (lost["path"], lost["status"], lost["route"]) == ("/api/auth/profile/-", 404, None)
    (login,) = [line for line in lines if line.get("route") == "/api/auth/login"]
    assert (login["status"], login["user"], login["method"]) == (401, user, "POST")
    check_silent(server, token)


def test_a_json_log_stays_one_through_errors_crashes_and_a_reload(tmp_path):
    with running(tmp_path, LOG_FORMAT="json", DB_PATH=str(tmp_path / "test.db")) as server:
        all_workers_up(server)
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            connection.sendall(f"GET /{MARK} HTTP/9.9\r\n\r\n".encode())
            assert connection.recv(1000)
        sql(tmp_path / "test.db", "DROP TABLE contact_messages")
        failed = server.call("POST", "/api/contact/", {**CONTACT, "message": TEXT})
        before = server.workers()
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: len(server.workers()) == 2 and before[0] not in server.workers())
        before = server.workers()
        server.signal(signal.SIGHUP)
        wait_until(lambda: len(server.workers()) == 2 and not set(before) & set(server.workers()))
        all_workers_up(server)
        server.stop()
    lines = objects(server)
    (error,) = [line for line in lines if "traceback" in line]
    assert (error["level"], error["request_id"]) == ("ERROR", failed.headers["X-Request-ID"])
    assert "no such table" in error["traceback"]
    (settings_told,) = [line["message"] for line in lines if " mode: " in line.get("message", "")]
    assert "LOG_FORMAT=json" in settings_told
    check_silent(server)


def test_a_library_and_pythons_warnings_write_such_lines_too(tmp_path):
    code = """
import logging, warnings
from mechtech import create_app, settings
from mechtech.web.request_log import logging_config
loaded = settings.load()
logging.config.dictConfig(logging_config(loaded.log_format))
create_app(loaded)
logging.getLogger("some.package").warning("in two\\nlines")
logging.getLogger("some.package").info("of no interest")
warnings.warn("a warning", RuntimeWarning)
"""
    environ = {**settings(tmp_path, LOG_FORMAT="json"), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", f"import logging.config{code}"]
    log = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stderr
    library, warning = [json.loads(line) for line in log.splitlines()]
    assert (library["level"], library["message"]) == ("WARNING", "in two\nlines")
    assert "RuntimeWarning: a warning" in warning["message"]
