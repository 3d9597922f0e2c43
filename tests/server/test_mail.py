"""Mails as they arrive at a real SMTP server, and what becomes of those that do not."""

import logging
import re
import signal
import socketserver
import sqlite3
import ssl
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from threading import Thread

import pytest
import trustme
from aiosmtpd.smtp import AuthResult

from mechtech import clock
from mechtech.mail import sender
from tests.answers import sql
from tests.commands import failed, flask, start_flask, succeeded
from tests.conftest import BOOKING, CONTACT, Api, book, complete, hire, signup, started
from tests.gunicorn_server import free_port
from tests.mail_server import Inbox, mail_server_of
from tests.tools import at_once, wait_until

OWNER, CUSTOMER = "owner@garage.example", BOOKING["email"]


@pytest.fixture(scope="module")
def shared_inbox():
    return Inbox()


@pytest.fixture(scope="module")
def port(shared_inbox):
    with mail_server_of(shared_inbox) as port:
        yield port


@pytest.fixture
def inbox(shared_inbox):
    shared_inbox.letters, shared_inbox.answers = [], []
    return shared_inbox


@pytest.fixture
def mail_server(inbox):
    """Starts a mail server, and gives its port; options as aiosmtpd's Controller takes them."""
    with ExitStack() as stack:
        yield lambda hostname="127.0.0.1", **options: stack.enter_context(mail_server_of(inbox, hostname, **options))


@pytest.fixture
def environ(environ, port, inbox):
    address = f"smtp://127.0.0.1:{port}"
    mail = {"MAIL_URL": address, "MAIL_FROM": "garage@garage.example", "OWNER_EMAIL": OWNER}
    return {**environ, **mail, "PUBLIC_URL": "https://api.example", "SITE_URL": "https://site.example"}


@pytest.fixture
def send(app):
    """Sends what is due, and makes every mail that waits due again."""

    def send():
        result = app.test_cli_runner().invoke(args=["send-mail", "--once"])
        assert result.exit_code == 0, result.output

    return send


def outbox(environ, columns="tries, sent_at IS NOT NULL, given_up_at IS NOT NULL"):
    return sql(environ["DB_PATH"], f"SELECT {columns} FROM outbox WHERE recipient <> '' ORDER BY id")


def make_due(environ):
    sql(environ["DB_PATH"], "UPDATE outbox SET due_at = created_at")


# What arrives


def test_a_new_booking_arrives_at_the_owner_with_who_where_and_what(client, send, inbox):
    book(client)
    send()
    letter = inbox.letters[0]
    assert (letter.sender, letter.recipients, letter.message["To"]) == ("garage@garage.example", [OWNER], OWNER)
    assert letter.subject == "New booking BK000001: Engine Repair"
    assert letter.message["Reply-To"] == CUSTOMER
    place = "https://www.openstreetmap.org/?mlat=40.7061&mlon=-73.9969#map=16/40.7061/-73.9969"
    link = "https://api.example/admin#BK000001"
    for told in (
        "John Doe",
        "+1 555 0100",
        CUSTOMER,
        "Toyota Corolla",
        "Brooklyn Bridge",
        "on the bridge",
        place,
        link,
    ):
        assert told in letter.text
        assert told.replace("&", "&amp;") in letter.html
    assert '<a href="tel:+15550100">' in letter.html
    assert re.search(r"Booked: +\d+ \w+ 20\d\d, \d\d:\d\d UTC", letter.text)


@pytest.mark.parametrize(
    ("latitude", "longitude", "shown"), [(-0.00001, 179.9999999, "-0.00001, 179.9999999"), (0, -180, "0, -180")]
)
def test_a_place_is_written_in_plain_digits(client, send, inbox, latitude, longitude, shown):
    book(client, latitude=latitude, longitude=longitude)
    send()
    first, second = shown.split(", ")
    for letter in inbox.letters:
        assert f"?mlat={first}&mlon={second}#map=16/{first}/{second}\r\n" in letter.text
        assert f">{shown}</a>" in letter.html


