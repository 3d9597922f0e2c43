import re

import bcrypt
import pytest

from mechtech.accounts.repository import find_highest_cost
from mechtech.web.limit_storage import HEADER, SLOT
from tests.answers import refused, sql, wrong_fields
from tests.conftest import signup

PERSON = {"name": "Ann Driver", "email": "ann@example.com", "password": "password123"}
LONGEST_EMAIL = f"{'a' * 60}@{'b' * 63}.{'c' * 63}.{'d' * 63}.e"  # 254 characters
USER = {"id", "name", "email", "phone", "role", "created_at", "updated_at"}

GOOD = {
    "name": ["J", "李", "n" * 100, "Zoë Ж 你", "O'Hara; DROP TABLE users; --"],
    "phone": ["1234", "1" * 21, "+1 (555) 010-0100", "+49.170.1234567", "0170/1234567", "555 0100 ext. 5"],
    "email": ["a@b.co", LONGEST_EMAIL, "first.last+tag@sub.domain.example", "o'hara@example.com"],
}
BAD_TEXT = [7, 7.5, True, ["Ann"], {"a": 1}, "Ann\x00a", "Ann\x1ba", "Ann\x7fa", "Ann\ud800a"]
BAD = {
    "name": ["n" * 101, "Ann\tMary", "Ann\nMary", "Ann\u2028Mary", "\u200b", "\u2800", "\u3164", *BAD_TEXT],
    "phone": ["123", "1" * 22, "555-CALL", "+1\t555", "+1\n555", "----", "((((", "0x1234", 5550100, *BAD_TEXT],
    "email": [
        *("ann", "ann@", "@example.com", "ann@localhost", "ann@example..com", "ann@.com", "ann@example.com."),
        *("ann@@example.com", "an n@example.com", "ann@exam ple.com", "ann@-a.com", "ann@example.com,bob@example.com"),
        *("ann@example.com\nbcc:bob@example.com", "Ann <ann@example.com>", "a" + LONGEST_EMAIL),
        *BAD_TEXT,
    ],
}
GOOD_PASSWORDS = ["8letters", "p" * 72, "é" * 36, "  blanks  ", "жжжжжжжж", "\tpass\tword"]
BAD_PASSWORDS = ["7letter", "é" * 7, "p" * 73, "é" * 36 + "p", *(12345678, True, ["password123"], {"a": 1})]
BAD_PASSWORDS += ["password\x00", "pass\x1bword", "password\ud800"]
NOTHING = [None, "", "   "]


def pairs(table):
    return [(name, value) for name, values in table.items() for value in values]


def login(client, email="ann@example.com", password="password123", address="127.0.0.1", headers=None):
    body = {"email": email, "password": password}
    return client.post("/api/auth/login", body, headers=headers, environ_base={"REMOTE_ADDR": address})


def add_user(environ, password_hash, email="old@example.com", name="Old User"):
    """An account as the original service left it."""
    statement = "INSERT INTO users (name, email, password) VALUES (?, ?, ?) RETURNING id"
    ((user_id,),) = sql(environ["DB_PATH"], statement, (name, email, password_hash))
    return user_id


# Sign-up


