"""The outbox: which mails a booking, a message and a link set off, and what is told to whom when they are written."""

import json
import time

import jwt
import pytest

from mechtech import clock
from mechtech.mail import outbox
from mechtech.mail.letters import letter
from tests.answers import refused, sql, wrong_fields
from tests.conftest import BOOKING, CONTACT, SECRET, Api, book, hire, signup, started

OWNER = "owner@garage.example"
# What the first version with an outbox wrote down; a column that is added since must not keep such mails back.
FIRST_FACTS = {
    **{"id": 1, "reference": "BK000001", "name": "John Doe", "email": "john.doe@example.com", "phone": None},
    **{"vehicle_type": "Car", "vehicle_brand": "Toyota", "vehicle_model": "Corolla", "service_type": "Towing"},
    **{"description": None, "location": None, "latitude": None, "longitude": None, "cost": 75.5},
    **{"created_at": "2026-01-19T10:30:00Z", "mechanic": {"name": "Max Torque", "phone": "+1 555 0199"}},
}
MAIL = {"MAIL_URL": "smtp://127.0.0.1:1", "MAIL_FROM": "garage@garage.example", "PUBLIC_URL": "https://garage.example"}
LIVE = {"MECHTECH_ENV": "production", "OWNER_EMAIL": OWNER}
PERSON = {"email": "user@example.com", "password": "password123"}


@pytest.fixture
def environ(environ):
    return {**environ, "OWNER_EMAIL": OWNER}


def mails(environ, *kinds):
    """(kind, recipient, content) of each mail that is written down, of these kinds or of all, oldest first."""
    rows = sql(environ["DB_PATH"], "SELECT kind, recipient, content FROM outbox WHERE recipient <> '' ORDER BY id")
    return [(kind, recipient, json.loads(content)) for kind, recipient, content in rows if not kinds or kind in kinds]


def kinds(environ):
    return [kind for kind, *_ in mails(environ)]


def test_a_booking_is_told_to_the_owner_and_to_the_customer_as_it_was_made(environ, client):
    made = book(client)
    client.put("/api/booking/1", {"location": "Elsewhere"}, token=made["bookingToken"])
    told = {"id": 1, "reference": "BK000001", "name": BOOKING["name"], "location": BOOKING["location"]}
    written = mails(environ)
    assert [mail[:2] for mail in written] == [("owner_booking", OWNER), ("booked", BOOKING["email"])]
    assert all(told.items() <= content.items() for *_, content in written)


@pytest.mark.parametrize("kind", ["owner_booking", "booked", "confirmed", "mechanic", "completed", "cancelled", "link"])
def test_a_mail_that_waited_while_the_service_was_upgraded_can_be_written(app, kind):
    mail = {"id": 1, "kind": kind, "recipient": OWNER, "created_at": "2026-01-19T10:30:00Z"}
    with app.app_context():
        written = letter({**mail, "content": json.dumps(FIRST_FACTS)}, app.config["settings"])
    assert "BK000001" in written["Subject"]


def test_a_booking_for_a_caller_is_told_to_the_caller(environ, client, admin):
    book(client, admin)
    assert [mail[:2] for mail in mails(environ)] == [("owner_booking", OWNER), ("booked", BOOKING["email"])]


def test_a_message_is_told_to_the_owner_alone(environ, client):
    client.post("/api/contact/", CONTACT)
    ((kind, recipient, content),) = mails(environ)
    assert (kind, recipient, content["message"]) == ("owner_message", OWNER, CONTACT["message"])


def test_without_owner_email_only_the_customer_is_told(environ):
    client = Api(started({**environ, "OWNER_EMAIL": ""}).test_client())
    book(client)
    client.post("/api/contact/", CONTACT)
    assert kinds(environ) == ["booked"]


def test_a_mail_that_was_written_while_the_clock_was_ahead_is_sent_when_it_is_right(app, client, monkeypatch):
    with monkeypatch.context() as ahead:
        ahead.setattr(clock, "now", lambda: int(time.time()) + 30 * 86400)
        book(client)
    with app.app_context():
        assert [outbox.claim()["kind"], outbox.claim()["kind"], outbox.claim()] == ["owner_booking", "booked", None]


