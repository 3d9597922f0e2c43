"""PostgreSQL's own programs back the database up and restore it, as docs/deploy.md says."""

import subprocess

from tests.conftest import Api, book, started
from tests.postgresql_server import database_of, drop_database_of, find_program


def run(*command):
    subprocess.run([find_program(command[0]), *command[1:]], check=True)


def test_a_dump_that_is_restored_into_a_new_database_answers_as_before(environ, app, client, customer, tmp_path):
    booked, dump, path = book(client, customer), str(tmp_path / "mechtech.dump"), tmp_path / "new.db"
    try:
        run("pg_dump", "--format=custom", f"--file={dump}", environ["DATABASE_URL"])
        book(client, customer)
        new = {**environ, **database_of(path)}
        to = f"--dbname={new['DATABASE_URL']}"
        run("pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", to, dump)
        restored = Api(started(new).test_client())
        shown = [api.get(f"/api/booking/{booked['bookingId']}", token=customer).json for api in (client, restored)]
        assert shown[0] == shown[1]
        assert restored.get("/api/booking/", token=customer).json["total"] == 1
        assert book(restored, customer)["bookingId"] == booked["bookingId"] + 1
    finally:
        drop_database_of(path)