def test_signing_up_makes_a_customer_and_signs_in(client):
    answer = client.post("/api/auth/signup", {**PERSON, "phone": "+1 555 0100", "confirmPassword": "password123"})
    assert answer.status_code == 201
    assert set(answer.json) == {"message", "token", "user"}
    user = answer.json["user"]
    assert set(user) == USER
    assert {name: user[name] for name in ("id", "name", "email", "phone", "role")} == {
        "id": 1,
        "name": "Ann Driver",
        "email": "ann@example.com",
        "phone": "+1 555 0100",
        "role": "customer",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", user["created_at"])
    assert user["updated_at"] == user["created_at"]
    assert client.get("/api/auth/profile", token=answer.json["token"]).json["user"] == user


@pytest.mark.parametrize("field, value", pairs(GOOD))
def test_signup_takes_a_good_field(client, field, value):
    answer = client.post("/api/auth/signup", {**PERSON, field: value})
    assert answer.status_code == 201, answer.text
    assert answer.json["user"][field] == value


@pytest.mark.parametrize("field, value", pairs(BAD))
def test_signup_names_a_wrong_field(lasting, field, value):
    assert wrong_fields(lasting.post("/api/auth/signup", {**PERSON, field: value})) == {field}


@pytest.mark.parametrize("password", GOOD_PASSWORDS)
def test_a_password_of_8_characters_to_72_bytes_is_taken_as_it_is(client, password):
    assert client.post("/api/auth/signup", {**PERSON, "password": password}).status_code == 201
    assert login(client, password=password).status_code == 200
    assert login(client, password=password + " ").status_code == (401 if len(password.encode()) < 72 else 200)
    assert login(client, password=" " + password).status_code == 401


@pytest.mark.parametrize("password", BAD_PASSWORDS, ids=repr)
def test_signup_names_a_wrong_password(lasting, password):
    assert wrong_fields(lasting.post("/api/auth/signup", {**PERSON, "password": password})) == {"password"}


@pytest.mark.parametrize("nothing", NOTHING)
@pytest.mark.parametrize("field", ["name", "email", "password"])
def test_signup_needs_name_email_and_password(lasting, field, nothing):
    assert wrong_fields(lasting.post("/api/auth/signup", {**PERSON, field: nothing})) == {field}
    assert wrong_fields(lasting.post("/api/auth/signup", {k: v for k, v in PERSON.items() if k != field})) == {field}


@pytest.mark.parametrize("nothing", NOTHING)
def test_signup_needs_no_phone(client, nothing):
    assert client.post("/api/auth/signup", {**PERSON, "phone": nothing}).json["user"]["phone"] is None


def test_signup_names_every_wrong_field_at_once(lasting):
    body = {"name": "", "email": "ann", "password": "short", "confirmPassword": "other", "phone": "1"}
    assert wrong_fields(lasting.post("/api/auth/signup", body)) == set(body)
    assert wrong_fields(lasting.post("/api/auth/signup", {})) == {"name", "email", "password"}


@pytest.mark.parametrize("other", ["password124", "password123 ", "PASSWORD123", "", 7])
def test_confirmPassword_is_equal_to_the_password_if_it_is_sent(lasting, other):
    body = {**PERSON, "confirmPassword": other}
    assert wrong_fields(lasting.post("/api/auth/signup", body)) == {"confirmPassword"}


def test_strings_are_trimmed(client):
    body = {**PERSON, "name": "  Ann Driver\n", "email": " ann@example.com ", "phone": " 1234 "}
    user = client.post("/api/auth/signup", body).json["user"]
    assert (user["name"], user["email"], user["phone"]) == ("Ann Driver", "ann@example.com", "1234")


def test_nobody_signs_up_as_an_admin(client):
    unknown = {"role": "admin", "id": 77, "created_at": "x", "tokens_valid_from": 2**40}
    user = client.post("/api/auth/signup", {**PERSON, **unknown}).json["user"]
    assert (user["id"], user["role"]) == (1, "customer")


@pytest.mark.parametrize("email", ["ann@example.com", "ANN@EXAMPLE.COM", " Ann@Example.com "])
def test_an_address_has_one_account_in_whatever_case(client, environ, email):
    signup(client, "ann@example.com")
    assert wrong_fields(client.post("/api/auth/signup", {**PERSON, "email": email})) == {"email"}
    assert sql(environ["DB_PATH"], "SELECT COUNT(*) FROM users") == [(1,)]


def test_a_password_is_kept_as_a_hash_of_the_cost_that_is_set(client, environ):
    signup(client, "ann@example.com", "password123")
    ((hashed,),) = sql(environ["DB_PATH"], "SELECT password FROM users")
    assert hashed.startswith("$2b$04$")
    assert bcrypt.checkpw(b"password123", hashed.encode())


# Login


@pytest.mark.parametrize("email", ["ann@example.com", "ANN@Example.COM", "  ann@example.com\t"])
def test_logging_in_with_the_address_in_any_case(client, email):
    made = client.post("/api/auth/signup", PERSON).json["user"]
    answer = login(client, email)
    assert answer.status_code == 200
    assert set(answer.json) == {"message", "token", "user"}
    assert answer.json["user"] == made
    assert client.get("/api/auth/profile", token=answer.json["token"]).json["user"] == made


def test_an_account_that_was_kept_in_capitals_is_found_too(client, environ):
    add_user(environ, bcrypt.hashpw(b"password123", bcrypt.gensalt(4)).decode(), "Ann@Example.COM")
    assert login(client, "ann@example.com").json["user"]["email"] == "Ann@Example.COM"
    assert wrong_fields(client.post("/api/auth/signup", PERSON)) == {"email"}


def test_an_unknown_address_and_a_wrong_password_get_the_same_answer(client):
    signup(client, "ann@example.com")
    answers = []
    for email in ("ann@example.com", "nobody@example.com"):
        answer = login(client, email, "password124", headers={"X-Request-ID": "same"})
        assert set(refused(answer, 401, "invalid_credentials")["fields"]) == {"password"}
        answers.append((answer.data, [header for header in answer.headers if not header[0].startswith("X-RateLimit")]))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("password", ["p", "PASSWORD123", "password123\0", "\0", "p" * 73, "p" * 5000, " password123"])
def test_a_password_that_cannot_be_right_is_just_wrong(client, password):
    signup(client, "ann@example.com")
    refused(login(client, password=password), 401, "invalid_credentials")


@pytest.mark.parametrize("email", [*BAD_TEXT, *NOTHING])
def test_login_names_an_address_that_is_no_text(lasting, email):
    assert wrong_fields(login(lasting, email)) == {"email"}


@pytest.mark.parametrize("email", ["lee@localhost", "pat@mail_x.example", "ann@example.com.", "ann", "a b", "x" * 300])
def test_login_takes_any_text_that_is_the_accounts(client, environ, email):
    refused(login(client, email), 401, "invalid_credentials")
    hashed = bcrypt.hashpw(b"password123", bcrypt.gensalt(4)).decode()
    user_id = add_user(environ, hashed, email)
    assert login(client, email).json["user"]["id"] == user_id


@pytest.mark.parametrize("password", [None, "", 7, True, ["password123"], {}, "password\ud800"], ids=repr)
def test_login_needs_a_password_of_text(lasting, password):
    assert wrong_fields(login(lasting, password=password)) == {"password"}


def test_login_names_every_missing_field(lasting):
    assert wrong_fields(lasting.post("/api/auth/login", {})) == {"email", "password"}


# Hashes that were there before


@pytest.mark.parametrize("rounds", [4, 5, 10, 11])
@pytest.mark.parametrize("prefix", [b"2a", b"2b"])
def test_hashes_of_any_cost_go_on_working(client, environ, prefix, rounds):
    add_user(environ, bcrypt.hashpw(b"secret", bcrypt.gensalt(rounds, prefix)).decode())
    assert login(client, "old@example.com", "secret").status_code == 200
    refused(login(client, "old@example.com", "Secret"), 401, "invalid_credentials")


@pytest.mark.parametrize("password", ["p" * 73, "p" * 500, "é" * 40, "x" + "é" * 40])
def test_a_long_password_of_the_original_goes_on_working(client, environ, password):
    """It cut silently at 72 bytes, in the middle of a letter too."""
    hashed = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4, b"2a")).decode()
    add_user(environ, hashed)
    assert login(client, "old@example.com", password).status_code == 200
    refused(login(client, "old@example.com", "-" + password[1:]), 401, "invalid_credentials")


