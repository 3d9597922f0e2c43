"""The commands that an operator needs while the service runs: accounts, locks, and people's data."""

import re
import tracemalloc

import pytest

from mechtech import clock
from mechtech.accounts import repository as accounts
from tests.answers import refused, sql
from tests.conftest import BOOKING, CONTACT, book, complete, hire, make_admin, signup
from tests.gunicorn_server import ROOT

TABLES = re.findall(r"CREATE TABLE (\w+)", (ROOT / "schema.sql").read_text(encoding="utf-8"))
PERSON = {"name": "Ann Driver", "email": "Ann@Example.com", "phone": "+1 555 0177", "description": "Ann's note"}
PERSON |= {"location": "Ann's street 7", "latitude": 12.3456, "longitude": 65.4321}
TRACES = ("ann", "0177", "12.3456", "65.4321")
YEAR = 365 * 86400


@pytest.fixture
def command(app):
    def run(*args, typed=""):
        """What the command said, and its exit code."""
        result = app.test_cli_runner().invoke(args=args, input=typed)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.output, result.exit_code

    return run


@pytest.fixture
def stored(environ):
    """Every row of every table, as text."""
    return lambda: {table: sorted(map(str, sql(environ["DB_PATH"], f"SELECT * FROM {table}"))) for table in TABLES}


def login(client, email="ann@example.com", password="password123", address="192.0.2.1"):
    fields = {"email": email, "password": password}
    return client.post("/api/auth/login", fields, environ_base={"REMOTE_ADDR": address})


# accounts


def test_accounts_lists_every_account_with_its_role(command, client, admin):
    signup(client, "ann@example.com", name="Ann Driver")
    said, code = command("accounts")
    assert code == 0
    assert [line.split()[1::2][:2] for line in said.splitlines()] == [
        ["admin", "admin@example.com"],
        ["customer", "ann@example.com"],
    ]
    assert "Ann Driver" in said and "$2b$" not in said


def test_end_sessions_ends_every_token_of_one_account(command, client):
    tokens = [signup(client, "ann@example.com"), login(client).json["token"]]
    other = signup(client, "bob@example.com")
    assert command("end-sessions", "ANN@example.com")[1] == 0
    assert [client.get("/api/auth/profile", token=token).status_code for token in (*tokens, other)] == [401, 401, 200]
    assert login(client).status_code == 200


def test_remove_admin_takes_the_role_at_once(command, app, client, admin):
    second = make_admin(app, client, "second@example.com")
    said, code = command("remove-admin", "admin@example.com")
    assert code == 0 and "create-admin" not in said
    refused(client.get("/api/contact/", token=admin), 403, "forbidden")
    assert client.get("/api/contact/", token=second).status_code == 200
    assert "no admin" in command("remove-admin", "admin@example.com")[0]
    assert "create-admin" in command("remove-admin", "second@example.com")[0]


@pytest.mark.parametrize("name", ["end-sessions", "unlock", "remove-admin", "forget"])
def test_an_address_that_is_nowhere_is_told(command, name):
    said, code = command(name, "nobody@example.com")
    assert code == 1 and "nobody@example.com" in said


def test_unlock_lifts_the_lock_of_one_account_and_the_next_failures_count_anew(command, client):
    for email in ("ann@example.com", "bob@example.com"):
        signup(client, email)
        assert [login(client, email, "wrong password").status_code for _ in range(11)] == [401] * 10 + [429]
    assert login(client).status_code == 429
    for _ in range(2):
        assert command("unlock", "Ann@example.com")[1] == 0
        assert login(client).status_code == 200
        assert login(client, "bob@example.com").status_code == 429
        assert [login(client, password="wrong password").status_code for _ in range(11)] == [401] * 10 + [429]


def test_unlock_lifts_the_lock_after_a_hundred_failures_from_anywhere(command, client):
    signup(client, "ann@example.com")
    for number in range(100):
        assert login(client, password="wrong password", address=f"192.0.2.{number}").status_code == 401
    assert login(client, address="192.0.2.200").status_code == 429
    command("unlock", "ann@example.com")
    assert login(client, address="192.0.2.200").status_code == 200


