"""schemathesis reads the description of a running server, and calls it with what that allows and what it forbids."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mechtech.commands.data import add_sample_data
from tests.conftest import BOOKING, started
from tests.gunicorn_server import ROOT
from tests.tools import running, settings

LEFT_OUT = "missing_required_header,use_after_free"  # hooks.py tells why, and the other exceptions
# A guest's token does not open the bookings that are made with it: each has its own.
LEFT_OUT_FOR_GUESTS = f"{LEFT_OUT},ensure_resource_availability"
HOOKS = {"SCHEMATHESIS_HOOKS": "tests.openapi.hooks", "PYTHONPATH": str(ROOT)}
ADMIN, CUSTOMER = "admin@mechtech.example", "john@mechtech.example"


def run(folder: Path, caller: str, *options: str) -> None:
    app = started(settings(folder))
    with app.app_context():
        add_sample_data(only_if_new=True)
    with running(folder, MECHANIC_CAPACITY="1000") as server:
        guest = server.call("POST", "/api/booking", BOOKING).json["bookingToken"]
        callers = {"nobody": {}, "admin": {"CALLER_EMAIL": ADMIN}, "customer": {"CALLER_EMAIL": CUSTOMER}}
        callers["guest"] = {"CALLER_TOKEN": guest}
        environ = {**os.environ, **server.environ, **HOOKS, **callers[caller]}
        command = [str(Path(sys.executable).with_name("schemathesis")), "--no-color", "run"]
        address = f"http://127.0.0.1:{server.port}/openapi.json"
        more = [
            "--exclude-checks",
            LEFT_OUT_FOR_GUESTS if caller == "guest" else LEFT_OUT,
            "--generation-database",
            "none",
            "--warnings",
            "off",
            *options,
        ]
        done = subprocess.run([*command, address, *more], cwd=folder, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


@pytest.mark.parametrize(
    ("caller", "phases", "seconds"),
    [("nobody", "examples,fuzzing,stateful", "5"), ("admin", "examples,coverage,fuzzing,stateful", "12")],
)
def test_schemathesis_finds_nothing(tmp_path, caller, phases, seconds):
    """In so many seconds, and the same calls each time: the long run below looks for others.

    The phase "coverage" tries the same values as whoever it is, so only the admin has it.
    """
    run(tmp_path, caller, "--max-examples", "2", "--phases", phases, "--max-time", seconds, "--seed", "1")


@pytest.mark.soak
@pytest.mark.parametrize("caller", ["nobody", "guest", "customer", "admin"])
def test_schemathesis_finds_nothing_in_minutes(tmp_path, caller):
    run(tmp_path, caller, "--max-examples", "200", "--max-time", "180")