def test_of_a_password_72_bytes_count(client):
    signup(client, "ann@example.com", "p" * 72)
    assert login(client, password="p" * 72).status_code == 200
    assert login(client, password="p" * 73).status_code == 200  # bcryptjs cut what is longer, and so do we
    refused(login(client, password="p" * 71), 401, "invalid_credentials")


NUL = pytest.param("\0", marks=pytest.mark.sqlite)  # PostgreSQL stores none


@pytest.mark.parametrize(
    "damaged", ["", "x", "password123", "$2a$", "$2b$04$short", "$2b$99$" + "a" * 53, "$2b$31$" + "." * 53, NUL]
)
def test_nobody_logs_in_to_an_account_whose_hash_is_damaged(client, environ, damaged):
    add_user(environ, damaged)
    refused(login(client, "old@example.com"), 401, "invalid_credentials")


def test_a_damaged_hash_that_claims_a_high_cost_makes_no_failed_login_slow(app, environ):
    add_user(environ, "$2b$31$" + "a" * 53)
    with app.app_context():
        assert find_highest_cost() == 0


def test_a_login_that_renews_the_hash_undoes_no_new_password(client, environ, while_hashing):
    add_user(environ, bcrypt.hashpw(b"password123", bcrypt.gensalt(5)).decode())
    token = login(client, "old@example.com").json["token"]
    sql(
        environ["DB_PATH"], "UPDATE users SET password = ?", [bcrypt.hashpw(b"password123", bcrypt.gensalt(5)).decode()]
    )
    while_hashing(lambda: change_password(client, token))
    assert login(client, "old@example.com").status_code == 200
    refused(login(client, "old@example.com"), 401, "invalid_credentials")
    assert login(client, "old@example.com", "new password").status_code == 200


