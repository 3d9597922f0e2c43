"""deploy/upgrade under load, through nginx: no request fails, and a release that is not well leaves no trace."""

import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from mechtech.database import migrate
from tests.answers import sql
from tests.conftest import CONTACT
from tests.deploy.machine import Machine
from tests.deploy.site import Site
from tests.gunicorn_server import call
from tests.tools import wait_until

pytestmark = pytest.mark.deploy

MIGRATIONS = "mechtech/database/migrations/sqlite"
NEXT = len(migrate.scripts("sqlite")) + 1
HEALTH = "mechtech/health.py"
WELL = '"message": "MechTECH is running."'


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    with Machine(tmp_path_factory.mktemp("machine")) as machine:
        yield machine


@pytest.fixture(scope="module")
def site(machine, tmp_path_factory):
    with Site(tmp_path_factory.mktemp("site"), machine.caller) as site:
        yield site


@contextmanager
def load(site):
    """Four clients that read and write until the end of the block; none of them may see a failed request."""
    answers, over = Counter(), Event()

    def go_on(method: str, path: str, body: dict | None):
        connection = site.connect()
        while not over.wait(0.01):
            try:
                answers[call(connection, method, path, body).status] += 1
            except Exception as error:
                answers[repr(error)] += 1

    clients = [Thread(target=go_on, args=request) for request in 2 * [("GET", "/api/mechanics", None)]]
    clients += [Thread(target=go_on, args=request) for request in 2 * [("POST", "/api/contact", CONTACT)]]
    for client in clients:
        client.start()
    try:
        yield
    finally:
        over.set()
        for client in clients:
            client.join()
    assert set(answers) == {200, 201}, answers
    written = sql(site.database, "SELECT COUNT(*) FROM contact_messages")[0][0]
    assert written >= answers[201] > 0


def change(machine, file: str, old: str, new: str):
    text = (machine.work / file).read_text()
    assert old in text
    (machine.work / file).write_text(text.replace(old, new))


def add_migration(machine, script: str):
    (machine.work / MIGRATIONS / f"{NEXT:04}_next.sql").write_text(script)


def version(machine) -> int:
    return sql(machine.database, "SELECT MAX(version) FROM schema_migrations")[0][0]


def message(machine) -> str:
    return machine.caller.call("GET", "/health").json["message"]


def test_a_release_with_other_packages_is_started_anew_and_no_request_fails(machine, site):
    master, before = machine.master(), machine.current.resolve()
    forgotten = [machine.home / f"releases/2019010{day}T000000-0123456789" for day in (1, 2)]
    for folder in forgotten:
        folder.mkdir()
    with (machine.work / "requirements.txt").open("a") as file:
        file.write("# Another package would stand here.\n")
    change(machine, HEALTH, WELL, '"message": "Other packages."')
    machine.tag("packages")
    site.database = machine.database
    with load(site):
        result = machine.upgrade("packages")
    assert result.returncode == 0, result.stderr
    assert machine.master() != master
    assert message(machine) == "Other packages."
    assert before.exists() and not forgotten[0].exists()


@pytest.mark.parametrize("name", ["syntax", "migration", "health"])
def test_a_release_that_is_broken_changes_nothing(machine, site, name):
    if name == "syntax":
        (machine.work / "wsgi.py").write_text("def (:\n")
    elif name == "migration":
        add_migration(machine, "ALTER TABLE nowhere ADD COLUMN languages TEXT;\n")
    else:
        add_migration(machine, "ALTER TABLE mechanics ADD COLUMN languages TEXT;\n")
        change(machine, HEALTH, WELL, '"message": 1 / 0')
    machine.tag(name)
    before = machine.current.resolve(), machine.releases(), version(machine), machine.master(), message(machine)
    site.database = machine.database
    with load(site):
        result = machine.upgrade(name)
    assert result.returncode == 1
    assert "nothing is changed" in result.stderr
    assert before == (
        machine.current.resolve(),
        machine.releases(),
        version(machine),
        machine.master(),
        message(machine),
    )
    assert not (machine.backups / "rehearsal").exists()


def test_a_release_that_is_not_well_in_its_place_is_switched_back(machine, site):
    change(machine, HEALTH, WELL, '"message": 1 / ("rehearsal" in get_db().path)')
    machine.tag("only-rehearsed")
    before = machine.current.resolve()
    site.database = machine.database
    with load(site):
        result = machine.upgrade("only-rehearsed")
    assert result.returncode == 1
    assert "serves again" in result.stderr
    assert machine.current.resolve() == before
    assert machine.caller.call("GET", "/health").status == 200
    os.kill(machine.service.workers()[0], signal.SIGKILL)  # who takes its place finds the code of before
    wait_until(lambda: len(machine.service.workers()) == 2)
    assert {machine.caller.call("GET", "/health").status for _ in range(20)} == {200}


def test_an_upgrade_that_is_ended_in_its_rehearsal_ends_that_too(machine):
    asked = machine.folder / "asked"
    change(machine, HEALTH, WELL, f'"message": open("{asked}", "w") and __import__("time").sleep(5)')
    machine.tag("slow")
    before = machine.releases()
    with ThreadPoolExecutor() as pool:
        others = children()
        ended = pool.submit(machine.upgrade, "slow")
        wait_until(lambda: asked.exists() or ended.done(), seconds=180)  # it installs the packages first
        assert asked.exists(), ended.result().stderr
        rehearsal = int((machine.backups / "rehearsal/pid").read_text())
        (script,) = set(children()) - set(others)
        os.kill(script, signal.SIGTERM)
        wait_until(lambda: not Path(f"/proc/{rehearsal}").exists())
        assert "nothing is changed" in ended.result().stderr
    assert machine.releases() == before


def children() -> list[int]:
    """The processes that this one has begun, whichever of its threads did."""
    return [int(pid) for thread in Path("/proc/self/task").glob("*/children") for pid in thread.read_text().split()]


def test_an_upgrade_through_a_migration_fails_no_request(machine, site):
    master = machine.master()
    add_migration(machine, "ALTER TABLE mechanics ADD COLUMN languages TEXT;\n")
    change(machine, HEALTH, WELL, '"message": "A column more."')
    (machine.work / "requirements.txt").write_text((machine.current / "requirements.txt").read_text())
    machine.tag("column")
    site.database = machine.database
    with load(site):
        result = machine.upgrade("column")
    assert result.returncode == 0, result.stderr
    assert f"The database is of version {NEXT - 1}, the newest is {NEXT}." in result.stdout
    assert machine.master() == master
    assert message(machine) == "A column more."
    assert version(machine) == NEXT
    backup = max(machine.backups.glob("upgrade-*.db"))
    assert backup.stat().st_mode & 0o777 == 0o600
    assert sql(backup, "SELECT MAX(version) FROM schema_migrations") == [(NEXT - 1,)]


def test_a_dump_that_fails_ends_an_upgrade_and_leaves_nothing(machine):
    before = machine.releases(), set(machine.backups.iterdir())
    settings, program = machine.home / ".env", machine.folder / "bin/pg_dump"
    text = settings.read_text()
    program.write_text('#!/bin/sh\necho part > "${2#--file=}"\nexit 1\n')
    program.chmod(0o755)
    settings.write_text(f"{text}DATABASE_URL=postgresql://127.0.0.1:1/nowhere\n")
    result = machine.upgrade("first")
    settings.write_text(text)
    assert "nothing is changed" in result.stderr
    assert (machine.releases(), set(machine.backups.iterdir())) == before


def test_a_release_that_the_database_is_too_new_for_is_refused(machine):
    before = machine.current.resolve()
    result = machine.upgrade("packages")
    assert result.returncode == 1
    assert f"The database is of version {NEXT}" in result.stderr
    assert machine.current.resolve() == before


def test_a_release_that_is_not_there_is_refused(machine):
    before = machine.current.resolve(), machine.releases()
    result = machine.upgrade("nowhere")
    assert (result.returncode, result.stderr) == (1, "upgrade: there is no nowhere\n")
    assert (machine.current.resolve(), machine.releases()) == before