def test_the_customer_gets_a_link_that_opens_the_booking(client, send, inbox):
    book(client)
    send()
    letter = inbox.letters[1]
    assert (letter.recipients, letter.subject) == ([CUSTOMER], "BK000001: we have your booking")
    (token,) = re.findall(r"https://site\.example/booking#token=(\S+)", letter.text)
    assert f"/booking#token={token}" in letter.html
    assert client.get("/api/booking/1", token=token).status_code == 200


def test_a_message_arrives_at_the_owner(client, send, inbox):
    client.post("/api/contact/", CONTACT)
    send()
    (letter,) = inbox.letters
    assert (letter.recipients, letter.subject) == ([OWNER], "New message from Jane Roe")
    assert CONTACT["message"] in letter.text and CONTACT["message"] in letter.html
    assert letter.message["Reply-To"] == CONTACT["email"]


def test_the_customer_is_told_who_comes_what_it_cost_and_that_it_is_cancelled(client, admin, send, inbox):
    hire(client, admin)
    hire(client, admin, "ann@garage.example", name="Ann Axle", phone="+1 555 0177 ext. 4")
    book(client)
    client.put("/api/booking/1", {"status": "confirmed", "mechanicId": 1}, token=admin)
    client.put("/api/booking/1", {"mechanicId": 2}, token=admin)
    client.put("/api/booking/1", {"status": "in-progress"}, token=admin)
    client.put("/api/booking/1", {"status": "completed", "cost": 120.5}, token=admin)
    book(client)
    complete(client, admin, 2)
    client.delete(f"/api/booking/{book(client)['bookingId']}", token=admin)
    send()
    letters = [letter for letter in inbox.letters if OWNER not in letter.recipients]
    assert [letter.subject for letter in letters] == [
        "BK000001: we have your booking",
        "BK000001: help is on its way",
        "BK000001: another mechanic comes to you",
        "BK000001: the service is completed",
        "BK000002: we have your booking",
        "BK000002: help is on its way",
        "BK000002: the service is completed",
        "BK000003: we have your booking",
        "BK000003: your booking is cancelled",
    ]
    assert "Your mechanic is Max Torque, +1 555 0199." in letters[1].text
    assert '<b>Ann Axle</b>, <a href="tel:+15550177">+1 555 0177 ext. 4</a>' in letters[2].html
    assert "Cost: 120.50" in letters[3].text and "<b>Cost:</b> 120.50" in letters[3].html
    assert "mechanic" not in letters[5].text
    assert "Cost" not in letters[6].text + letters[6].html
    assert all("https://site.example/booking#token=" in letter.text for letter in letters)
    assert all("\r\n\r\n\r\n" not in letter.text for letter in letters)


def test_the_links_that_were_asked_for_arrive_and_work(client, send, inbox):
    signup(client)
    book(client)
    client.post("/api/booking/1/link", {"email": CUSTOMER.upper()})
    client.post("/api/auth/forgot", {"email": "user@example.com"})
    send()
    link, reset = inbox.letters[2:]
    assert (link.recipients, reset.recipients) == ([CUSTOMER], ["user@example.com"])
    (token,) = re.findall(r"https://site\.example/booking#token=(\S+)", link.text)
    assert client.get("/api/booking/1", token=token).status_code == 200
    (token,) = re.findall(r"https://site\.example/reset#token=(\S+)", reset.text)
    again = {"token": token, "newPassword": "another-1"}
    assert [client.post("/api/auth/reset", again).status_code for _ in range(2)] == [200, 400]


def test_markup_and_line_breaks_of_a_client_are_text(client, admin, send, inbox):
    markup = "<img src=x onerror=alert(1)>"
    texts = ("name", "vehicleType", "brand", "model", "service_type", "location")
    book(client, description=f"{markup}\nTo: everybody@mail.example", **dict.fromkeys(texts, markup))
    client.post("/api/contact/", {**CONTACT, "fullName": markup, "message": f"{markup}\r\n.\r\nQUIT"})
    hire(client, admin, name=markup)
    client.put("/api/booking/1", {"status": "confirmed", "mechanicId": 1}, token=admin)
    send()
    assert len(inbox.letters) == 4
    for letter in inbox.letters:
        assert markup in letter.text
        assert "<img" not in letter.html and "&lt;img" in letter.html
        assert len(letter.recipients) == len(letter.message.get_all("To")) == 1