# Profile


def test_a_profile_is_changed_in_part(client, customer):
    before = client.get("/api/auth/profile", token=customer).json["user"]
    assert set(before) == USER
    answer = client.put("/api/auth/profile", {"name": " New Name "}, token=customer)
    assert answer.status_code == 200
    assert set(answer.json) == {"message", "user"}
    user = answer.json["user"]
    assert user == {**before, "name": "New Name", "updated_at": user["updated_at"]}
    user = client.put("/api/auth/profile", {"phone": "1234"}, token=customer).json["user"]
    assert (user["name"], user["phone"]) == ("New Name", "1234")
    assert client.get("/api/auth/profile", token=customer).json["user"] == user


@pytest.mark.parametrize("field, value", [(name, value) for name, value in pairs(GOOD) if name != "email"])
def test_the_profile_takes_a_good_field(client, customer, field, value):
    assert client.put("/api/auth/profile", {field: value}, token=customer).json["user"][field] == value


@pytest.mark.parametrize("field, value", [(name, value) for name, value in pairs(BAD) if name != "email"])
def test_the_profile_names_a_wrong_field(lasting, lasting_customer, field, value):
    assert wrong_fields(lasting.put("/api/auth/profile", {field: value}, token=lasting_customer)) == {field}


@pytest.mark.parametrize("nothing", NOTHING)
def test_nothing_clears_the_phone_and_leaves_the_name(client, customer, nothing):
    client.put("/api/auth/profile", {"phone": "1234"}, token=customer)
    user = client.put("/api/auth/profile", {"phone": nothing, "name": nothing}, token=customer).json["user"]
    assert (user["phone"], user["name"]) == (None, "Some User")


def test_nobody_changes_their_address_or_role_or_somebody_else(client, customer):
    body = {"email": "other@example.com", "role": "admin", "id": 2, "password": "password456"}
    assert wrong_fields(client.put("/api/auth/profile", body, token=customer)) == body.keys()
    user = client.get("/api/auth/profile", token=customer).json["user"]
    assert (user["id"], user["email"], user["role"]) == (1, "customer@example.com", "customer")
    assert login(client, "customer@example.com", "password123").status_code == 200


# A new password


def change_password(client, token, new="new password", current="password123", **fields):
    body = {"newPassword": new, "currentPassword": current, **fields}
    return client.put("/api/auth/profile", body, token=token)


def test_a_new_password_replaces_the_old_one_and_comes_with_a_fresh_token(client, customer):
    answer = change_password(client, customer, confirmPassword="new password", name="New Name")
    assert answer.status_code == 200
    assert set(answer.json) == {"message", "token", "user"}
    assert answer.json["user"]["name"] == "New Name"
    assert client.get("/api/auth/profile", token=answer.json["token"]).json["user"] == answer.json["user"]
    refused(login(client, "customer@example.com", "password123"), 401, "invalid_credentials")
    assert login(client, "customer@example.com", "new password").status_code == 200


def test_a_wrong_current_password_changes_nothing(client, customer):
    answer = change_password(client, customer, current="password124", name="New Name", phone="1234")
    assert wrong_fields(answer) == {"currentPassword"}
    user = client.get("/api/auth/profile", token=customer).json["user"]
    assert (user["name"], user["phone"]) == ("Some User", None)
    assert login(client, "customer@example.com", "password123").status_code == 200


@pytest.mark.parametrize("current", [None, "", 7, ["password123"], "p\ud800"], ids=repr)
def test_a_new_password_needs_the_current_one(lasting, lasting_customer, current):
    assert wrong_fields(change_password(lasting, lasting_customer, current=current)) == {"currentPassword"}
    body = {"newPassword": "new password"}
    assert wrong_fields(lasting.put("/api/auth/profile", body, token=lasting_customer)) == {"currentPassword"}


@pytest.mark.parametrize("password", GOOD_PASSWORDS)
def test_a_new_password_follows_the_rules_of_signing_up(client, customer, password):
    assert change_password(client, customer, password).status_code == 200
    assert login(client, "customer@example.com", password).status_code == 200


@pytest.mark.parametrize("password", BAD_PASSWORDS, ids=repr)
def test_the_profile_names_a_wrong_new_password(lasting, lasting_customer, password):
    assert wrong_fields(change_password(lasting, lasting_customer, password)) == {"newPassword"}