# forget


@pytest.fixture
def ann(client, admin):
    """The token of a person with an account, of whom there is something in every table, and more by address alone."""
    token = signup(client, "ann@example.com", name=PERSON["name"])
    client.put("/api/auth/profile", {"phone": PERSON["phone"]}, token=token)
    done = book(client, token, **PERSON)["bookingId"]
    complete(client, admin, done, hire(client, admin), cost=80)
    client.post(f"/api/booking/{done}/review", {"rating": 4, "review": "Ann was content."}, token=token)
    book(client, token, **{**PERSON, "email": "another@example.com"})
    for headers in ({"Idempotency-Key": "1"}, {"Idempotency-Key": "2"}):
        assert client.post("/api/booking/", {**BOOKING, **PERSON}, headers=headers).status_code == 201
    message = {"fullName": "Ann Driver", "email": "ANN@example.com", "message": "Please call Ann back."}
    assert client.post("/api/contact/", message, headers={"Idempotency-Key": "3"}).status_code == 201
    return token


def test_forget_leaves_nothing_of_a_person_in_any_table(command, client, ann, stored):
    assert [table for table, rows in stored().items() if not rows] == []  # where `ann` leaves nothing yet
    said, code = command("forget", "ANN@example.com", "--yes")
    assert code == 0
    assert "1 accounts, 4 bookings, 1 messages" in said
    assert not [trace for trace in TRACES if trace in str(stored()).lower()]
    assert stored()["idempotency_keys"] == []
    refused(client.get("/api/auth/profile", token=ann), 401, "unauthorized")
    assert login(client).status_code == 401
    assert "nothing" in command("forget", "ann@example.com", "--yes")[0]
    assert client.get("/api/booking/", token=signup(client, "ann@example.com")).json["total"] == 0


def test_bookings_of_a_person_who_is_forgotten_stay_as_numbers(command, client, admin, ann):
    def numbers():
        ids = range(1, 5)
        views = [client.get(f"/api/booking/{id}", token=admin).json["booking"] for id in ids]
        kept = ("status", "cost", "service_type", "vehicle_brand", "created_at", "mechanic")
        steps = [[(step["status"], step["at"]) for step in view["history"]] for view in views]
        return [{name: view[name] for name in kept} for view in views], steps, [view["service"] for view in views]

    before, steps, services = numbers()
    mechanic = client.get("/api/mechanics/1").json["mechanic"]
    command("forget", "ann@example.com", "--yes")
    assert numbers() == (before, steps, [{**services[0], "review": None}, None, None, None])
    assert client.get("/api/mechanics/1").json["mechanic"] == mechanic
    shown = client.get("/api/booking/1", token=admin).json["booking"]
    assert (shown["name"], shown["user_id"], shown["phone"], shown["latitude"]) == ("Forgotten", None, None, None)


@pytest.mark.sqlite
def test_forget_reaches_what_the_takeover_of_the_original_set_aside(command, environ, client, ann):
    path = environ["DB_PATH"]
    sql(path, "CREATE TABLE original_services_set_aside (id, booking_id, user_id, review)")
    sql(path, "INSERT INTO original_services_set_aside VALUES (1, 3, NULL, 'a'), (2, 99, 2, 'b'), (3, 98, 1, 'c')")
    command("forget", "ann@example.com", "--yes")
    assert sql(path, "SELECT id FROM original_services_set_aside") == [(3,)]


def test_forget_touches_nobody_else(environ, request):
    environ["OWNER_EMAIL"] = "owner@garage.example"
    command, client, stored = map(request.getfixturevalue, ("command", "client", "stored"))
    joann = signup(client, "joann@example.com")
    book(client, joann, email="joann@example.com")
    for key in ("4", "5"):  # the second has the number that the person's booking gets
        client.post("/api/contact/", CONTACT, headers={"Idempotency-Key": key})
    before = stored()
    book(client, email="ann@example.com")
    assert command("forget", "ann@example.com", "--yes")[1] == 0
    after = stored()
    (forgotten,) = set(after["bookings"]) - set(before["bookings"])
    assert "Forgotten" in forgotten
    after["bookings"].remove(forgotten)
    assert after == before


