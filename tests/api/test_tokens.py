import base64
import hmac
import json
import time

import jwt
import pytest

from tests.answers import refused, sql
from tests.conftest import BOOKING, CONTACT, MECHANIC, SECRET, Api, book, signup, started

WEEK = 7 * 86400
FORGED = "another-secret-that-somebody-guessed-at-32"
PERSON = {"name": "Ann Driver", "email": "ann@example.com", "password": "password123"}

# Every endpoint that anyone may call, with what succeeds there.
OPEN = [
    ("POST", "/api/auth/signup", PERSON, 201),
    ("POST", "/api/auth/login", {"email": "customer@example.com", "password": "password123"}, 200),
    ("POST", "/api/booking/", BOOKING, 201),
    ("POST", "/api/contact/", CONTACT, 201),
    ("GET", "/api/mechanics/", None, 200),
    ("GET", "/api/mechanics/1", None, 404),
    ("GET", "/api/mechanics/1/availability", None, 404),
]
# Every endpoint that needs a user.
CLOSED = [
    ("GET", "/api/auth/profile", None),
    ("PUT", "/api/auth/profile", {"name": "Ann"}),
    ("GET", "/api/booking/", None),
    ("GET", "/api/contact/", None),
    ("GET", "/api/contact/1", None),
    ("PUT", "/api/contact/1/read", None),
    ("DELETE", "/api/contact/1", None),
    ("POST", "/api/mechanics/", MECHANIC),
    ("PUT", "/api/mechanics/1", {"name": "Max"}),
]


def claims(token):
    """By a stranger's defaults: no token is issued ahead of the clock."""
    return jwt.decode(token, SECRET, ["HS256"])


def sign(payload, secret=SECRET, algorithm="HS256", headers=None):
    return jwt.encode(payload, secret, algorithm, headers)


def fresh(user_id=1, **changes):
    """The claims of a good token; changes of None take a claim out."""
    now = int(time.time())
    payload = {"userId": user_id, "iat": now, "exp": now + WEEK, **changes}
    return {name: value for name, value in payload.items() if value is not None}


def by_hand(header, payload, signature=None):
    """A token as no library would make it; signature: None signs it as HS256 does, whatever the header says."""
    signed = b".".join(encode(json.dumps(part).encode()) for part in (header, payload))
    if signature is None:
        signature = hmac.digest(SECRET.encode(), signed, "sha256")
    return b".".join([signed, encode(signature)]).decode()