def test_line_breaks_in_old_rows_make_no_headers(environ, client, send, inbox):
    book(client)
    for old, new in (("John Doe", "A\\r\\nBcc: all@mail.example\\u2028\\u0007B"), ("Engine Repair", "C\\nX-Evil: 1")):
        sql(environ["DB_PATH"], "UPDATE outbox SET content = replace(content, ?, ?)", (old, new))
    send()
    assert len(inbox.letters) == 2
    for letter in inbox.letters:
        assert letter.message["Bcc"] is None and letter.message["X-Evil"] is None
    assert inbox.letters[0].subject == "New booking BK000001: C X-Evil: 1"


@pytest.mark.parametrize("word", ["=?utf-8?b?DQpCY2M6IGFAYi5jYw==?=", "=?utf-8?q?=0d=0aBcc=3a_a=40b.cc?=", "=??q??="])
def test_an_encoded_word_of_a_client_is_text(client, send, inbox, word):
    address = f"{word}@mail.example"
    client.post("/api/contact/", {**CONTACT, "fullName": word, "email": address})
    book(client, service_type=word)
    send()
    message, booking, _ = inbox.letters
    shown = word.replace("=?", "= ?")
    assert (message.subject, booking.subject) == (f"New message from {shown}", f"New booking BK000001: {shown}")
    assert message.message["Bcc"] is booking.message["Bcc"] is message.message["Reply-To"] is None
    assert address in message.text


@pytest.mark.parametrize(
    "address",
    [
        "=?utf-8?q?a?=@b.example",
        "a@b.example,c@d.example",
        "no address",
        "a@b.example\r\nRCPT TO:<c@d.example>",
        "<a@b.example>",
    ],
)
def test_a_recipient_that_is_no_single_address_is_given_up(environ, client, send, inbox, address):
    book(client)
    sql(environ["DB_PATH"], "UPDATE outbox SET recipient = ? WHERE kind = 'booked'", (address,))
    send()
    assert [letter.recipients for letter in inbox.letters] == [[OWNER]]
    assert outbox(environ)[1] == (1, 0, 1)


# What does not arrive


def test_a_mail_is_sent_once_and_then_forgets_what_it_told(environ, client, send, inbox):
    book(client)
    send()
    send()
    assert len(inbox.letters) == 2
    assert outbox(environ, "content") == [("{}",), ("{}",)]


@pytest.mark.parametrize(
    "answer", ["550 5.1.1 <john.doe@example.com> unknown", "RCPT 550 <john.doe@example.com> unknown"]
)
def test_a_5xx_ends_a_mail_at_once_and_the_log_says_so_without_the_address(
    environ, client, send, inbox, caplog, answer
):
    book(client)
    inbox.answers = [answer]
    send()
    assert outbox(environ) == [(1, 0, 1), (1, 1, 0)]
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "given up" in line and "550" in line and "@" not in line
    make_due(environ)
    send()
    assert len(inbox.letters) == 1


@pytest.mark.parametrize("answer", ["451 later", "RCPT 450 later", "hang up"])
def test_anything_else_is_tried_again_and_keeps_back_no_other_mail(environ, client, send, inbox, answer):
    book(client)
    inbox.answers = [answer]
    send()
    assert outbox(environ) == [(1, 0, 0), (1, 1, 0)]
    send()
    assert len(inbox.letters) == 1  # the pause is not over
    make_due(environ)
    send()
    assert outbox(environ) == [(2, 1, 0), (1, 1, 0)]


