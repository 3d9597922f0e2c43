"""Guessing passwords is slow: limits exact across workers, and nothing tells an unknown address from a known one."""

import time
import unicodedata
from collections import Counter

import bcrypt
import pytest

from mechtech import create_app
from mechtech.settings import from_environment
from tests.conftest import Api, signup
from tests.tools import at_once, check_refusal, running, settings, sign_up

WRONG = "not-the-password"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Behind a proxy, so that callers can be given addresses."""
    with running(tmp_path_factory.mktemp("guessing"), WEB_CONCURRENCY="4", TRUSTED_PROXIES="1") as server:
        yield server


def login(server, email, password=WRONG, address="10.0.0.1"):
    body, headers = {"email": email, "password": password}, {"X-Forwarded-For": address}
    answer = server.call("POST", "/api/auth/login", body, headers=headers)
    if answer.status != 200:
        check_refusal(answer.status, answer.headers, answer.json)
    if answer.status == 429:
        assert 1 <= int(answer.headers["Retry-After"]) <= 900
    return answer


def statuses(answers) -> Counter:
    return Counter(answer.status for answer in answers)


@pytest.mark.parametrize("known", [True, False], ids=["an account", "an address without one"])
def test_ten_failed_logins_from_one_address_and_not_one_more_are_answered(server, known):
    """All at once, over four workers, in differing case; then the right password is no better, but elsewhere it is."""
    email = f"ten-{known}@example.com"
    if known:
        sign_up(server, email)
    answers = at_once(40, lambda n: login(server, email.upper() if n % 2 else email))
    assert statuses(answers) == {401: 10, 429: 30}
    assert login(server, email, "password123").status == 429
    assert login(server, email, "password123", address="10.0.0.2").status == (200 if known else 401)
    assert login(server, f"other-{email}").status == 401


def test_the_limit_outlives_a_restart(server):
    assert statuses(at_once(10, lambda n: login(server, "restart@example.com"))) == {401: 10}
    server.kill()
    server.start()
    assert login(server, "restart@example.com").status == 429


def test_a_hundred_failed_logins_from_anywhere_and_not_one_more_are_answered(server):
    sign_up(server, "hundred@example.com")
    answers = at_once(130, lambda n: login(server, "hundred@example.com", address=f"10.1.0.{n}"))
    assert statuses(answers) == {401: 100, 429: 30}
    assert login(server, "hundred@example.com", "password123", address="10.2.0.1").status == 429


def test_a_wrong_current_password_is_a_failed_login(server):
    token = sign_up(server, "profile@example.com")

    def guess(number):
        if number % 2:
            return login(server, "profile@example.com").status
        body = {"currentPassword": WRONG, "newPassword": "password124"}
        headers = {"X-Forwarded-For": "10.0.0.1"}
        return server.call("PUT", "/api/auth/profile", body, token=token, headers=headers).status

    answered = Counter(at_once(24, guess))
    assert answered[400] + answered[401] == 10
    assert answered[429] == 14


# In equal time. In process, one request after the other, so that nothing but the request itself is measured.


class Timing:
    def __init__(self, folder, rounds):
        app = create_app(from_environment({**settings(folder), "BCRYPT_ROUNDS": str(rounds)}))
        self.client = Api(app.test_client())
        signup(self.client, "known@example.com")
        self.caller = 0

    def login(self, email, password=WRONG) -> float:
        """The seconds it took. Each caller has another address, and each fifty logins another account's name."""
        self.caller += 1
        address = {"REMOTE_ADDR": f"10.3.{self.caller >> 8}.{self.caller & 255}"}
        body = {"email": email, "password": password}
        started = time.perf_counter()
        answer = self.client.post("/api/auth/login", body, environ_overrides=address)
        took = time.perf_counter() - started
        assert answer.status_code == 401
        return took