def encode(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def is_good(client, token):
    """Does the token open the profile? If not, it is 401 in the contract's shape."""
    answer = client.get("/api/auth/profile", token=token)
    if answer.status_code == 200:
        return True
    refused(answer, 401, answer.json["error"])
    assert answer.json["error"] in ("unauthorized", "token_expired")
    return False


def take_over(client, email):
    """The token of an account as the import makes it: without a key."""
    signup(client, email)
    client.client.application.extensions["mechtech.db"].write("UPDATE users SET token_key = NULL")
    return client.post("/api/auth/login", {"email": email, "password": "password123"}).json["token"]


@pytest.fixture(scope="module")
def lasting_customer(lasting):
    return take_over(lasting, "customer@example.com")


@pytest.fixture
def customer(client):
    return take_over(client, "customer@example.com")


# What is issued


def test_a_token_is_HS256_with_the_claims_userId_iat_exp_for_7_days(client):
    before = int(time.time())
    user_id = client.post("/api/auth/signup", PERSON).json["user"]["id"]
    token = client.post("/api/auth/login", PERSON).json["token"]
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    found = claims(token)
    assert found == {"userId": user_id, "iat": found["iat"], "exp": found["iat"] + WEEK, "key": found["key"]}
    assert len(found["key"]) >= 16
    assert before <= found["iat"] <= time.time()


def test_a_bookingToken_is_such_a_token_for_one_booking_and_90_days(client):
    made = book(client)
    found = claims(made["bookingToken"])
    assert found == {"bookingId": made["bookingId"], "iat": found["iat"], "exp": found["iat"] + 90 * 86400}


@pytest.mark.parametrize("text, seconds", [("90s", 90), ("30m", 1800), ("12h", 43200), ("2w", 14 * 86400)])
def test_JWT_EXPIRE_sets_how_long_a_token_lasts(environ, request, text, seconds):
    environ["JWT_EXPIRE"] = text
    found = claims(signup(request.getfixturevalue("client")))
    assert found["exp"] - found["iat"] == seconds


# What is accepted


def test_a_token_that_the_original_issued_under_the_same_secret_is_valid(lasting, lasting_customer):
    """jsonwebtoken writes other headers and claims in another order, and may have said more."""
    original = by_hand({"typ": "JWT", "alg": "HS256"}, {"exp": 2**33, "email": "x@y.z", "iat": 1500000000, "userId": 1})
    assert is_good(lasting, original)


@pytest.mark.parametrize("seconds", [-86400, -60, -1])
def test_an_expired_token_is_refused(lasting, lasting_customer, seconds):
    now = int(time.time())
    answer = lasting.get("/api/auth/profile", token=sign(fresh(iat=now - WEEK, exp=now + seconds)))
    refused(answer, 401, "token_expired")
    assert answer.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token", error_description="')


def test_a_token_is_good_until_it_expires(lasting, lasting_customer):
    now = int(time.time())
    assert is_good(lasting, sign(fresh(iat=now - WEEK, exp=now + 10)))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_is_Bearer_in_any_case(lasting, lasting_customer, scheme):
    headers = {"Authorization": f"{scheme} {lasting_customer}"}
    assert lasting.get("/api/auth/profile", headers=headers).status_code == 200


# What is not


@pytest.mark.parametrize(
    "header",
    [
        *("Basic {}", "Token {}", "JWT {}", "Digest {}", "{}", "Bearer", "Bearer ", "Bearer{}", "Bearer: {}"),
        *("Bearer {} {}", "Bearer Bearer {}", "Bearer null", "Bearer undefined", "Bearer {},Bearer {}", "\xff {}"),
    ],
)
def test_any_other_scheme_is_refused(lasting, lasting_customer, header):
    answer = lasting.get("/api/auth/profile", headers={"Authorization": header.replace("{}", lasting_customer)})
    refused(answer, 401, "unauthorized")
    answer = lasting.get("/api/mechanics/", headers={"Authorization": header.replace("{}", lasting_customer)})
    assert answer.status_code == 200


@pytest.mark.filterwarnings("ignore:The HMAC key")
@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm_is_refused_even_with_the_right_secret(lasting, lasting_customer, algorithm):
    assert not is_good(lasting, sign(fresh(), algorithm=algorithm))


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "", "RS256", "ES256", "PS256", "EdDSA", "hs256", None, 7]
)
@pytest.mark.parametrize("signature", [None, b""], ids=["signed", "unsigned"])
def test_a_token_that_names_another_algorithm_is_refused(lasting, lasting_customer, algorithm, signature):
    assert is_good(lasting, by_hand({"typ": "JWT", "alg": "HS256"}, fresh()))
    assert not is_good(lasting, by_hand({"typ": "JWT", "alg": algorithm}, fresh(), signature))


@pytest.mark.filterwarnings("ignore:The HMAC key")
@pytest.mark.parametrize("algorithm", ["HS256", "HS384"])
def test_a_token_under_another_secret_is_refused(lasting, lasting_customer, algorithm):
    assert not is_good(lasting, sign(fresh(), FORGED, algorithm))
    assert not is_good(lasting, sign(fresh(), FORGED, headers={"kid": "../../dev/null", "jku": "http://127.0.0.1:9/"}))


def test_a_token_that_was_changed_is_refused(client, customer):
    signup(client, "other@example.com")
    head, _, tail = customer.split(".")
    for payload in (fresh(2), fresh(exp=2**33)):
        assert not is_good(client, f"{head}.{encode(json.dumps(payload).encode()).decode()}.{tail}")
    assert not is_good(client, customer[:-4])
    assert not is_good(client, f"{head}.{tail}")


