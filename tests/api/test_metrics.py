"""/metrics in one process: who gets it, and what is counted."""

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mechtech import clock
from mechtech.version import VERSION
from tests.answers import refused, sql
from tests.conftest import BOOKING, CONTACT, book, signup
from tests.gunicorn_server import ROOT
from tests.metrics import TOKEN, Numbers
from tests.tools import wait_until

pytestmark = pytest.mark.own_database

LOGIN = {"email": "customer@example.com", "password": "a wrong one"}


@pytest.fixture
def environ(environ):
    return {**environ, "METRICS_TOKEN": TOKEN}


def test_first_requests_that_come_at_once_start_one_publisher(environ, tmp_path):
    """A thread that is started twice at once puts a traceback of Python's into the log."""
    code = """
import time
from concurrent.futures import ThreadPoolExecutor
from mechtech.metrics import counts

class SlowThread(counts.Thread):
    def start(self):
        print("started")
        time.sleep(0.1)
        super().start()

counts.Thread = SlowThread
app = counts.Counts().around(lambda environ, start: [])
with ThreadPoolExecutor(8) as clients:
    list(clients.map(lambda _: app({}, None), range(8)))
"""
    assert _output(code, {**environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}) == ["started"]


def scrape(client) -> Numbers:
    answer = client.get("/metrics", token=TOKEN)
    assert answer.status_code == 200, answer.text
    return Numbers(answer.text)


def test_there_are_no_metrics_while_the_setting_is_empty(environ, request):
    environ["METRICS_TOKEN"] = ""
    client = request.getfixturevalue("client")
    for token in (None, "", TOKEN):
        refused(client.get("/metrics", token=token), 404, "not_found")


def test_nothing_is_hooked_in_and_nothing_imported_while_the_setting_is_empty(environ):
    code = """
import sys
from mechtech import create_app, signals
app = create_app()
print("prometheus_client" in sys.modules)
print(any(signal.receivers for signal in vars(signals).values() if isinstance(signal, signals.Signal)))
"""
    on, off = (_output(code, {**environ, "METRICS_TOKEN": token}) for token in (TOKEN, ""))
    assert on == ["True", "True"]
    assert off == ["False", "False"]


def _output(code: str, environ: dict) -> list[str]:
    environ = {**environ, "PATH": os.environ["PATH"]}
    return subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, env=environ, text=True).split()


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", "Bearer é"]
)
def test_another_token_or_none_is_401(client, header):
    headers = {"Authorization": header} if header is not None else {}
    refused(client.get("/metrics", headers=headers), 401, "unauthorized")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
@pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
def test_the_token_gets_prometheus_text_format(client, scheme, path):
    answer = client.get(path, headers={"Authorization": f"{scheme} {TOKEN}"})
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE mechtech_http_requests_total counter\n" in answer.text
    assert answer.text.endswith("\n")


def test_a_token_of_other_letters_works_too(environ, request):
    environ["METRICS_TOKEN"] = token = "ein-Schlüssel-für-Prometheus"
    client = request.getfixturevalue("client")
    header = f"Bearer {token}".encode().decode("latin-1")  # as WSGI has the bytes
    assert client.get("/metrics", environ_overrides={"HTTP_AUTHORIZATION": header}).status_code == 200


def test_requests_are_counted_by_rule_method_and_status(client):
    bookings = [book(client)["bookingToken"] for _ in range(3)]
    client.get("/api/booking/1", token=bookings[0])
    client.get("/api/booking/BK000002", token=bookings[1])
    client.get("/api/booking/3", token=bookings[0])
    client.get("/api/booking/999", token=bookings[0])
    client.post("/api/booking", {})
    client.call("HEAD", "/health")
    client.call("OPTIONS", "/api/booking/")
    numbers = scrape(client)
    assert numbers.requests("/api/booking/", "POST", 201) + numbers.requests("/api/booking", "POST", 201) == 3
    assert numbers.requests("/api/booking/<booking_id:id>", "GET", 200) == 2
    assert numbers.requests("/api/booking/<booking_id:id>", "GET", 404) == 2
    assert numbers.requests("/health", "HEAD", 200) == 1
    assert numbers.requests("/metrics", "GET", 200) == 0
    assert scrape(client).requests("/metrics", "GET", 200) == 1
    assert numbers.sum("mechtech_http_requests_total") == 3 + 4 + 1 + 1 + 1


