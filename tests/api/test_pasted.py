"""What people type and paste, on the wire: it is stored as cleaned, and found in every form."""

import pytest

from tests.answers import refused, sql, wrong_fields
from tests.conftest import BOOKING, CONTACT, MECHANIC, book, hire, signup

MÜLLER = "rita@xn--mller-kva.example"
FORMS = [MÜLLER, "rita@müller.example", "Rita@MÜLLER.Example", MÜLLER.upper(), "\ufeffrita@müller.example\u200b"]
PASTED = "\u202a\u0660\u0661\u0667\u0660\u00a0\u2011\u00a01234567\u202c"


def log_in(client, email):
    return client.post("/api/auth/login", {"email": email, "password": "password123"})


@pytest.mark.parametrize("first", FORMS, ids=ascii)
def test_both_forms_of_an_international_address_are_one_account(client, environ, first):
    signup(client, first)
    assert sql(environ["DB_PATH"], "SELECT lower(email) FROM users") == [(MÜLLER,)]
    for form in FORMS:
        again = {"name": "Rita", "email": form, "password": "password123"}
        assert wrong_fields(client.post("/api/auth/signup", again)) == {"email"}
        assert log_in(client, form).json["user"]["id"] == 1


def test_an_account_that_was_stored_in_the_other_form_is_found(client, environ):
    signup(client, MÜLLER)
    sql(environ["DB_PATH"], "UPDATE users SET email = 'rita@müller.example'")
    assert log_in(client, "rita@müller.example").status_code == 200


def test_failed_logins_count_for_all_forms_of_an_address_together(client):
    signup(client, MÜLLER)
    for form in FORMS * 2:
        refused(client.post("/api/auth/login", {"email": form, "password": "wrong"}), 401, "invalid_credentials")
    for form in FORMS:
        refused(log_in(client, form), 429, "rate_limited")


def test_one_mechanic_an_address_in_whatever_form(client, admin):
    hire(client, admin, MÜLLER)
    for form in FORMS:
        assert wrong_fields(client.post("/api/mechanics/", {**MECHANIC, "email": form}, token=admin)) == {"email"}


def test_a_booking_and_a_message_keep_the_form_that_mail_can_be_sent_to(client, admin):
    book(client, email="\u200brita@müller.example\u200b")
    client.post("/api/contact/", {**CONTACT, "email": "rita@müller.example"})
    assert client.get("/api/booking/1", token=admin).json["booking"]["email"] == MÜLLER
    assert client.get("/api/contact/1", token=admin).json["message"]["email"] == MÜLLER
    for text, total in (
        ("rita@müller.example", 1),
        ("RITA@MÜLLER.EXAMPLE", 1),
        ("xn--mller", 1),
        ("rita@möller.example", 0),
    ):
        assert client.get("/api/booking/", query_string={"q": text}, token=admin).json["total"] == total


@pytest.mark.parametrize("email", ["rita@mül ler.example", "rita@müller", "rita@mül\u200bler.a", "ríta@b.example"])
def test_an_address_that_is_none_is_named(lasting, email):
    assert wrong_fields(lasting.post("/api/booking/", {**BOOKING, "email": email})) == {"email"}


def test_an_address_has_254_characters_at_most_in_its_ascii_form(client):
    local = "a" * (254 - len("@xn--mller-kva.example"))
    assert client.post("/api/contact/", {**CONTACT, "email": f"{local}@müller.example"}).status_code == 201
    assert wrong_fields(client.post("/api/contact/", {**CONTACT, "email": f"a{local}@müller.example"})) == {"email"}


def test_a_pasted_phone_number_is_stored_as_cleaned(client, admin):
    token = client.post(
        "/api/auth/signup", {"name": "R", "email": "r@b.example", "password": "password123", "phone": PASTED}
    ).json["token"]
    assert client.get("/api/auth/profile", token=token).json["user"]["phone"] == "0170 - 1234567"
    book(client, phone=PASTED)
    assert client.get("/api/booking/1", token=admin).json["booking"]["phone"] == "0170 - 1234567"
    client.put("/api/booking/1", {"phone": "\uff0b\uff11 555 0100 ext. 5"}, token=admin)
    assert client.get("/api/booking/1", token=admin).json["booking"]["phone"] == "+1 555 0100 ext. 5"
    mechanic = hire(client, admin, phone="\u2068+1 555 0100\u2069")
    assert client.get(f"/api/mechanics/{mechanic}").json["mechanic"]["phone"] == "+1 555 0100"


