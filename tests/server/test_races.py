"""Races are decided by the database: of many who want the same thing at once, exactly as many get it as may."""

import sqlite3
import threading
from collections import Counter

import pytest

from mechtech.database.sqlite import Database
from tests.conftest import BOOKING, CONTACT, MECHANIC
from tests.forks import forks
from tests.tools import at_once, book, check_database, running, sign_up, sql, wait_until


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("races"), WEB_CONCURRENCY="4") as server:
        yield server
        check_database(server.environ["DB_PATH"])


@pytest.fixture(scope="module")
def admin(server):
    return sign_up(server, "admin@example.com", admin=True)


@pytest.fixture
def hire(server, admin, request):
    """The id of a new mechanic."""
    email = f"{abs(hash(request.node.name))}@garage.example"
    return server.call("POST", "/api/mechanics/", {**MECHANIC, "email": email}, token=admin).json["mechanic"]["id"]


def statuses(answers) -> Counter:
    return Counter(answer.status for answer in answers)


def update(server, token, booking_id, **changes):
    answer = server.call("PUT", f"/api/booking/{booking_id}", changes, token=token)
    assert answer.status == 200, answer.body


def test_an_address_signed_up_thirty_times_at_once_gets_one_account(server):
    def sign_up_as(number):
        email = "".join(c.upper() if number >> i & 1 else c for i, c in enumerate("racer@example.com"))
        body = {"name": "Racer", "email": email, "password": "password123"}
        return server.call("POST", "/api/auth/signup", body)

    answers = at_once(30, sign_up_as)
    assert statuses(answers) == {201: 1, 400: 29}
    assert {answer.json["error"] for answer in answers if answer.status == 400} == {"validation"}
    assert all("email" in answer.json["fields"] for answer in answers if answer.status == 400)
    rows = sql(server.environ["DB_PATH"], "SELECT COUNT(*) FROM users WHERE lower(email) = 'racer@example.com'")
    assert rows == [(1,)]


def test_of_bookings_at_once_each_is_told_its_own_and_a_token_that_ended_books_nothing(server):
    good, ended = sign_up(server, "books@example.com"), sign_up(server, "ended@example.com")
    change = {"currentPassword": "password123", "newPassword": "password456"}
    assert server.call("PUT", "/api/auth/profile", change, token=ended).status == 200
    callers = (None, good, ended)

    def book_as(number):
        return server.call("POST", "/api/booking/", {**BOOKING, "name": f"Driver {number}"}, token=callers[number % 3])

    answers = at_once(60, book_as)
    assert [answer.status for answer in answers] == [201, 201, 401] * 20
    told = {
        (answer.json["bookingId"], f"Driver {number}", int("bookingToken" in answer.json))
        for number, answer in enumerate(answers)
        if answer.status == 201
    }
    written = sql(server.environ["DB_PATH"], "SELECT id, name, user_id IS NULL FROM bookings WHERE name LIKE 'Driver%'")
    assert set(written) == told


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_booking_is_cancelled_once(server, method):
    made = book(server).json
    path, body = f"/api/booking/{made['id']}", {"status": "cancelled"} if method == "PUT" else None
    answers = at_once(30, lambda number: server.call(method, path, body, token=made["bookingToken"]))
    assert statuses(answers) == {200: 1, 409: 29}
    history = server.call("GET", path, token=made["bookingToken"]).json["booking"]["history"]
    assert [step["status"] for step in history] == ["pending", "cancelled"]


def test_forty_confirmations_for_one_mechanic_fill_exactly_the_capacity(server, admin, hire):
    ids = [book(server).json["bookingId"] for _ in range(40)]
    body = {"status": "confirmed", "mechanicId": hire}
    answers = at_once(40, lambda number: server.call("PUT", f"/api/booking/{ids[number]}", body, token=admin))
    assert statuses(answers) == {200: 5, 409: 35}
    free = server.call("GET", f"/api/mechanics/{hire}/availability").json
    assert (free["currentBookings"], free["availableSlots"], free["available"]) == (5, 0, False)
    # A booking that was refused is as it was.
    rows = sql(
        server.environ["DB_PATH"],
        f"SELECT status, mechanic_id, COUNT(*) FROM bookings WHERE id >= {ids[0]} GROUP BY 1, 2 ORDER BY 3",
    )
    assert rows == [("confirmed", hire, 5), ("pending", None, 35)]


def test_confirmed_bookings_handed_to_one_mechanic_fill_exactly_the_capacity(server, admin, hire):
    ids = [book(server).json["bookingId"] for _ in range(12)]
    for booking_id in ids:
        update(server, admin, booking_id, status="confirmed")
    answers = at_once(
        12, lambda number: server.call("PUT", f"/api/booking/{ids[number]}", {"mechanicId": hire}, token=admin)
    )
    assert statuses(answers) == {200: 5, 409: 7}
    assert server.call("GET", f"/api/mechanics/{hire}/availability").json["currentBookings"] == 5


def test_a_booking_is_completed_and_reviewed_once(server, admin, hire):
    made = book(server).json
    path, token = f"/api/booking/{made['id']}", made["bookingToken"]
    update(server, admin, made["id"], status="confirmed", mechanicId=hire)
    update(server, admin, made["id"], status="in-progress")
    completions = at_once(
        20, lambda number: server.call("PUT", path, {"status": "completed", "cost": number}, token=admin)
    )
    assert statuses(completions) == {200: 1, 409: 19}
    cost = next(number for number, answer in enumerate(completions) if answer.status == 200)

    reviews = at_once(20, lambda number: server.call("POST", f"{path}/review", {"rating": number % 5 + 1}, token=token))
    assert statuses(reviews) == {201: 1, 409: 19}
    rating = next(answer.json["rating"] for answer in reviews if answer.status == 201)
    service = server.call("GET", path, token=token).json["booking"]["service"]
    assert (service["rating"], service["cost"]) == (rating, cost)
    assert server.call("GET", f"/api/mechanics/{hire}").json["mechanic"]["rating"] == rating