def test_what_a_client_makes_up_is_no_label(client):
    for path in ("/secret-1", "/api/secret-2", "/api/booking/secret-3", "/secret-4/%0A", "/pages/secret-5"):
        assert client.get(path).status_code == 404
    for method in ("SECRET6", "PATCH", "TRACE"):
        client.call(method, "/api/booking")
    client.get("/", headers={"Origin": "https://secret-7.example"})
    text = client.get("/metrics", token=TOKEN).text
    assert "secret" not in text.lower()
    numbers = Numbers(text)
    assert numbers.requests("unmatched", "GET", 404) == 4
    assert numbers.requests("unmatched", "other", 405) == 3
    assert numbers.requests("/pages/<path:filename>", "GET", 404) == 1
    assert numbers.requests("/", "GET", 403) == 1


def test_a_500_is_counted_as_one(app, client):
    app.extensions["mechtech.db"].write("DROP TABLE contact_messages")
    assert client.post("/api/contact", CONTACT).status_code == 500
    assert scrape(client).requests("/api/contact", "POST", 500) == 1


def test_durations_are_a_histogram_of_seconds(client):
    for _ in range(5):
        client.get("/api/mechanics")
    numbers = scrape(client)
    place = ("GET", "/api/mechanics", "200")
    assert numbers.types["mechtech_http_request_duration_seconds"] == "histogram"
    assert numbers[("mechtech_http_request_duration_seconds_count", *place)] == 5
    assert 0 < numbers[("mechtech_http_request_duration_seconds_sum", *place)] < 5
    buckets = [v for k, v in numbers.items() if k[0].endswith("seconds_bucket") and set(place) < set(k)]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 5


def test_requests_under_way_are_a_gauge_that_has_the_scrape_itself(client):
    for _ in range(2):
        assert scrape(client)[("mechtech_http_requests_under_way",)] == 1


def test_nothing_waits_when_nobody_does(client):
    book(client)
    numbers = scrape(client)
    assert numbers["mechtech_database_waiting", "writer"] == 0
    assert numbers["mechtech_database_waiting", "connections"] == 0