def test_a_phone_number_has_40_characters_at_most_once_it_is_cleaned(client):
    longest = "1 " * 17 + "12  34"
    assert len(longest) == 40
    book(client, phone=f"\u202a{longest}\u202c")
    assert wrong_fields(client.post("/api/booking/", {**BOOKING, "phone": f"{longest[:-2]} 34"})) == {"phone"}


@pytest.mark.parametrize("text", ["\u200b", "\u2800", "\u3164", "\u200b\u200d", "\u00a0\u2060"], ids=ascii)
def test_text_that_shows_nothing_is_named_in_every_field(lasting, lasting_customer, text):
    names = ("name", "vehicleType", "brand", "model", "service_type", "description", "location", "phone", "email")
    assert wrong_fields(lasting.post("/api/booking/", {**BOOKING, **dict.fromkeys(names, text)})) == set(names)
    assert wrong_fields(lasting.post("/api/contact/", {**CONTACT, "fullName": text, "message": text * 10})) == {
        "fullName",
        "message",
    }
    assert wrong_fields(lasting.post("/api/booking/1/review", {"rating": 5, "review": text})) == {"review"}
    assert wrong_fields(lasting.put("/api/auth/profile", {"name": text}, token=lasting_customer)) == {"name"}


@pytest.mark.parametrize("line_break", ["\n", "\r", "\t", "\u2028", "\u2029"], ids=ascii)
def test_line_breaks_are_for_description_message_and_review(lasting, admin_of_lasting, line_break):
    text = f"Two{line_break}lines, or so"
    names = ("name", "vehicleType", "brand", "model", "service_type", "location", "phone", "email")
    wrong = {**BOOKING, **dict.fromkeys([*names, "description"], text)}
    assert wrong_fields(lasting.post("/api/booking/", wrong)) == set(names)
    assert wrong_fields(lasting.post("/api/contact/", {**CONTACT, "fullName": text, "message": text})) == {"fullName"}
    assert wrong_fields(lasting.post("/api/booking/1/review", {"rating": 0, "review": text})) == {"rating"}
    wrong = {**MECHANIC, "name": text, "specializations": text}
    assert wrong_fields(lasting.post("/api/mechanics/", wrong, token=admin_of_lasting)) == {"name", "specializations"}
    made = lasting.post("/api/booking/", {**BOOKING, "description": text, "name": f"Jane{line_break}"}).json
    shown = lasting.get(f"/api/booking/{made['bookingId']}", token=made["bookingToken"]).json["booking"]
    assert (shown["description"], shown["name"]) == (text, "Jane")


@pytest.fixture(scope="module")
def admin_of_lasting(lasting):
    app = lasting.client.application
    made = app.test_cli_runner().invoke(args=["create-admin", "boss@example.com"], input="password123\n")
    assert made.exit_code == 0, made.output
    return log_in(lasting, "boss@example.com").json["token"]


def test_a_new_password_is_measured_in_the_form_that_is_hashed(client):
    body = {"name": "R", "email": "r@b.example"}
    assert wrong_fields(client.post("/api/auth/signup", {**body, "password": "e\u0301" * 7})) == {"password"}
    assert wrong_fields(client.post("/api/auth/signup", {**body, "password": "e\u0301" * 37})) == {"password"}
    assert client.post("/api/auth/signup", {**body, "password": "e\u0301" * 36}).status_code == 201
    assert client.post("/api/auth/login", {"email": "r@b.example", "password": "é" * 36}).status_code == 200


# --- Numbers in queries


@pytest.mark.parametrize("blank", ["%20", "+", "%09", "%C2%A0"])
def test_numbers_in_queries_are_trimmed(lasting, admin_of_lasting, blank):
    for query in ("latitude={0}40.7{0}&longitude={0}-74.01{0}&radius={0}5{0}", "limit={0}5{0}"):
        answer = lasting.get(f"/api/mechanics/?{query.format(blank)}")
        assert answer.status_code == 200, answer.text
    answer = lasting.get(f"/api/booking/?limit={blank}5{blank}&mechanicId={blank}1", token=admin_of_lasting)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        *((f"limit={value}", {"limit": "This must be from 1 to 200."}) for value in ("-1", "0", "201", "9" * 30)),
        *((f"limit={value}", {"limit": "This must be a whole number."}) for value in ("1.0", "x", "", "1e2", "1 2")),
        ("radius=1e400", {"radius": "This number is too large or too small."}),
        ("radius=-1", {"radius": "This must be above 0."}),
        ("latitude=90.1&longitude=0", {"latitude": "This must be from -90 to 90."}),
        ("available=yes", {"available": "This must be one of true, false."}),
    ],
)
def test_what_is_wrong_with_a_number_is_told_in_words(lasting, query, fields):
    assert refused(lasting.get(f"/api/mechanics/?{query}"), 400, "validation")["fields"] == fields