@pytest.mark.parametrize(
    "changes",
    [
        *({"exp": None}, {"iat": None}, {"userId": None}, {"userId": None, "sub": "1"}, {"bookingId": 1}),
        *({"userId": value} for value in ("1", 1.0, True, 0, -1, [1], {"$gt": 0}, 2**63, 10**400)),
        *({"exp": value} for value in ("tomorrow", [], True, -1, 0)),
        *({"iat": value} for value in ("now", [], True, float("nan"))),
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_a_token_whose_claims_are_not_ours_is_refused(lasting, lasting_customer, changes):
    assert not is_good(lasting, by_hand({"typ": "JWT", "alg": "HS256"}, fresh(**changes)))


@pytest.mark.parametrize("token", ["x", "a.b.c", "...", "é.é.é", "e30.e30.e30", "null", "A" * 6000, "[" * 3000])
def test_what_is_no_token_at_all_is_refused(lasting, token):
    assert not is_good(lasting, token)


@pytest.mark.parametrize(("ahead", "good"), [(55, True), (70, False), (3600, False)])
def test_a_token_that_was_issued_more_than_a_minute_ahead_of_the_clock_is_refused(
    lasting, lasting_customer, ahead, good
):
    assert is_good(lasting, sign(fresh(iat=int(time.time()) + ahead))) == good


def test_a_token_without_the_accounts_key_or_with_another_is_refused(client):
    good = claims(signup(client, "ann@example.com"))
    assert is_good(client, sign(good))
    for key in (None, "", "another", 7, [good["key"]], "\ud800"):
        assert not is_good(client, sign({**good, "key": key}))
    assert not is_good(client, sign({name: value for name, value in good.items() if name != "key"}))


@pytest.mark.sqlite
def test_a_restored_backup_revives_no_token_and_hands_none_to_another_account(client, environ):
    backup = sql(environ["DB_PATH"], "SELECT COUNT(*) FROM users")
    lost = signup(client, "lost@example.com")
    sql(environ["DB_PATH"], "DELETE FROM users")
    sql(environ["DB_PATH"], "DELETE FROM sqlite_sequence")
    assert backup == [(0,)]
    new = signup(client, "new@example.com")
    assert claims(new)["userId"] == claims(lost)["userId"]
    assert (is_good(client, new), is_good(client, lost)) == (True, False)


def test_logging_out_ends_every_token_of_the_account(client):
    tokens = [signup(client, "ann@example.com"), client.post("/api/auth/login", PERSON).json["token"]]
    other = signup(client, "other@example.com")
    assert client.post("/api/auth/logout", token=tokens[0]).json.keys() == {"message"}
    assert [is_good(client, token) for token in (*tokens, other)] == [False, False, True]
    assert is_good(client, client.post("/api/auth/login", PERSON).json["token"])


def test_logging_out_ends_the_tokens_of_an_account_that_was_taken_over(client, customer):
    assert is_good(client, customer)
    client.post("/api/auth/logout", token=customer)
    assert not is_good(client, customer)


def test_the_secret_before_still_signs_in_until_its_tokens_expire(environ):
    old = started({**environ, "JWT_SECRET": FORGED}).test_client()
    token = Api(old).post("/api/auth/signup", PERSON).json["token"]
    turned = Api(started({**environ, "JWT_SECRET_PREVIOUS": FORGED}).test_client())
    assert is_good(turned, token)
    fresh_token = turned.post("/api/auth/login", PERSON).json["token"]
    assert claims(fresh_token)  # nothing new is signed with the old one
    assert not is_good(Api(started(environ).test_client()), token)
    assert is_good(Api(started(environ).test_client()), fresh_token)


def test_the_token_of_a_deleted_user_is_refused(client, customer, environ):
    sql(environ["DB_PATH"], "DELETE FROM users")
    assert not is_good(client, customer)
    signup(client, "next@example.com")  # and nobody gets the old number
    assert not is_good(client, customer)


def test_a_new_password_ends_every_token_issued_before_it_in_the_same_second_too(client):
    """Three changes one after the other: most of them fall into one second, and each is told from the next."""
    tokens = [signup(client, "ann@example.com"), client.post("/api/auth/login", PERSON).json["token"]]
    for old, new in [("password123", "password456"), ("password456", "password789"), ("password789", "password000")]:
        assert is_good(client, tokens[-1])
        body = {"currentPassword": old, "newPassword": new}
        tokens.append(client.put("/api/auth/profile", body, token=tokens[-1]).json["token"])
        assert [is_good(client, token) for token in tokens] == [False] * (len(tokens) - 1) + [True]
    logged_in = client.post("/api/auth/login", {"email": "ann@example.com", "password": "password000"}).json["token"]
    assert is_good(client, logged_in)
    assert claims(logged_in)["exp"] - claims(logged_in)["iat"] == WEEK


def test_a_new_password_ends_the_tokens_of_the_original_and_nobody_elses(client, customer):
    other = signup(client, "other@example.com")
    original = by_hand({"alg": "HS256", "typ": "JWT"}, {"userId": 1, "iat": 1500000000, "exp": 2**33})
    assert is_good(client, original)
    body = {"currentPassword": "password123", "newPassword": "password456"}
    assert client.put("/api/auth/profile", body, token=customer).status_code == 200
    assert not is_good(client, original)
    assert is_good(client, other)


# Where tokens are looked at


@pytest.mark.parametrize("method, path, body, status", [row for row in OPEN if row[1] != "/api/booking/"])
def test_where_it_makes_no_difference_who_asks_a_bad_token_counts_as_none(client, customer, method, path, body, status):
    expired = sign(fresh(iat=1500000000, exp=1500000001))
    for number, token in enumerate(("bad", expired, sign(fresh(), FORGED), sign(fresh(99)), customer)):
        sent = {**body, "email": f"ann{number}@example.com"} if path.endswith("signup") else body
        assert client.call(method, path, sent, token=token).status_code == status


def test_a_bad_token_makes_no_guests_booking(client, customer, environ):
    for token in ("bad", sign(fresh(), FORGED), sign(fresh(99))):
        refused(client.post("/api/booking/", BOOKING, token=token), 401, "unauthorized")
    expired = sign(fresh(iat=1500000000, exp=1500000001))
    refused(client.post("/api/booking/", BOOKING, token=expired), 401, "token_expired")
    assert sql(environ["DB_PATH"], "SELECT COUNT(*) FROM bookings") == [(0,)]


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "an-attempt"}])
def test_a_token_that_a_new_password_ended_books_nothing_and_gets_nothing_back(client, customer, environ, key):
    made = client.post("/api/booking/", BOOKING, token=customer, headers=key).json["bookingId"]
    change = {"currentPassword": "password123", "newPassword": "password456"}
    fresh = client.put("/api/auth/profile", change, token=customer).json["token"]
    refused(client.post("/api/booking/", BOOKING, token=customer, headers=key), 401, "unauthorized")
    assert sql(environ["DB_PATH"], "SELECT id FROM bookings") == [(made,)]
    assert client.post("/api/booking/", BOOKING, token=fresh, headers=key).status_code == 201