def test_an_unknown_address_takes_the_time_of_a_wrong_password(tmp_path):
    """The quickest of each, which other work slows least: without the hash one side would be a tenth of the other."""
    timing = Timing(tmp_path, rounds=8)
    samples = [
        (timing.login("known@example.com"), timing.login("unknown@example.com"), timing.login("known@example.com", "x"))
        for _ in range(20)
    ]
    known, unknown, short = map(min, zip(*samples))
    assert 0.6 < unknown / known < 1.6, (known, unknown)
    assert 0.6 < short / known < 1.6, (known, short)
    # Neither is the slower one nearly always, beyond what a few per cent explain.
    slower = sum(mine > 1.2 * other for mine, other, _ in samples) / len(samples)
    faster = sum(1.2 * mine < other for mine, other, _ in samples) / len(samples)
    assert slower < 0.8 and faster < 0.8


HASHES = {
    "cost-4@example.com": bcrypt.hashpw(b"password123", bcrypt.gensalt(4)).decode(),
    "cost-6@example.com": bcrypt.hashpw(b"password123", bcrypt.gensalt(6)).decode(),
    "malformed@example.com": "$2b$06$short",
    "impossible-salt@example.com": "$2b$06$" + 53 * "a",
    "no-hash@example.com": "",
}


@pytest.fixture(scope="module")
def old_accounts(tmp_path_factory):
    timing = Timing(tmp_path_factory.mktemp("accounts"), rounds=5)
    for address, hashed in HASHES.items():
        row = {"email": address, "hashed": hashed, "name": "Old"}
        timing.client.client.application.extensions["mechtech.db"].write(
            "INSERT INTO users (email, password, name) VALUES (:email, :hashed, :name)", row
        )
    return timing


@pytest.mark.parametrize("password", [WRONG, "x" * 73, "ü" * 40, "nul\0byte"], ids=repr)
@pytest.mark.parametrize("email", ["known@example.com", "unknown@example.com", *HASHES])
def test_every_failed_login_costs_what_the_costliest_hash_does(old_accounts, monkeypatch, email, password):
    work, checkpw, hashpw = [], bcrypt.checkpw, bcrypt.hashpw
    monkeypatch.setattr(bcrypt, "checkpw", lambda *args: work.append(int(args[1][4:6])) or checkpw(*args))
    monkeypatch.setattr(bcrypt, "hashpw", lambda *args: work.append(int(args[1][4:6])) or hashpw(*args))
    old_accounts.login(email, password)
    forms = {unicodedata.normalize(form, password) for form in ("NFC", "NFD")}
    assert sum(2**cost for cost in work) == len(forms) * 2**6


def test_a_login_that_succeeds_gets_a_hash_of_the_present_cost(tmp_path):
    timing = Timing(tmp_path, rounds=5)
    database = timing.client.client.application.extensions["mechtech.db"]
    row = {"hashed": HASHES["cost-4@example.com"]}
    database.write("INSERT INTO users (email, password, name) VALUES ('old@example.com', :hashed, 'Old')", row)
    for _ in range(2):
        login = {"email": "old@example.com", "password": "password123"}
        assert timing.client.post("/api/auth/login", login).status_code == 200
        (stored,) = database.all("SELECT password FROM users WHERE email = 'old@example.com'")
        assert stored["password"].startswith("$2b$05$")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("stored", ["NFC", "NFD"])
def test_a_password_is_the_same_in_either_of_unicodes_forms(tmp_path, stored, form):
    timing = Timing(tmp_path, rounds=4)
    hashed = bcrypt.hashpw(unicodedata.normalize(stored, "pässwörd-1").encode(), bcrypt.gensalt(4)).decode()
    timing.client.client.application.extensions["mechtech.db"].write(
        "INSERT INTO users (email, password, name) VALUES ('old@example.com', :hashed, 'Old')", {"hashed": hashed}
    )
    login = {"email": "old@example.com", "password": unicodedata.normalize(form, "pässwörd-1")}
    assert timing.client.post("/api/auth/login", login).status_code == 200