def test_forget_finds_both_forms_of_an_international_address(command, client, stored):
    book(client, email="ann@xn--mller-kva.example")
    assert "1 bookings" in command("forget", "ann@müller.example", "--yes")[0]
    assert "mller" not in str(stored())


def test_forget_finds_an_address_in_any_case_of_any_script(command, environ, client):
    """Such addresses come from the original's database: new ones are ASCII."""
    tables = {"bookings": "email", "contact_messages": "email", "outbox": "recipient"}
    for id, email in ((1, "ÖzGÜR@mail.example"), (2, "gross@mail.example")):
        book(client)
        client.post("/api/contact/", CONTACT)
        for table, column in tables.items():
            sql(environ["DB_PATH"], f"UPDATE {table} SET {column} = ? WHERE id = ?", (email, id))
    sql(environ["DB_PATH"], "UPDATE outbox SET content = '{}', sent_at = created_at")
    said, code = command("forget", "özgür@MAIL.example", "--yes")
    assert code == 0 and "1 bookings, 1 messages, 1 mails" in said
    assert command("forget", "groß@mail.example", "--yes")[1] == 1  # another address, though casefold() says ss
    for table, column in tables.items():
        remain = sql(environ["DB_PATH"], f"SELECT {column} FROM {table} WHERE {column} NOT LIKE 'forgotten@%'")
        assert remain == [("gross@mail.example",)]


def test_what_is_saved_in_a_profile_meanwhile_does_not_bring_a_forgotten_person_back(command, client, monkeypatch):
    token, save = signup(client, "ann@example.com"), accounts.update

    def save_late(*args, **kwargs):
        command("forget", "ann@example.com", "--yes")
        return save(*args, **kwargs)

    monkeypatch.setattr(accounts, "update", save_late)
    refused(client.put("/api/auth/profile", {"name": "Ann", "phone": "5550177"}, token=token), 401, "unauthorized")
    assert "Ann" not in command("accounts")[0]


def test_nobody_can_have_the_address_that_a_forgotten_person_gets(command, client):
    signup(client, "ann@example.com")
    signup(client, "1.forgotten@mechtech.invalid")
    assert command("forget", "ann@example.com", "--yes")[1] == 0


def test_forget_asks_first(command, ann, stored):
    before = stored()
    for typed in ("", "n\n", "\n"):
        said, code = command("forget", "ann@example.com", typed=typed)
        assert code == 1 and "4 bookings" in said
        assert stored() == before
    assert command("forget", "ann@example.com", typed="y\n")[1] == 0
    assert stored() != before


def test_an_admin_and_a_mechanic_are_not_forgotten(command, client, admin, stored):
    hire(client, admin, email="max@garage.example")
    book(client, email="max@garage.example")
    before = stored()
    for email, told in (("Admin@example.com", "remove-admin"), ("max@garage.example", "mechanic")):
        said, code = command("forget", email, "--yes")
        assert code == 1 and told in said
    assert stored() == before
    command("remove-admin", "admin@example.com")
    assert command("forget", "admin@example.com", "--yes")[1] == 0


# purge


def age(environ, table, id, seconds):
    made = clock.text(clock.now() - seconds)
    sql(environ["DB_PATH"], f"UPDATE {table} SET created_at = ?, updated_at = ? WHERE id = ?", (made, made, id))


