"""Transactions that the server gave up for the sake of others are tried again, a bounded number of times."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from mechtech import privacy
from mechtech.database import migrate
from mechtech.database.postgresql import TRIES, Database
from mechtech.errors import Unavailable
from mechtech.mail import outbox
from tests.answers import sql
from tests.conftest import BOOKING, book
from tests.tools import at_once, wait_until


@pytest.fixture
def database(environ):
    database = Database(environ["DATABASE_URL"], migrate.scripts("postgresql"))
    database.make()
    return database


def fail(tx, code: str):
    tx.script(f"DO $$ BEGIN RAISE 'given up' USING ERRCODE = '{code}'; END $$")


def test_of_two_that_wait_for_each_other_both_are_carried_out(database):
    insert = "INSERT INTO mechanics (name, email, phone) VALUES (:name, :name || '@garage.example', '1234')"
    for name in ("a", "b"):
        database.write(insert, {"name": name})
    both_have_one = Barrier(2)
    tries = []

    def change(first, second):
        def work(tx):
            tries.append(first)
            tx.one("SELECT id FROM mechanics WHERE name = :name", {"name": first}, lock=True)
            if len(tries) <= 2:
                both_have_one.wait()
            tx.one("SELECT id FROM mechanics WHERE name = :name", {"name": second}, lock=True)
            tx.write("UPDATE mechanics SET experience_years = experience_years + 1")

        database.transaction(work)

    at_once(2, lambda number: change("ab"[number], "ba"[number]))
    assert len(tries) > 2
    assert database.all("SELECT experience_years AS years FROM mechanics") == [{"years": 2}] * 2


@pytest.mark.parametrize("code", ["serialization_failure", "deadlock_detected"])
def test_what_the_server_gives_up_is_tried_again_from_the_beginning(database, code):
    tries = []

    def work(tx):
        tries.append(None)
        tx.write("INSERT INTO mechanics (name, email, phone) VALUES ('a', 'a@garage.example', '1234')")
        if len(tries) < TRIES:
            fail(tx, code)

    database.transaction(work)
    assert len(tries) == TRIES
    assert len(database.all("SELECT id FROM mechanics")) == 1


def test_what_fails_each_time_is_unavailable_in_the_end(database):
    tries = []

    def work(tx):
        tries.append(None)
        fail(tx, "serialization_failure")

    with pytest.raises(Unavailable):
        database.transaction(work)
    assert len(tries) == TRIES


def test_a_mistake_of_ours_is_not_tried_again(database):
    tries = []

    def work(tx):
        tries.append(None)
        fail(tx, "division_by_zero")

    with pytest.raises(Exception, match="given up"):
        database.transaction(work)
    assert len(tries) == 1
    assert database.one("SELECT 1 AS one") == {"one": 1}


def test_forget_finds_the_mail_of_a_change_that_was_under_way(app, client, environ):
    book(client)
    database, locked, forgetting = app.extensions["mechtech.db"], Event(), Event()

    def change(tx):
        booking = tx.one("SELECT * FROM bookings", lock=True)
        locked.set()
        forgetting.wait(10)
        outbox.add(tx, app.config["settings"], "cancelled", booking)

    def forget():
        with app.app_context():
            privacy.forget(privacy.find_person(BOOKING["email"]))

    with ThreadPoolExecutor(2) as pool:
        changed = pool.submit(database.transaction, change)
        locked.wait(10)
        forgotten = pool.submit(forget)
        waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        wait_until(lambda: sql(environ["DB_PATH"], waits))
        forgetting.set()
        changed.result(), forgotten.result()
    assert sql(environ["DB_PATH"], "SELECT recipient FROM outbox WHERE recipient <> ''") == []