@pytest.mark.sqlite
def test_writes_that_wait_for_the_database_are_told(app, client, environ):
    book(client)
    other = sqlite3.connect(environ["DB_PATH"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(3) as pool:
        posts = [pool.submit(app.test_client().post, "/api/contact", json=CONTACT) for _ in range(3)]
        wait_until(lambda: scrape(client)["mechtech_database_waiting", "writer"] >= 3)
        other.execute("ROLLBACK")
        assert [post.result().status_code for post in posts] == [201] * 3
    other.close()
    wait_until(lambda: scrape(client)["mechtech_database_waiting", "writer"] == 0)


@pytest.mark.sqlite
def test_the_sizes_of_group_commits_are_a_histogram(client):
    before = scrape(client)
    for _ in range(4):
        book(client)
    after = scrape(client)
    name = "mechtech_database_group_writes"
    assert after[(f"{name}_sum",)] - before[(f"{name}_sum",)] >= 4
    assert after[(f"{name}_bucket", "1.0")] - before[(f"{name}_bucket", "1.0")] >= 4


def test_each_limit_that_refuses_is_counted_under_its_name(environ, request):
    environ["RATE_LIMIT"] = "30 per hour"
    client = request.getfixturevalue("client")
    fresh = scrape(client)
    assert [fresh["mechtech_limit_refusals_total", name] for name in ("requests", "failed_logins", "links")] == [0] * 3
    assert [client.post("/api/auth/login", LOGIN).status_code for _ in range(13)] == [401] * 10 + [429] * 3
    assert [client.post("/api/auth/forgot", {"email": "a@b.example"}).status_code for _ in range(12)] == [202] * 12
    assert [client.get("/api/mechanics").status_code for _ in range(9)] == [200] * 5 + [429] * 4
    numbers = scrape(client)
    assert numbers["mechtech_limit_refusals_total", "failed_logins"] == 3
    assert numbers["mechtech_limit_refusals_total", "links"] == 2
    assert numbers["mechtech_limit_refusals_total", "requests"] == 4
    assert numbers[("mechtech_failed_logins_total",)] == 10


def test_failed_logins_are_counted_with_an_account_and_without(client):
    token = signup(client, "customer@example.com")
    assert scrape(client)[("mechtech_failed_logins_total",)] == 0
    client.post("/api/auth/login", {**LOGIN, "password": "password123"})
    client.post("/api/auth/login", LOGIN)
    client.post("/api/auth/login", {**LOGIN, "email": "nobody@example.com"})
    change = {"currentPassword": "a wrong one", "newPassword": "password124"}
    assert client.put("/api/auth/profile", change, token=token).status_code == 400
    assert scrape(client)[("mechtech_failed_logins_total",)] == 3


def test_bookings_are_told_by_status(client):
    cancelled = book(client)
    book(client)
    book(client)
    client.delete(f"/api/booking/{cancelled['bookingId']}", token=cancelled["bookingToken"])
    numbers = scrape(client)
    statuses = {key[1]: value for key, value in numbers.items() if key[0] == "mechtech_bookings"}
    assert statuses == {"pending": 2, "confirmed": 0, "in-progress": 0, "completed": 0, "cancelled": 1}


def test_the_outbox_is_told_by_its_length_and_ages(client, environ):
    names = ("mechtech_outbox_mails", "mechtech_outbox_overdue_seconds", "mechtech_outbox_oldest_seconds")
    assert [scrape(client)[(name,)] for name in names] == [0, 0, 0]
    now = clock.now()
    for due, created, sent, given_up in (
        (now - 100, now - 5000, None, None),
        (now + 900, now - 300, None, None),
        (now - 9000, now - 9000, now, None),
        (now - 9000, now - 9000, None, now),
    ):
        times = [clock.text(time) if time else None for time in (created, due, sent, given_up)]
        insert = "INSERT INTO outbox (kind, recipient, content, created_at, due_at, sent_at, given_up_at)"
        sql(environ["DB_PATH"], f"{insert} VALUES ('a', 'b', '{{}}', ?, ?, ?, ?)", times)
    mails, overdue, oldest = (scrape(client)[(name,)] for name in names)
    assert mails == 2
    assert 100 <= overdue < 200
    assert 5000 <= oldest < 5100


def test_a_mail_that_is_not_due_yet_is_not_overdue(client, environ):
    times = [clock.text(clock.now()), clock.text(clock.now() + 900)]
    insert = "INSERT INTO outbox (kind, recipient, content, created_at, due_at)"
    sql(environ["DB_PATH"], f"{insert} VALUES ('a', 'b', '{{}}', ?, ?)", times)
    numbers = scrape(client)
    assert (numbers[("mechtech_outbox_mails",)], numbers[("mechtech_outbox_overdue_seconds",)]) == (1, 0)


def test_the_version_is_told(client):
    assert scrape(client)["mechtech_build_info", VERSION] == 1


@pytest.mark.sqlite
def test_a_database_that_is_not_well_is_told_and_hides_no_other_number(client, environ):
    client.post("/api/booking", BOOKING)
    file = Path(environ["DB_PATH"])
    file.rename(f"{file}.kept")
    numbers = scrape(client)
    assert (numbers["mechtech_up", "database"], numbers["mechtech_up", "limits"]) == (0, 1)
    assert numbers.sum("mechtech_http_requests_total") == 1
    assert not numbers.sum("mechtech_bookings")
    Path(f"{file}.kept").rename(file)
    numbers = scrape(client)
    assert (numbers["mechtech_up", "database"], numbers["mechtech_bookings", "pending"]) == (1, 1)


def test_a_limiter_that_is_not_well_is_told(client, environ):
    Path(f"{environ['DB_PATH']}.hits").write_bytes(b"This is no file of limits. " * 10)
    numbers = scrape(client)
    assert (numbers["mechtech_up", "database"], numbers["mechtech_up", "limits"]) == (1, 0)