@pytest.mark.parametrize(("tries", "minutes"), [(0, 1), (1, 2), (2, 4), (8, 256), (9, 360), (100, 360)])
def test_pauses_grow_from_a_minute_to_six_hours(environ, client, send, inbox, tries, minutes):
    client.post("/api/contact/", CONTACT)
    sql(environ["DB_PATH"], "UPDATE outbox SET tries = ?", (tries,))
    inbox.answers = ["451 later"]
    before = clock.now()
    send()
    ((due,),) = outbox(environ, "due_at")
    assert before <= clock.seconds(due) - minutes * 60 <= clock.now()


@pytest.mark.parametrize(("age", "given_up"), [(3 * 86400 - 60, 0), (3 * 86400, 1)])
def test_a_mail_is_tried_for_three_days(environ, client, send, inbox, age, given_up):
    client.post("/api/contact/", CONTACT)
    sql(environ["DB_PATH"], "UPDATE outbox SET created_at = ?", (clock.text(clock.now() - age),))
    inbox.answers = ["451 later"]
    send()
    assert outbox(environ) == [(1, 0, given_up)]


def test_a_mail_server_that_is_down_loses_nothing(environ, inbox, mail_server):
    port = free_port()
    app = started({**environ, "MAIL_URL": f"smtp://127.0.0.1:{port}"})
    book(Api(app.test_client()))
    assert app.test_cli_runner().invoke(args=["send-mail", "--once"]).exit_code == 0
    assert outbox(environ) == [(1, 0, 0), (1, 0, 0)]
    make_due(environ)
    app = started(environ)
    app.test_cli_runner().invoke(args=["send-mail", "--once"])
    assert outbox(environ) == [(2, 1, 0), (2, 1, 0)]


def test_a_mail_server_that_drips_is_left_and_the_mail_tried_again(environ, client, send, monkeypatch):
    monkeypatch.setattr(sender, "MAIL_SECONDS", 1)
    with dripping_server() as port:
        app = started({**environ, "MAIL_URL": f"smtp://127.0.0.1:{port}"})
        Api(app.test_client()).post("/api/contact/", CONTACT)
        app.test_cli_runner().invoke(args=["send-mail", "--once"])
    assert outbox(environ) == [(1, 0, 0)]
    make_due(environ)
    send()
    assert outbox(environ) == [(2, 1, 0)]


@contextmanager
def dripping_server():
    """The port of a server that never comes to the end of its greeting."""

    class Drip(socketserver.BaseRequestHandler):
        def handle(self):
            with suppress(OSError):
                while True:
                    self.request.sendall(b"220-wait\r\n")
                    time.sleep(0.05)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Drip) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


# The mail server's identity, and ours


@pytest.fixture
def authority(tmp_path):
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "authority.pem")
    return made


