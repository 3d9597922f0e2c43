"""make bench: this version of the service beside the one before it was rebuilt, and beside itself in other settings.

The machine is noisy, so the variants take turns in short slices; what counts is the median of the ratios of neighbours.
--quick: one short round.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))

from mechtech.database.copy import run_copy
from tests.bench import data
from tests.bench.load import CONNECTIONS, Load, Request, megabytes, wait_until_idle
from tests.conftest import BOOKING
from tests.gunicorn_server import ROOT, Server
from tests.postgresql_server import Throwaway, find_program

BEFORE = "1adbf5a"  # the last commit before the rebuild
QUICK = "--quick" in sys.argv[1:]
ROUNDS, SECONDS, LOGIN_SECONDS = (1, 1, 2) if QUICK else (5, 2, 6)
# The least share of the requests a second of the version before that each work must reach.
MUST = {"mechanics": 0.70, "profile": 0.70, "own bookings": 0.70, "booking POST": 0.80, "login": 0.90, "mix": 0.90}
HIGHEST_P99 = 1.5  # times what it was
HIGHEST_MEMORY = 110  # megabytes
SETTINGS = {
    "MECHTECH_ENV": "production",
    "JWT_SECRET": data.SECRET,
    "RATE_LIMIT": "1000000000 per hour",
    "WEB_CONCURRENCY": str(max(2, os.cpu_count())),
    "BCRYPT_ROUNDS": "10",
}
# Other settings of this version, measured beside itself: the least ratio for each of the works that they concern.
VARIANTS = {
    "with mail": (
        {
            "MAIL_URL": "smtp://127.0.0.1:1",
            "MAIL_FROM": "garage@mechtech.example",
            "OWNER_EMAIL": "owner@mechtech.example",
            "PUBLIC_URL": "http://127.0.0.1",
        },
        {"booking POST": 0.85},
    ),
    "with metrics": ({"METRICS_TOKEN": "a-token-of-the-bench"}, {"mechanics": 0.97, "profile": 0.97}),
}
# What PostgreSQL, on the same machine, must reach beside SQLite. The rest is reported.
ON_POSTGRESQL = {"mechanics": 0.60, "profile": 0.60, "own bookings": 0.60, "one booking": 0.60}
POSTING = (1, 8, 32)  # connections that book


def works() -> dict[str, Request]:
    reader = data.token(data.READER)
    login = {"email": f"user{data.SIGNER}@example.com", "password": data.PASSWORD}
    return {
        "mechanics": Request("/api/mechanics/?limit=12"),
        "mechanics near": Request("/api/mechanics/?latitude=40.71&longitude=-74.01&limit=12"),
        "profile": Request("/api/auth/profile", reader),
        "own bookings": Request("/api/booking/", reader),
        "one booking": Request("/api/booking/500", reader),
        "booking POST": Request("/api/booking/", data.token(data.WRITER), BOOKING),
        "login": Request("/api/auth/login", body=login),
    }


def mixed(requests: dict[str, Request]) -> list[Request]:
    """Of 20: 14 mechanics lists, 3 own bookings, 2 new bookings and a login."""
    listed, own, post = requests["mechanics"], requests["own bookings"], requests["booking POST"]
    part = [*[listed] * 5, own]
    return [*part, post, *part, post, *part[1:-1], own, requests["login"]]


def started(folder: Path, filled: Path, stack: ExitStack, name: str, environ: dict, root: Path) -> Server:
    """A server on its own copy of the database."""
    path = folder / f"{name}.db"
    shutil.copy(filled, path)
    server = Server({**SETTINGS, "DB_PATH": str(path), **environ}, folder / f"{name}.log", root=root)
    stack.callback(server.kill)
    server.start()
    wait_until_idle(server)
    return server


def compare(loads: dict[str, Load], base: Server, other: Server) -> dict[str, list]:
    """For each work, the runs of both in neighbouring slices."""
    runs = {name: [] for name in loads}
    for _ in range(ROUNDS):
        for name, load in loads.items():
            seconds = LOGIN_SECONDS if name in ("login", "mix") else SECONDS
            pair = []
            for server in (base, other):
                if seconds == SECONDS:
                    load.warm_up(server)
                pair.append(load.run(server, seconds))
                if seconds != SECONDS:
                    wait_until_idle(server)
            runs[name].append(pair)
    return runs


def show(title: str, runs: dict[str, list], must: dict[str, float], highest_p99: float | None) -> bool:
    """Print a table; whether every bound holds."""
    print(f"\n{title}\n{'':16}{'requests/s':>12}{'was':>9}{'ratio':>7}{'must':>6}{'p99 ms':>9}{'was':>8}{'ratio':>7}")
    good = True
    for name, pairs in runs.items():
        ratio = median(now.rate / was.rate for was, now in pairs)
        p99 = median(now.p99 / was.p99 for was, now in pairs)
        errors = sum(run.errors for pair in pairs for run in pair)
        short = ratio < must.get(name, 0) or (highest_p99 is not None and p99 > highest_p99) or errors > 0
        good = good and not short
        was, now = ([median(getattr(pair[i], what) for pair in pairs) for what in ("rate", "p99")] for i in (0, 1))
        rates = f"{now[0]:12.0f}{was[0]:9.0f}{ratio:7.2f}{must.get(name, ''):>6}"
        verdict = f"{f'  {errors} errors' if errors else ''}{'  short' if short else ''}"
        print(f"{name:16}{rates}{now[1]:9.1f}{was[1]:8.1f}{p99:7.2f}{verdict}", flush=True)
    return good


def compare_engines(folder: Path, filled: Path, base: Server, loads: dict[str, Load], stack: ExitStack) -> bool:
    """PostgreSQL with a flush at each commit, as it comes, beside SQLite, which flushes too."""
    database = stack.enter_context(Throwaway("on"))
    run_copy(base.environ["DB_PATH"], database.url, progress=lambda table, rows: None)
    other = started(folder, filled, stack, "postgresql", {"DATABASE_URL": database.url}, ROOT)
    booking = works()["booking POST"]
    chosen = {work: load for work, load in loads.items() if work in ON_POSTGRESQL}
    chosen |= {f"POST, {number:2}": Load(folder, booking, connections=number) for number in POSTING}
    return show("PostgreSQL beside SQLite", compare(chosen, base, other), ON_POSTGRESQL, None)


def main() -> int:
    if not shutil.which("wrk"):
        print("The bench needs wrk: apt-get install wrk", file=sys.stderr)
        return 2
    find_program("initdb")  # else the last part would end the run
    with tempfile.TemporaryDirectory(prefix="mechtech-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        before = folder / "before"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(before), BEFORE], cwd=ROOT, check=True)
        stack.callback(subprocess.run, ["git", "worktree", "remove", "--force", str(before)], cwd=ROOT)
        filled = folder / "filled.db"
        data.fill(filled, mechanics=12, bookings=1_000, users=50, messages=100)
        requests = works()
        loads = {work: Load(folder, request) for work, request in requests.items()}
        loads["mix"] = Load(folder, *mixed(requests), mixed=True)
        now = started(folder, filled, stack, "now", {}, ROOT)
        was = started(folder, filled, stack, "before", {}, before)
        print(f"{CONNECTIONS} connections, {os.cpu_count()} cores, {ROUNDS} rounds")
        good = show(f"This version beside {BEFORE}", compare(loads, was, now), MUST, HIGHEST_P99)
        memory = megabytes(now), megabytes(was)
        print(f"memory after the load: {memory[0]:.0f} MB, was {memory[1]:.0f} MB, at most {HIGHEST_MEMORY} MB")
        was.kill()
        for variant, (environ, must) in VARIANTS.items():
            other = started(folder, filled, stack, variant, environ, ROOT)
            chosen = {work: load for work, load in loads.items() if work in must}
            good = show(f"This version {variant} beside itself", compare(chosen, now, other), must, None) and good
            other.kill()
        good = compare_engines(folder, filled, now, loads, stack) and good
    return not (good and memory[0] <= HIGHEST_MEMORY)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