def test_a_retry_is_told_once(environ, client):
    for _ in range(2):
        assert client.post("/api/booking/", BOOKING, headers={"Idempotency-Key": "a"}).status_code == 201
        assert client.post("/api/contact/", CONTACT, headers={"Idempotency-Key": "a"}).status_code == 201
    assert kinds(environ) == ["owner_booking", "booked", "owner_message"]


def test_what_is_refused_is_not_told(environ, client, admin):
    client.post("/api/booking/", {**BOOKING, "email": "none"})
    client.post("/api/contact/", {**CONTACT, "message": "short"})
    book(client)
    client.put("/api/booking/1", {"status": "completed"}, token=admin)
    client.put("/api/booking/1", {"status": "confirmed", "mechanicId": 99}, token=admin)
    assert kinds(environ) == ["owner_booking", "booked"]


@pytest.mark.parametrize(
    ("before", "change", "told"),
    [
        ([], {"status": "confirmed"}, ["confirmed"]),
        ([], {"status": "confirmed", "mechanicId": 1}, ["confirmed"]),
        ([], {"mechanicId": 1}, []),
        ([], {"status": "cancelled"}, ["cancelled"]),
        ([{"status": "confirmed"}], {"mechanicId": 1}, ["mechanic"]),
        ([{"status": "confirmed", "mechanicId": 1}], {"mechanicId": 1}, []),
        ([{"status": "confirmed", "mechanicId": 1}], {"mechanicId": 2}, ["mechanic"]),
        ([{"status": "confirmed", "mechanicId": 1}], {"mechanicId": None}, []),
        ([{"status": "confirmed", "mechanicId": 1}], {"status": "in-progress"}, []),
        ([{"status": "confirmed", "mechanicId": 1}], {"status": "in-progress", "mechanicId": 2}, ["mechanic"]),
        ([{"status": "confirmed"}, {"status": "in-progress"}], {"mechanicId": 2}, ["mechanic"]),
        ([{"status": "confirmed"}, {"status": "in-progress"}], {"status": "completed", "mechanicId": 2}, ["completed"]),
        ([{"status": "confirmed"}], {"phone": "+1 555 0111"}, []),
    ],
)
def test_a_change_is_told_to_the_customer(environ, client, admin, before, change, told):
    for number in range(2):
        hire(client, admin, f"{number}@garage.example")
    book(client)
    for step in before:
        assert client.put("/api/booking/1", step, token=admin).status_code == 200
    written = len(mails(environ))
    assert client.put("/api/booking/1", change, token=admin).status_code == 200
    assert [mail[:2] for mail in mails(environ)[written:]] == [(kind, BOOKING["email"]) for kind in told]


def test_who_comes_and_the_cost_are_told_as_they_were_then(environ, client, admin):
    hire(client, admin, name="Max Torque", phone="+1 555 0199")
    book(client)
    for step in ({"status": "confirmed", "mechanicId": 1}, {"status": "in-progress"}):
        client.put("/api/booking/1", step, token=admin)
    client.put("/api/booking/1", {"status": "completed", "cost": 120.5}, token=admin)
    client.put("/api/booking/1", {"cost": 99}, token=admin)
    client.put("/api/mechanics/1", {"name": "Another"}, token=admin)
    ((*_, confirmed), (*_, completed)) = mails(environ, "confirmed", "completed")
    assert (confirmed["mechanic"]["name"], confirmed["mechanic"]["phone"]) == ("Max Torque", "+1 555 0199")
    assert completed["cost"] == 120.5


def test_a_customer_who_cancels_is_told_so(environ, client, customer):
    book(client, customer)
    client.delete("/api/booking/1", token=customer)
    assert kinds(environ) == ["owner_booking", "booked", "cancelled"]