def test_purge_makes_old_bookings_that_have_ended_anonymous_and_no_others(command, environ, client, admin, customer):
    ids = {}
    for name, status, seconds in [
        ("Completed", "completed", YEAR + 60),
        ("Cancelled", "cancelled", 3 * YEAR),
        ("Young", "cancelled", YEAR - 60),
        ("Open", None, 3 * YEAR),
    ]:
        ids[name] = book(client, customer, name=name)["bookingId"]
        if status == "completed":
            complete(client, admin, ids[name], cost=10)
        elif status:
            client.delete(f"/api/booking/{ids[name]}", token=customer)
        age(environ, "bookings", ids[name], seconds)
    assert command("purge", "--older-than", "365d")[1] == 1  # not confirmed
    for expected in ("2 ended bookings", "0 ended bookings"):
        said, code = command("purge", "--older-than", "365d", "--yes")
        assert code == 0 and said.count(expected) == 2
    rows = sql(environ["DB_PATH"], "SELECT name, email, phone, location, user_id FROM bookings ORDER BY id")
    assert [row[0] for row in rows] == ["Forgotten", "Forgotten", "Young", "Open"]
    assert rows[0][1:] == ("forgotten@mechtech.invalid", None, None, None)
    assert sql(environ["DB_PATH"], "SELECT cost, user_id FROM service_history") == [(10, None)]
    assert client.get("/api/booking/", token=customer).json["total"] == 2


def test_purge_takes_more_bookings_than_go_into_one_transaction(command, environ, client):
    book(client)
    path = environ["DB_PATH"]
    copied = "user_id, name, email, vehicle_type, vehicle_brand, vehicle_model, service_type"
    for _ in range(8):
        sql(path, f"INSERT INTO bookings ({copied}) SELECT {copied} FROM bookings")
    sql(path, "UPDATE bookings SET status = 'cancelled', created_at = '2020-01-01T00:00:00Z'")
    assert "Purged: 256 ended bookings" in command("purge", "--older-than", "365d", "--yes")[0]
    assert sql(path, "SELECT DISTINCT name FROM bookings") == [("Forgotten",)]


def test_purge_deletes_old_messages_that_were_read_and_expired_keys(command, environ, client, admin):
    for number, (read, seconds) in enumerate([(True, YEAR + 60), (False, YEAR + 60), (True, YEAR - 60)], 1):
        client.post("/api/contact/", CONTACT, headers={"Idempotency-Key": str(number)})
        if read:
            client.put(f"/api/contact/{number}/read", token=admin)
        age(environ, "contact_messages", number, seconds)
    expired = clock.text(clock.now() - 24 * 3600 - 60)
    sql(environ["DB_PATH"], "UPDATE idempotency_keys SET created_at = ? WHERE key = '2'", (expired,))
    said, code = command("purge", "--older-than", "365d", "--yes")
    assert code == 0 and "Purged: 0 ended bookings, 1 read messages, 0 sent mails, 1 expired idempotency keys" in said
    assert sql(environ["DB_PATH"], "SELECT id FROM contact_messages ORDER BY id") == [(2,), (3,)]
    assert sql(environ["DB_PATH"], "SELECT key FROM idempotency_keys ORDER BY key") == [("1",), ("3",)]


def test_purge_of_many_mails_holds_none_of_them_in_memory(command, environ, client):
    then = "2020-01-01T00:00:00Z"
    sql(
        environ["DB_PATH"],
        f"""
        INSERT INTO outbox (kind, recipient, content, created_at, due_at, sent_at)
        WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < 30000)
        SELECT 'booked', 'ann@example.com', '{{}}', '{then}', '{then}', '{then}' FROM numbers
        """,
    )
    tracemalloc.start()
    try:
        said, _ = command("purge", "--older-than", "365d", "--yes")
        assert "30,000 sent mails" in said and tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("args", [[], ["--older-than", "365"], ["--older-than", "0d"], ["--older-than", "a year"]])
def test_purge_needs_a_time(command, args):
    said, code = command("purge", *args, "--yes")
    assert code == 2 and "--older-than" in said


def test_a_search_passes_bookings_without_a_phone(client, admin):
    book(client, phone=None, name="Nobody's Phone")
    for text, total in (("0100", 0), ("nobody", 1)):
        assert client.get("/api/booking", query_string={"q": text}, token=admin).json["total"] == total