def server_context(authority, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def try_to_send(environ, scheme, host, port, credentials=""):
    app = started({**environ, "MAIL_URL": f"{scheme}://{credentials}{host}:{port}"})
    Api(app.test_client()).post("/api/contact/", CONTACT)
    assert app.test_cli_runner().invoke(args=["send-mail", "--once"]).exit_code == 0


def test_nothing_is_sent_to_another_host_without_starttls(environ, mail_server, inbox):
    try_to_send(environ, "smtp", "0.0.0.0", mail_server("0.0.0.0"))
    assert inbox.letters == []
    assert outbox(environ) == [(1, 0, 0)]


@pytest.mark.parametrize(
    ("name", "trusted", "arrives"), [("127.0.0.1", True, 1), ("127.0.0.1", False, 0), ("mail.example", True, 0)]
)
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_the_certificate_of_the_server_is_checked(
    environ, mail_server, inbox, authority, tmp_path, monkeypatch, scheme, name, trusted, arrives
):
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    context = server_context(authority, name)
    tls = {"ssl_context": context} if scheme == "smtps" else {"tls_context": context, "require_starttls": True}
    try_to_send(environ, scheme, "127.0.0.1", mail_server(**tls))
    assert len(inbox.letters) == arrives
    assert outbox(environ) == [(1, arrives, 0)]


@pytest.mark.parametrize(("password", "arrives"), [("p%40ss", 1), ("wrong", 0)])
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_it_signs_in_with_the_urls_user_and_password_and_tries_again_if_that_fails(
    environ, mail_server, inbox, password, arrives
):
    def check(server, session, envelope, mechanism, data):
        return AuthResult(success=(data.login, data.password) == (b"garage", b"p@ss"), handled=False)

    port = mail_server(authenticator=check, auth_required=True, auth_require_tls=False)
    try_to_send(environ, "smtp", "127.0.0.1", port, f"garage:{password}@")
    assert outbox(environ) == [(1, arrives, 0)]


# The command


@pytest.mark.own_database
def test_two_senders_at_once_send_no_mail_twice(environ, client, inbox):
    for _ in range(15):
        book(client)
    for result in at_once(2, lambda number: flask(environ, "send-mail", "--once")):
        succeeded(result)
    ids = [letter.message["Message-ID"] for letter in inbox.letters]
    assert len(ids) == len(set(ids)) == 30


@pytest.mark.own_database
def test_a_sender_that_waits_sends_what_comes_and_ends_at_sigterm(environ, client, inbox):
    process = start_flask(environ, "send-mail")
    try:
        book(client)
        wait_until(lambda: len(inbox.letters) == 2)
        book(client)
        wait_until(lambda: len(inbox.letters) == 4)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()


@pytest.mark.own_database
@pytest.mark.sqlite  # whose file another program can lock
def test_a_sender_outlives_a_database_that_is_locked_for_a_while(environ, client, inbox, tmp_path):
    book(client)
    (log := tmp_path / "log").touch()
    with closing(sqlite3.connect(environ["DB_PATH"], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        process = start_flask(environ, "send-mail", stderr=log)
        try:
            wait_until(lambda: "the database cannot be used: database is locked" in log.read_text())
            assert "database is locked" in failed(flask(environ, "send-mail", "--once"))
            other.execute("ROLLBACK")
            wait_until(lambda: len(inbox.letters) == 2)
            assert process.poll() is None
        finally:
            process.kill()


@pytest.mark.own_database
def test_without_mail_url_development_writes_mails_to_the_log(environ):
    environ = {**environ, "MAIL_URL": "", "MAIL_FROM": ""}
    book(Api(started(environ).test_client()))
    said = flask(environ, "send-mail", "--once").stderr
    assert "Subject: BK000001: we have your booking" in said
    assert "/booking#token=" in said
    assert outbox(environ) == [(1, 1, 0), (1, 1, 0)]


@pytest.mark.own_database
def test_without_mail_url_production_ends_the_sender_in_one_line(environ):
    environ = {**environ, "MAIL_URL": "", "MAIL_FROM": "", "MECHTECH_ENV": "production"}
    started(environ)
    assert failed(flask(environ, "send-mail")).startswith("Error: MAIL_URL is empty")


def test_nothing_is_mailed_about_the_booking_of_a_forgotten_person(environ, app, client, admin):
    book(client)
    app.test_cli_runner().invoke(args=["forget", CUSTOMER, "--yes"])
    assert client.put("/api/booking/1", {"status": "confirmed"}, token=admin).status_code == 200
    assert client.delete("/api/booking/1", token=admin).status_code == 200
    assert outbox(environ) == []


def test_forget_deletes_the_mails_about_a_person_and_purge_those_that_were_sent(environ, app, client, send, inbox):
    book(client)
    book(client, email="other@example.com")
    client.post("/api/contact/", {**CONTACT, "email": CUSTOMER})
    said = app.test_cli_runner().invoke(args=["forget", CUSTOMER, "--yes"]).output
    assert "3 mails" in said
    assert outbox(environ, "kind, recipient") == [("owner_booking", OWNER), ("booked", "other@example.com")]
    send()
    sql(environ["DB_PATH"], "UPDATE outbox SET created_at = '2020-01-01T00:00:00Z'")
    assert "2 sent mails" in app.test_cli_runner().invoke(args=["purge", "--older-than", "1d", "--yes"]).output
    assert outbox(environ) == []