def test_a_mechanic_and_their_services_are_of_one_moment(server, admin, hire):
    made = book(server).json
    update(server, admin, made["bookingId"], status="confirmed", mechanicId=hire)
    for status in "in-progress", "completed":
        update(server, admin, made["bookingId"], status=status)
    rate = """
        UPDATE service_history
        SET rating = CASE WHEN rating IS NULL THEN 5 END
        WHERE booking_id = (SELECT MAX(booking_id) FROM service_history)
    """
    done = threading.Event()

    def change_or_read(number):
        seen = set()
        if number == 0:
            while not done.wait(0.0005):
                sql(server.environ["DB_PATH"], rate)
            return seen
        for _ in range(150):
            shown = server.call("GET", f"/api/mechanics/{hire}").json
            seen.add((shown["mechanic"]["review_count"], shown["recentServices"][0]["rating"]))
        done.set()
        return seen

    assert set().union(*at_once(4, change_or_read)) == {(0, None), (1, 5)}


def test_a_mechanics_address_is_taken_once(server, admin):
    body = {**MECHANIC, "email": "wanted@garage.example"}
    answers = at_once(20, lambda number: server.call("POST", "/api/mechanics/", body, token=admin))
    assert statuses(answers) == {201: 1, 400: 19}


def test_of_two_new_passwords_at_once_one_is_set(server):
    token = sign_up(server, "changer@example.com")

    def change(number):
        body = {"currentPassword": "password123", "newPassword": f"new-password-{number}"}
        return server.call("PUT", "/api/auth/profile", body, token=token)

    answers = at_once(8, change)
    winners = [number for number, answer in enumerate(answers) if answer.status == 200]
    assert len(winners) == 1
    # The others came too late, or with a token that the winner had ended.
    assert {answer.status for answer in answers} <= {200, 400, 401}
    new = f"new-password-{winners[0]}"
    answer = server.call("POST", "/api/auth/login", {"email": "changer@example.com", "password": new})
    assert answer.status == 200
    assert server.call("GET", "/api/auth/profile", token=answers[winners[0]].json["token"]).status == 200
    assert server.call("GET", "/api/auth/profile", token=token).status == 401


@pytest.mark.parametrize(
    "path, body, table", [("/api/booking/", BOOKING, "bookings"), ("/api/contact/", CONTACT, "contact_messages")]
)
@pytest.mark.parametrize("who", ["guest", "user"])
def test_a_key_sent_twenty_times_at_once_makes_one_row_and_twenty_equal_answers(server, admin, path, body, table, who):
    count = f"SELECT COUNT(*) FROM {table}"
    before = sql(server.environ["DB_PATH"], count)[0][0]
    headers, token = {"Idempotency-Key": f"twenty-{table}-{who}"}, admin if who == "user" else None
    answers = at_once(20, lambda number: server.call("POST", path, body, headers=headers, token=token))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    assert sum(answer.headers["Idempotent-Replayed"] == "true" for answer in answers) == 19
    assert sql(server.environ["DB_PATH"], count)[0][0] == before + 1


@pytest.mark.sqlite
def test_workers_that_start_at_once_in_an_empty_folder_make_one_schema(tmp_path):
    with running(tmp_path, WEB_CONCURRENCY="8") as server:
        wait_until(lambda: len(server.workers()) == 8)
        answers = at_once(16, lambda number: book(server, str(number)))
        assert statuses(answers) == {201: 16}
        assert {answer.json["bookingId"] for answer in answers} == set(range(1, 17))
        log = server.log.read_text()
    assert "cannot make" not in log and "Traceback" not in log
    names = [name for (name,) in sql(tmp_path / "test.db", "SELECT name FROM sqlite_schema WHERE type = 'table'")]
    assert {"users", "bookings", "contact_messages", "mechanics", "service_history"} <= set(names)
    check_database(tmp_path / "test.db")


def make_and_use(folder, barrier, rounds, failed):
    """What each worker does with a file that is not there yet."""
    schema = "CREATE TABLE IF NOT EXISTS booking_history (id INTEGER PRIMARY KEY) STRICT"
    for number in range(rounds):
        db = Database(f"{folder}/{number}.db", schema)
        barrier.wait(30)
        try:
            for _ in range(3):
                db.write("INSERT INTO booking_history DEFAULT VALUES")
        except sqlite3.Error as error:
            failed.put(repr(error))


@pytest.mark.sqlite
def test_processes_that_need_a_new_file_at_once_all_get_it(tmp_path):
    """Twenty times, without the time that a server takes to start."""
    rounds, workers = 20, 4
    barrier, failed = forks().Barrier(workers), forks().Queue()
    arguments = (str(tmp_path), barrier, rounds, failed)
    processes = [forks().Process(target=make_and_use, args=arguments) for _ in range(workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * workers
    assert failed.empty(), failed.get()
    counts = {sql(tmp_path / f"{number}.db", "SELECT COUNT(*) FROM booking_history")[0][0] for number in range(rounds)}
    assert counts == {3 * workers}