def test_in_production_mails_are_written_down_only_with_mail_url(environ, admin):
    for settings, told in (({}, []), (MAIL, ["owner_booking", "booked", "reset", "link"])):
        client = Api(started({**environ, **LIVE, **settings}).test_client())
        book(client)
        client.post("/api/auth/forgot", {"email": "admin@example.com"})
        client.post("/api/auth/forgot", {"email": "nobody@example.com"})
        client.post("/api/booking/1/link", {"email": BOOKING["email"]})
        assert kinds(environ) == told
        assert (sql(environ["DB_PATH"], "SELECT COUNT(*) FROM outbox") == [(0,)]) is not bool(told)


# Links


def ask(client, path, email):
    answer = client.post(path, {"email": email})
    assert answer.status_code == 202
    return answer.json


def test_forgot_answers_the_same_and_writes_whether_there_is_an_account_or_not(environ, client):
    signup(client, PERSON["email"])
    assert ask(client, "/api/auth/forgot", PERSON["email"]) == ask(client, "/api/auth/forgot", "nobody@example.com")
    assert [mail[:2] for mail in mails(environ)] == [("reset", PERSON["email"])]
    assert sql(environ["DB_PATH"], "SELECT COUNT(*) FROM outbox WHERE recipient = '' AND sent_at <> ''") == [(1,)]


def test_forgot_mails_the_accounts_address_not_the_one_that_was_typed(environ, client):
    signup(client, PERSON["email"])
    ask(client, "/api/auth/forgot", "  USER@Example.COM ")
    assert [mail[:2] for mail in mails(environ)] == [("reset", PERSON["email"])]


@pytest.mark.parametrize("body", [{}, {"email": ""}, {"email": 7}, {"email": "a\nb@example.com"}])
@pytest.mark.parametrize("path", ["/api/auth/forgot", "/api/booking/1/link"])
def test_an_address_that_is_no_line_of_text_is_refused(client, path, body):
    assert wrong_fields(client.post(path, body)) == {"email"}


@pytest.mark.parametrize("number", ["1", "BK000001", "bk1"])
def test_link_goes_to_the_bookings_own_address(environ, client, number):
    book(client)
    ask(client, f"/api/booking/{number}/link", BOOKING["email"].upper())
    ((_, recipient, content),) = mails(environ, "link")
    assert (recipient, content["reference"]) == (BOOKING["email"], "BK000001")


def test_link_answers_the_same_and_writes_whatever_is_asked_for(environ, client, customer):
    book(client, customer)
    answers = [
        ask(client, "/api/booking/1/link", BOOKING["email"]),
        ask(client, "/api/booking/1/link", "customer@example.com"),
        ask(client, "/api/booking/2/link", BOOKING["email"]),
    ]
    assert answers == [answers[0]] * 3
    assert len(mails(environ, "link")) == 1


def test_a_booking_whose_token_is_over_has_no_link(environ, client):
    book(client)
    sql(environ["DB_PATH"], "UPDATE bookings SET created_at = '2020-01-01T00:00:00Z'")
    ask(client, "/api/booking/1/link", BOOKING["email"])
    assert mails(environ, "link") == []


def test_after_ten_links_for_one_account_or_booking_no_more_are_sent_and_nobody_is_locked_out(environ, client):
    signup(client, PERSON["email"])
    signup(client, "other@example.com")
    for _ in range(2):
        book(client)
    for _ in range(12):
        ask(client, "/api/auth/forgot", PERSON["email"])
        ask(client, "/api/booking/1/link", "wrong@example.com")
        ask(client, "/api/booking/1/link", BOOKING["email"])
    assert len(mails(environ, "reset")) == len(mails(environ, "link")) == 10
    ask(client, "/api/auth/forgot", "other@example.com")
    ask(client, "/api/booking/2/link", BOOKING["email"])
    assert len(mails(environ, "reset")) == len(mails(environ, "link")) == 11
    assert client.post("/api/auth/login", PERSON).status_code == 200


# Reset