def test_the_confirmation_of_a_new_password_is_equal_to_it(client, customer):
    assert wrong_fields(change_password(client, customer, confirmPassword="other")) == {"confirmPassword"}


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_new_password_is_none(client, customer, nothing):
    answer = change_password(client, customer, nothing)
    assert answer.status_code == 200
    assert "token" not in answer.json
    assert client.get("/api/auth/profile", token=customer).status_code == 200


def test_a_long_password_of_the_original_is_a_current_one(client, environ):
    add_user(environ, bcrypt.hashpw(b"p" * 72, bcrypt.gensalt(4, b"2a")).decode())
    token = login(client, "old@example.com", "p" * 80).json["token"]
    assert change_password(client, token, current="p" * 80).status_code == 200
    assert login(client, "old@example.com", "new password").status_code == 200


# Guessing


def guess(client, times, email="ann@example.com", address="127.0.0.1"):
    """Wrong passwords that are answered as wrong."""
    for _ in range(times):
        refused(login(client, email, "wrong", address), 401, "invalid_credentials")


def test_ten_failed_logins_and_the_next_are_refused_whatever_the_password(client):
    signup(client, "ann@example.com")
    guess(client, 10)
    for password in ("wrong", "password123"):
        answer = login(client, password=password)
        refused(answer, 429, "rate_limited")
        assert 0 < int(answer.headers["Retry-After"]) <= 900


def test_nine_failed_logins_do_no_harm(client):
    signup(client, "ann@example.com")
    guess(client, 9)
    assert login(client).status_code == 200
    guess(client, 1)
    refused(login(client), 429, "rate_limited")


def test_logins_that_succeed_do_not_count(client):
    signup(client, "ann@example.com")
    for _ in range(11):
        assert login(client).status_code == 200


def test_the_case_of_an_address_does_not_matter_to_the_count(client):
    signup(client, "ann@example.com")
    guess(client, 5, "ann@example.com")
    guess(client, 5, "ANN@EXAMPLE.com")
    refused(login(client, " Ann@example.com"), 429, "rate_limited")


def test_addresses_without_an_account_count_just_the_same(client):
    guess(client, 10, "nobody@example.com")
    refused(login(client, "nobody@example.com"), 429, "rate_limited")


def test_the_count_is_of_one_account_from_one_address(client):
    signup(client, "ann@example.com")
    signup(client, "bob@example.com")
    guess(client, 10)
    assert login(client, "bob@example.com").status_code == 200
    assert login(client, address="10.0.0.2").status_code == 200


def test_a_client_does_not_choose_its_address(client):
    guess(client, 10)
    for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
        refused(login(client, headers={header: "10.9.8.7"}), 429, "rate_limited")


def test_a_hundred_failed_logins_from_anywhere_and_the_next_are_refused(client):
    signup(client, "ann@example.com")
    signup(client, "bob@example.com")
    for number in range(9):
        guess(client, 10, address=f"10.0.0.{number}")
    guess(client, 9, address="10.0.0.9")
    assert login(client, address="10.0.1.1").status_code == 200
    guess(client, 1, address="10.0.0.9")
    refused(login(client, address="10.0.1.1"), 429, "rate_limited")
    assert login(client, "bob@example.com", address="10.0.1.1").status_code == 200


def test_a_wrong_current_password_counts_as_a_failed_login(client, customer):
    guess(client, 9, "customer@example.com")
    assert wrong_fields(change_password(client, customer, current="wrong")) == {"currentPassword"}
    refused(change_password(client, customer), 429, "rate_limited")
    refused(login(client, "customer@example.com"), 429, "rate_limited")
    assert client.put("/api/auth/profile", {"name": "Still Me"}, token=customer).status_code == 200


def test_a_login_that_is_not_valid_does_not_count(client):
    signup(client, "ann@example.com")
    for _ in range(11):
        assert wrong_fields(login(client, password="")) == {"password"}
    assert login(client).status_code == 200


def end_windows(path):
    """As if all that is counted there had begun long ago."""
    with open(path, "r+b") as file:
        file.seek(HEADER)
        slots = [SLOT.pack(name, count, 1) for name, count, _ in SLOT.iter_unpack(file.read())]
        file.seek(HEADER)
        file.write(b"".join(slots))


def test_logging_in_works_again_when_the_window_ends(client, environ):
    signup(client, "ann@example.com")
    guess(client, 10)
    refused(login(client), 429, "rate_limited")
    end_windows(f"{environ['DB_PATH']}.hits")
    assert login(client).status_code == 200
    guess(client, 10)
    refused(login(client), 429, "rate_limited")