@pytest.mark.parametrize("path", ["/health", "/", "/nothing", "/api/nothing", "/api", "/api/mechanics/x"])
@pytest.mark.parametrize("header", ["Bearer bad", "Basic YTpi"])
def test_health_index_and_unknown_paths_look_at_no_token(lasting, path, header):
    with_token = lasting.get(path, headers={"Authorization": header})
    assert with_token.status_code == lasting.get(path).status_code == (200 if path in ("/health", "/") else 404)


# A bookingToken


@pytest.mark.parametrize("method, path, body", CLOSED)
def test_a_bookingToken_is_not_a_user(client, method, path, body):
    refused(client.call(method, path, body, token=book(client)["bookingToken"]), 401, "unauthorized")
    refused(client.call(method, path, body), 401, "unauthorized")


@pytest.mark.parametrize("method, path, body, status", OPEN)
def test_on_open_endpoints_the_holder_of_a_bookingToken_is_a_guest(client, customer, method, path, body, status):
    answer = client.call(method, path, body, token=book(client)["bookingToken"])
    assert answer.status_code == status
    assert ("bookingToken" in answer.json) == (path == "/api/booking/")


@pytest.mark.parametrize(
    "method, path, body",
    [("GET", "", None), ("PUT", "", {"status": "cancelled"}), ("DELETE", "", None), ("POST", "/review", {"rating": 5})],
)
def test_a_bookingToken_opens_its_own_booking_only(client, method, path, body):
    mine, other = book(client), book(client)
    assert client.get(f"/api/booking/{mine['bookingId']}", token=mine["bookingToken"]).status_code == 200
    for booking in (other["bookingId"], other["id"], 999):
        answer = client.call(method, f"/api/booking/{booking}{path}", body, token=mine["bookingToken"])
        refused(answer, 404, "not_found")
    refused(client.call(method, f"/api/booking/{other['id']}{path}", body), 401, "unauthorized")
    assert client.get(f"/api/booking/{other['id']}", token=other["bookingToken"]).json["booking"]["status"] == "pending"


def test_a_bookingToken_that_is_expired_or_forged_is_refused(client):
    made = book(client)
    good = claims(made["bookingToken"])
    for token in (sign(good, FORGED), sign({**good, "bookingId": "1"})):
        refused(client.get("/api/booking/1", token=token), 401, "unauthorized")
    expired = sign({**good, "exp": int(time.time()) - 60})
    refused(client.get("/api/booking/1", token=expired), 401, "token_expired")
    # One of a booking that had the same number before a backup was restored.
    refused(client.get("/api/booking/1", token=sign({**good, "iat": good["iat"] - 1})), 404, "not_found")
    assert client.get("/api/booking/1", token=sign(good)).status_code == 200
