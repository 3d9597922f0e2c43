"""What clients get through nginx, as deploy/nginx.conf sets it up."""

import gzip
import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
from contextlib import contextmanager

import pytest

from tests.conftest import CONTACT
from tests.deploy.site import NAME, ORIGIN, Site
from tests.tools import running, wait_until

pytestmark = pytest.mark.deploy

NGINX_ERRORS = [("GET", "/metrics", 404, "not_found"), ("TRACE", "/api/mechanics", 405, "method_not_allowed")]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    settings = {"MECHTECH_ENV": "production", "TRUSTED_PROXIES": "1", "CORS_ORIGINS": ORIGIN}
    settings |= {"WEB_CONCURRENCY": "1", "METRICS_TOKEN": "a-token-of-the-tests"}
    with running(folder, **settings) as service, Site(folder, service) as site:
        yield site


def check_error(answer, status: int, code: str, origin: str | None = ORIGIN):
    """The contract's shape of an error, with the headers by which a page of the origin can read it."""
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/json"
    assert set(answer.json) == {"error", "message", "requestId"}
    assert answer.json["error"] == code
    assert answer.json["requestId"] == answer.headers["X-Request-ID"]
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "Origin" in answer.headers["Vary"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Strict-Transport-Security"]
    assert "nginx/" not in answer.headers.get("Server", "")


def test_nginx_takes_the_configuration_without_a_warning(site):
    result = subprocess.run(site.nginx("-t"), capture_output=True, text=True)
    assert result.returncode == 0
    assert "[warn]" not in result.stderr and "[emerg]" not in result.stderr, result.stderr


def test_a_client_gets_http_2(site):
    url = f"https://{NAME}:{site.https_port}/health"
    where = ["--resolve", f"{NAME}:{site.https_port}:127.0.0.1", "--cacert", site.folder / "fullchain.pem"]
    # A same-origin request, which the service tells by its Host.
    told = ["-o", site.folder / "answer", "-w", "%{http_version} %{http_code}"]
    command = ["curl", "-sS", *where, *told, "-H", f"Origin: {url.removesuffix('/health')}", url]
    assert subprocess.check_output(command, text=True) == "2 200"


def test_a_foreign_name_is_refused(site):
    with pytest.raises(ssl.SSLError, match="unrecognized"):
        site.connect("other.example").connect()
    for connection in site.connect(), http.client.HTTPConnection("127.0.0.1", site.http_port, timeout=10):
        connection.request("GET", "/health", headers={"Host": "other.example"})
        with pytest.raises(http.client.RemoteDisconnected):
            connection.getresponse()


def test_a_request_without_tls_is_sent_to_https_with_its_method(site):
    for method in "GET", "POST":
        answer = site.call_http(method, "/api/contact?a=b")
        assert (answer.status, answer.headers["Location"]) == (308, f"https://{NAME}/api/contact?a=b")


def test_the_certificates_authority_finds_its_files_without_tls(site):
    folder = site.folder / "acme/.well-known/acme-challenge"
    folder.mkdir(parents=True)
    (folder / "token").write_text("the proof")
    answer = site.call_http("GET", "/.well-known/acme-challenge/token")
    assert (answer.status, answer.body) == (200, b"the proof")
    assert site.call_http("GET", "/.well-known/acme-challenge/other").status == 404


def test_a_body_over_64_kib_is_refused_by_the_service_and_over_1_mib_by_nginx_alike(site):
    headers = {"Origin": ORIGIN, "Content-Type": "application/json"}
    answers = [site.call("POST", "/api/contact", headers=headers, body=b" " * size) for size in (65_537, 1_048_577)]
    for answer in answers:
        check_error(answer, 413, "payload_too_large")
    assert answers[0].json["message"] == answers[1].json["message"]


@pytest.mark.parametrize("method, path, status, code", NGINX_ERRORS)
def test_errors_of_nginx_have_the_shape_of_the_services(site, method, path, status, code):
    check_error(site.call(method, path, headers={"Origin": ORIGIN}), status, code)
    check_error(site.call(method, path, headers={"Origin": "https://evil.example"}), status, code, origin=None)


def test_a_method_that_nginx_refuses_is_answered_with_those_allowed(site):
    assert "GET" in site.call("TRACE", "/health").headers["Allow"]


def test_a_service_that_is_away_is_a_502(site):
    site.service.kill()
    try:
        answer = site.call("POST", "/api/contact", CONTACT, headers={"Origin": ORIGIN})
        check_error(answer, 502, "unavailable")
        assert answer.headers["Retry-After"] == "1"
    finally:
        site.service.start()
    assert site.call("GET", "/health").status == 200


def test_a_service_that_does_not_answer_is_a_504(site):
    with stopped(site.service):
        check_error(site.call("GET", "/api/mechanics", headers={"Origin": ORIGIN}), 504, "unavailable")
    wait_until(lambda: site.call("GET", "/health").status == 200)


@contextmanager
def stopped(service):
    """Its processes stand still meanwhile."""
    os.killpg(service.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(service.process.pid, signal.SIGCONT)


def test_clients_that_send_slowly_take_none_of_the_services_threads(site):
    slow = [begun(site, b"POST /api/contact HTTP/1.1\r\nContent-Length: 60000\r\n", b"\r\n{") for _ in range(80)]
    try:  # one worker has 64 threads
        assert site.call("GET", "/health").status == 200
        connections = f"ss -Htn state established '( sport = :{site.service.port} )'"
        assert len(subprocess.check_output(connections, shell=True, text=True).splitlines()) < 20
    finally:
        for connection in slow:
            connection.close()


def test_a_client_that_does_not_end_its_headers_is_let_go(site):
    connection = begun(site, b"GET /health HTTP/1.1\r\n")
    connection.settimeout(15)
    assert b"200 OK" not in connection.recv(1000)


def begun(site, headers: bytes, rest: bytes = b"") -> socket.socket:
    connection = site.connect()
    connection.connect()
    first, _, more = headers.partition(b"\r\n")
    host = f"Host: {NAME}\r\n".encode()
    connection.sock.sendall(first + b"\r\n" + host + more + rest)
    return connection.sock


def test_an_address_has_100_requests_at_once(site):
    slow = [begun(site, b"POST /api/contact HTTP/1.1\r\nContent-Length: 60000\r\n", b"\r\n{") for _ in range(100)]
    try:
        check_error(site.call("GET", "/health", headers={"Origin": ORIGIN}), 429, "rate_limited")
    finally:
        for connection in slow:
            connection.close()
    wait_until(lambda: site.call("GET", "/health").status == 200)


STYLES_AND_SCRIPTS = ["/pages/style.css", "/pages/dom.js", "/docs/swagger-ui/swagger-ui-bundle.js"]


@pytest.mark.parametrize("path", ["/admin", *STYLES_AND_SCRIPTS])
def test_pages_scripts_and_styles_are_compressed_and_asked_for_again_in_vain(site, path):
    plain = site.call("GET", path)
    packed = site.call("GET", path, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 2
    assert "Accept-Encoding" in ", ".join(packed.headers.get_all("Vary"))
    known = {"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]}
    assert site.call("GET", path, headers=known).status == 304


def test_json_is_not_compressed(site):
    answer = site.call("GET", "/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert answer.json["openapi"] == "3.1.0"


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "//metrics", "/%6detrics", "/api/../metrics", "/metrics?a"])
def test_metrics_are_closed_to_the_outside(site, path):
    answer = site.call("GET", path, headers={"Authorization": "Bearer a-token-of-the-tests"})
    assert (answer.status, answer.json["error"]) == (404, "not_found")


def test_the_id_of_a_request_is_the_same_in_both_logs_and_in_the_answer(site):
    answer = site.call("GET", "/api/mechanics/1?who=me%40mail.example")
    own = answer.headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", own)
    assert answer.json["requestId"] == own
    for log in site.log, site.service.log:
        line = wait_until(lambda log=log: [line for line in log.read_text().splitlines() if f"id={own} " in line])[0]
        assert " GET /api/mechanics/1 404 " in line
        assert " 127.0.0.1 " in line


def test_a_client_may_name_its_request(site):
    assert site.call("GET", "/health", headers={"X-Request-ID": "mine-1"}).headers["X-Request-ID"] == "mine-1"
    given = site.call("GET", "/health", headers={"X-Request-ID": "a b"}).headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", given)


def test_a_client_cannot_name_its_address(site):
    own = site.call("GET", "/health", headers={"X-Forwarded-For": "203.0.113.7"}).headers["X-Request-ID"]
    assert f"id={own} 127.0.0.1 " in site.service.log.read_text()


def test_what_may_be_secret_in_a_path_is_not_logged(site):
    own = site.call("GET", "/api/booking/eyJhbGciOiJIUzI1NiJ9.e30.secret").headers["X-Request-ID"]
    line = wait_until(lambda: [line for line in site.log.read_text().splitlines() if f"id={own} " in line])[0]
    assert " GET - " in line
