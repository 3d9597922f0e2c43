"""The units in deploy/, as systemd's own commands judge them, and the service as its unit starts it."""

import re
import shutil
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.answers import sql
from tests.deploy import systemd
from tests.gunicorn_server import ROOT, Server, free_port
from tests.tools import all_workers_up, settings, wait_until

pytestmark = pytest.mark.deploy

UNITS = sorted(path for path in (ROOT / "deploy").iterdir() if path.suffix in (".service", ".socket", ".timer"))
SERVICES = [path.name for path in UNITS if path.suffix == ".service"]


@pytest.fixture
def units(tmp_path) -> Path:
    """The units, with the commands that are here in place of the deployed ones."""
    for path in UNITS:
        (tmp_path / path.name).write_text(path.read_text().replace(systemd.CODE, str(ROOT)))
    return tmp_path


def test_systemd_finds_no_fault_with_the_units(units):
    files = [units / path.name for path in UNITS]
    result = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("name", SERVICES)
def test_the_exposure_of_a_unit_is_2_at_most(units, name):
    command = ["systemd-analyze", "security", "--offline=yes", units / name]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (exposure,) = re.findall(r"Overall exposure level for .*: ([0-9.]+)", report)
    assert float(exposure) <= 2.0, report


@pytest.fixture
def service(tmp_path):
    """The service as its unit starts it, not yet started. Its port is open already."""
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        environ = settings(tmp_path)
        service = systemd.Service(ROOT, tmp_path, listener.fileno(), environ)
        caller = Server(environ, service.log)
        caller.port = listener.getsockname()[1]
        service.call = caller.call
        yield service
        if service.pid_file.exists():
            service.stop()


def test_the_service_answers_as_soon_as_it_is_ready(service):
    service.start()
    assert service.call("GET", "/health").json["status"] == "OK"


def test_the_service_is_not_ready_with_a_database_that_is_not_well(service):
    Path(service.environ["DB_PATH"]).write_bytes(b"no database" * 100)
    with pytest.raises(subprocess.CalledProcessError):
        service.start()
    assert service.log.read_text().count("\n") == 1
    assert "The database cannot be used: " in service.log.read_text()


def test_a_restart_refuses_no_request(service):
    service.start()
    all_workers_up(service)
    with ThreadPoolExecutor() as pool:
        restart, statuses, after = pool.submit(service.restart), set(), 0
        while after < 20:  # requests, one after the other, until others answer
            after += restart.done()
            statuses.add(service.call("GET", "/api/mechanics").status)
        restart.result()
    assert statuses == {200}


def test_a_reload_takes_new_settings_in(service, tmp_path):
    code = copied(tmp_path / "code")
    service.code = code
    service.start()
    (code / ".env").write_text("MECHANIC_CAPACITY=7\n")
    service.reload()
    sql(
        service.environ["DB_PATH"], "INSERT INTO mechanics (name, email, phone, verified) VALUES ('A', 'a@b.c', '1', 1)"
    )
    wait_until(lambda: service.call("GET", "/api/mechanics/1/availability").json.get("capacity") == 7)


@pytest.mark.parametrize(
    "file, text, reason",
    [(".env", "MECHANIC_CAPACITY=many\n", "MECHANIC_CAPACITY"), ("wsgi.py", "def (:\n", "SyntaxError")],
)
def test_a_reload_with_a_fault_leaves_the_service_as_it_is(service, tmp_path, file, text, reason):
    code = copied(tmp_path / "code")
    service.code = code
    service.start()
    all_workers_up(service)
    before = service.workers()
    (code / file).write_text(text)
    with pytest.raises(subprocess.CalledProcessError):
        service.reload()
    assert reason in service.log.read_text()
    assert service.workers() == before
    assert service.call("GET", "/health").status == 200


def test_a_worker_that_is_killed_is_replaced(service):
    service.start()
    all_workers_up(service)
    before = service.workers()
    subprocess.run(["kill", f"-{signal.SIGKILL}", str(before[0])], check=True)
    wait_until(lambda: len(service.workers()) == 2 and before[0] not in service.workers())
    assert service.call("GET", "/health").status == 200


def copied(folder: Path) -> Path:
    """The project's code in another folder, without what is no part of it."""
    folder.mkdir()
    for name in "mechtech", "wsgi.py", "gunicorn.conf.py", "schema.sql", "seed.sql":
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder
