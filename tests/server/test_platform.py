"""The service as a platform with a Procfile runs it: a port, a secret and a database, then SIGTERM."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.answers import sql
from tests.conftest import SECRET
from tests.gunicorn_server import ROOT, Server, free_port
from tests.postgresql_server import database_of
from tests.tools import Load, wait_until

LINES = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())


class Platform(Server):
    """Runs a line of the Procfile, in an environment that holds what such a platform gives and nothing else."""

    def start(self, line="web", **more):
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environ = {"PATH": path, "PORT": str(self.port), "JWT_SECRET": SECRET, **self.environ, **more}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", LINES[line]], cwd=ROOT, env=environ, stdout=log, stderr=log, start_new_session=True
            )

    def signal(self, number: int):
        """To every process."""
        os.killpg(self.process.pid, number)


@pytest.fixture
def platform(tmp_path):
    platform = Platform({}, tmp_path / "platform.log")
    platform.environ = {"DB_PATH": str(tmp_path / "test.db"), **database_of(tmp_path / "test.db")}
    yield platform
    platform.kill()


def test_the_web_process_answers_on_the_given_port_of_all_addresses_in_production(platform):
    platform.start()
    platform.wait_until_up()
    connection = platform.connect()
    connection.host = "127.0.0.2"
    connection.request("GET", "/health")
    assert connection.getresponse().status == 200
    assert platform.call("GET", "/api/mechanics").headers["X-RateLimit-Limit"] == "1000"
    assert "in production mode" in platform.log.read_text()


def test_sigterm_loses_no_booking_that_was_acknowledged(platform):
    platform.start()
    platform.wait_until_up()
    load = Load(platform, "sigterm")
    wait_until(lambda: len(load.acknowledged) > 20)
    assert platform.stop() == 0
    load.stop()
    kept = {mark for (mark,) in sql(platform.environ["DB_PATH"], "SELECT description FROM bookings")}
    assert set(load.acknowledged) <= kept
    assert len(kept) <= len(load.acknowledged) + 4  # SIGTERM may cut one answer off for each of the four clients


def test_without_a_secret_the_web_process_ends_in_one_line(platform):
    platform.start(JWT_SECRET="")
    assert platform.process.wait(20) != 0
    assert platform.log.read_text() == "Wrong setting: JWT_SECRET must be set in production, to at least 32 bytes\n"


def test_the_worker_process_sends_mails_until_sigterm(platform):
    mail = {"MAIL_FROM": "garage@garage.example", "PUBLIC_URL": "https://garage.example"}
    platform.start("worker", MAIL_URL=f"smtp://127.0.0.1:{free_port()}", **mail)
    wait_until(lambda: "waiting for mails" in platform.log.read_text())
    assert platform.stop() == 0, platform.log.read_text()