def link_token(environ, app) -> str:
    """The token of the newest link for a new password."""
    from mechtech.web import tokens

    with app.app_context():
        *_, content = mails(environ, "reset")[-1]
        return tokens.for_reset(content["account_id"], content["key"])


@pytest.fixture
def link(environ, app, client):
    signup(client, PERSON["email"])
    ask(client, "/api/auth/forgot", PERSON["email"])
    return link_token(environ, app)


def reset(client, token, password="another password"):
    return client.post("/api/auth/reset", {"token": token, "newPassword": password})


def test_a_reset_sets_the_password_signs_in_and_ends_every_token(client, link):
    old = client.post("/api/auth/login", PERSON).json["token"]
    answer = reset(client, link)
    assert answer.status_code == 200
    assert answer.json["user"]["email"] == PERSON["email"]
    assert client.get("/api/auth/profile", token=answer.json["token"]).status_code == 200
    refused(client.get("/api/auth/profile", token=old), 401, "unauthorized")
    assert client.post("/api/auth/login", {**PERSON, "password": "another password"}).status_code == 200
    refused(client.post("/api/auth/login", PERSON), 401, "invalid_credentials")


def test_a_link_works_once_also_for_the_same_password(client, link):
    assert reset(client, link, PERSON["password"]).status_code == 200
    assert wrong_fields(reset(client, link, PERSON["password"])) == {"token"}


def test_of_two_uses_of_a_link_at_once_one_sets_the_password(client, link, while_hashing):
    while_hashing(lambda: reset(client, link, "the first one"))
    assert wrong_fields(reset(client, link, "the second one")) == {"token"}
    assert client.post("/api/auth/login", {**PERSON, "password": "the first one"}).status_code == 200


def test_a_link_ends_when_another_one_is_used_and_not_by_signing_out(environ, app, client, link):
    ask(client, "/api/auth/forgot", PERSON["email"])
    client.post("/api/auth/logout", token=client.post("/api/auth/login", PERSON).json["token"])
    assert reset(client, link_token(environ, app)).status_code == 200
    assert wrong_fields(reset(client, link)) == {"token"}


def test_a_link_lasts_one_hour(client, link):
    claims = jwt.decode(link, SECRET, ["HS256"])
    assert claims["exp"] == pytest.approx(time.time() + 3600, abs=5)
    over = jwt.encode({**claims, "exp": int(time.time()) - 1}, SECRET, "HS256")
    assert wrong_fields(reset(client, over)) == {"token"}
    almost_over = jwt.encode({**claims, "exp": int(time.time()) + 30}, SECRET, "HS256")
    assert reset(client, almost_over).status_code == 200


def test_no_other_token_resets_and_a_links_token_opens_nothing(client, link):
    guest, user = book(client)["bookingToken"], client.post("/api/auth/login", PERSON).json["token"]
    foreign = jwt.encode(jwt.decode(link, SECRET, ["HS256"]), SECRET + "x", "HS256")
    missing = jwt.encode({**jwt.decode(link, SECRET, ["HS256"]), "resetId": 99}, SECRET, "HS256")
    for token in (guest, user, foreign, missing, f"{link}x", "nonsense", "e30.e30.e30"):
        assert wrong_fields(reset(client, token)) == {"token"}
    refused(client.get("/api/auth/profile", token=link), 401, "unauthorized")
    refused(client.get("/api/booking/1", token=link), 401, "unauthorized")


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"newPassword": "short"}, {"newPassword"}),
        ({"newPassword": ""}, {"newPassword"}),
        ({"token": None}, {"token"}),
        ({"token": 7, "newPassword": "x" * 73}, {"token", "newPassword"}),
        ({"confirmPassword": "different password"}, {"confirmPassword"}),
    ],
)
def test_a_reset_names_what_is_wrong_and_leaves_the_link_good(client, link, changes, wrong):
    body = {"token": link, "newPassword": "another password", **changes}
    assert wrong_fields(client.post("/api/auth/reset", body)) == wrong
    assert reset(client, link).status_code == 200
