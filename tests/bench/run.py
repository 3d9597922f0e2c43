"""make bench: how near the service comes to the limits of its server, its framework, bcrypt and SQLite.

The machine is noisy, so a work and its floor take turns in short rounds; what counts is the median of the ratios of
neighbours. --quick: one short round, and no growth.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import data, floors
from tests.bench.load import CONNECTIONS, Load, Request, megabytes, wait_until_idle
from tests.gunicorn_server import ROOT, Server

QUICK = "--quick" in sys.argv[1:]
ROUNDS, SECONDS = (1, 1) if QUICK else (3, 2)
LOGIN_SECONDS = 2 if QUICK else 7  # of fewer, the logins still in hand at the end would be more than a hundredth
FEW = 2  # connections: of many, the p50 tells mostly how they fell to the workers, and how long they queue
SMALL = {"bookings": 1_000, "users": 50, "messages": 100}
LARGE = {"bookings": 500_000, "users": 5_000, "messages": 50_000}
MUST = {"/health": 0.85, "mechanics list": 0.65, "profile": 0.65, "own bookings": 0.55}  # of the bare Flask route
POST_OF_FLASK, POST_OF_COMMITS = 0.55, 0.9  # whichever is less
SETTINGS = {
    "MECHTECH_ENV": "production",
    "JWT_SECRET": data.SECRET,
    "RATE_LIMIT": "1000000000 per hour",
    "WEB_CONCURRENCY": str(max(2, os.cpu_count())),
    # The defaults, whatever a .env says.
    **dict.fromkeys(("JWT_EXPIRE", "RATE_LIMIT_STORAGE", "CORS_ORIGINS", "TRUSTED_PROXIES", "MECHANIC_CAPACITY"), ""),
    "BCRYPT_ROUNDS": "10",
}
began = time.monotonic()
rows = []


def say(text):
    print(f"{time.monotonic() - began:4.0f} s  {text}", flush=True)


def add(work, floor="", figure=0.0, unit="requests/s", ratio=None, at_least=None, at_most=None, runs=()):
    """A row of the table. The bounds are those of the ratio, or of the figure where there is none."""
    measured = {name: median(getattr(run, name) for run in runs) for name in ("cpu", "p50", "p99") if runs}
    errors = sum(run.errors for run in runs)
    value = figure if ratio is None else ratio
    reached = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
    verdict = f"{errors} errors" if errors else "" if at_least is at_most else "ok" if reached else "short"
    row = {"work": work, "floor": floor, "figure": figure, "unit": unit, "ratio": ratio}
    rows.append({**row, "at_least": at_least, "at_most": at_most, "verdict": verdict, **measured})


def add_runs(work, runs, floor="", rates=(), **bounds):
    """rates: the floor's, each beside a run."""
    ratio = median(run.rate / rate for run, rate in zip(runs, rates)) if rates else None
    add(work, floor, median(run.rate for run in runs), ratio=ratio, runs=runs, **bounds)


def warm_run(load, server, seconds=SECONDS):
    """Not for logins: those of a warm-up would still be at work when the run begins."""
    load.warm_up(server)
    return load.run(server, seconds)


def rates(runs):
    return [run.rate for run in runs]


def requests_to(bookings: int) -> dict[str, Request]:
    """Each work's, to a database of so many bookings; the one booking is of the reader's 20."""
    reader = data.token(data.READER)
    return {
        "/health": Request("/health"),
        "mechanics list": Request("/api/mechanics/?limit=12"),
        "mechanics near": Request("/api/mechanics/?latitude=40.71&longitude=-74.01&limit=12"),
        "profile": Request("/api/auth/profile", reader),
        "own bookings": Request("/api/booking/", reader),
        "one booking": Request(f"/api/booking/{bookings // 2}", reader),
        "booking POST": Request("/api/booking/", data.token(data.WRITER), data.BOOKING),
    }


class Bench:
    def __init__(self, folder: Path, stack: ExitStack):
        self.folder, self.stack = folder, stack
        self.requests = requests_to(SMALL["bookings"])
        fields = {"email": f"user{data.SIGNER}@example.com", "password": data.PASSWORD}
        self.login = Request("/api/auth/login", body=fields)
        self.logins = Load(folder, self.login)

    def run(self):
        path, raw = self.folder / "work.db", self.folder / "raw.db"
        for database in (path, raw):
            data.fill(database, mechanics=12, **SMALL)
        service = self.server(path)
        service.start()
        wait_until_idle(service)
        idle = megabytes(service)
        self.work(service, raw)
        self.log_in(service)
        self.read_beside_logins(service)
        self.mix(service)
        add("memory, idle", figure=idle, unit="MB PSS")
        add("memory, after the load", figure=megabytes(service), unit="MB PSS", at_most=100)
        service.kill()
        if not QUICK:
            self.grow()

    def server(self, database: Path, *app: str) -> Server:
        """app: what gunicorn serves instead of the service."""
        server = Server({**SETTINGS, "DB_PATH": str(database)}, self.folder / "server.log", *app)
        self.stack.callback(server.kill)
        return server

    def work(self, service, raw):
        """Each work beside its floor."""
        wsgi, flask = (self.server(raw, f"tests.bench.floors:{app}") for app in ("bare_wsgi", "bare_flask"))
        for server in (wsgi, flask):
            server.start()
            wait_until_idle(server)
        floor = Load(self.folder, Request("/health"))
        loads = {name: Load(self.folder, request) for name, request in self.requests.items()}
        bare, committed = [], []
        runs, beneath = {name: [] for name in loads}, {name: [] for name in loads}
        for n in range(ROUNDS):
            say(f"work, round {n + 1} of {ROUNDS}")
            bare.append(warm_run(floor, wsgi))
            for name, load in loads.items():
                beneath[name].append(warm_run(floor, flask, 1))
                runs[name].append(warm_run(load, service))
            committed.append(data.commits(raw, SECONDS))
        wsgi.kill()
        flask.kill()

        add_runs("bare WSGI callable", bare)
        add_runs("bare Flask route", [run for rounds in beneath.values() for run in rounds])
        add("SQLite commits", figure=median(committed), unit="commits/s")
        posts, beneath_posts = runs.pop("booking POST"), rates(beneath["booking POST"])
        for name in runs:
            add_runs(name, runs[name], "bare Flask route", rates(beneath[name]), at_least=MUST.get(name))
        bounds = [median(beneath_posts) * POST_OF_FLASK, median(committed) * POST_OF_COMMITS]
        of_flask, of_commits = (POST_OF_FLASK, None) if bounds[0] <= bounds[1] else (None, POST_OF_COMMITS)
        add_runs("booking POST", posts, "bare Flask route", beneath_posts, at_least=of_flask)
        add_runs("booking POST", posts, "SQLite commits", committed, at_least=of_commits)

    def log_in(self, service):
        runs, checked = [], []
        for n in range(ROUNDS):
            say(f"login, round {n + 1} of {ROUNDS}")
            checked.append(floors.passwords(LOGIN_SECONDS))
            runs.append(self.logins.run(service, LOGIN_SECONDS))
            wait_until_idle(service)
        add("bcrypt on all cores", figure=median(checked), unit="checks/s")
        add_runs("login", runs, "bcrypt on all cores", checked, at_least=0.95)

    def read_beside_logins(self, service):
        reads = Load(self.folder, *(request for name, request in self.requests.items() if request.body is None))
        alone, beside = [], []
        for n in range(ROUNDS):
            say(f"reads beside logins, round {n + 1} of {ROUNDS}")
            alone.append(warm_run(reads, service))
            with self.logins.beside(service):
                time.sleep(0.5)
                beside.append(warm_run(reads, service))
            wait_until_idle(service)
        add_runs("reads", alone)
        add_runs("reads beside logins", beside, "reads", rates(alone), at_least=0.40)
        ratio = median(run.p99 / before.p99 for run, before in zip(beside, alone))
        add("their p99", "reads", median(run.p99 for run in beside), "ms", ratio, at_most=5)

    def mix(self, service):
        """Of 20: 14 mechanics lists, 3 own bookings, 2 booking POSTs and a login."""
        say("mix")
        listed, own, post = (self.requests[name] for name in ("mechanics list", "own bookings", "booking POST"))
        part = [*[listed] * 5, own]
        mix = Load(self.folder, *part, post, *part, post, *part[1:-1], own, self.login, mixed=True)
        runs = []
        for _ in range(ROUNDS):
            runs.append(mix.run(service, LOGIN_SECONDS))
            wait_until_idle(service)
        add_runs("mix (percentiles: its reads)", runs)

    def grow(self):
        say(f"filling a database with {LARGE['bookings']} bookings")
        sizes, servers, loads = [], [], []
        for counts in (SMALL, LARGE):
            path = self.folder / f"{counts['bookings']}.db"
            sizes.append(data.fill(path, mechanics=200, **counts))
            servers.append(self.server(path))
            works = requests_to(counts["bookings"])
            works.pop("/health")
            loads.append({name: Load(self.folder, work, connections=FEW) for name, work in works.items()})
        say("start-up")
        starts = [[start_milliseconds(server) for server in servers] for _ in range(ROUNDS + 2)]
        for server in servers:
            server.start()
            wait_until_idle(server)
        few, many = f"{SMALL['bookings']} bookings", f"{LARGE['bookings']} bookings"
        pairs = {name: [] for name in loads[0]}
        for n in range(ROUNDS):
            say(f"growth, round {n + 1} of {ROUNDS}")
            for name, pair in pairs.items():
                pair.append([warm_run(load[name], server, 1) for load, server in zip(loads, servers)])
        for name, runs in pairs.items():
            ratio = median(large.p50 / small.p50 for small, large in runs)
            large = [large for _, large in runs]
            p50 = median(run.p50 for run in large)
            add(f"{name}, {many}", few, p50, "ms p50", ratio, at_most=1.2, runs=large)
        ratio = median(large / small for small, large in starts)
        add(f"start-up, {many}", few, median(large for _, large in starts), "ms", ratio, at_most=1.2)
        add("a booking on disk", figure=sizes[1], unit="bytes", at_most=600)

    def layers(self) -> dict[str, dict[str, float]]:
        """In a process of its own, whose log goes where the server's does."""
        say("layers")
        environ = {**os.environ, **SETTINGS, "DB_PATH": str(self.folder / "work.db")}
        command = [sys.executable, "-m", "tests.bench.layers", str(SECONDS)]
        with (self.folder / "server.log").open("ab") as log:
            run = subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=log, check=True)
        return json.loads(run.stdout)


def start_milliseconds(server: Server) -> float:
    """From the command to the first answer."""
    started = time.perf_counter()
    server.start(wait=False)
    while True:
        try:
            server.call("GET", "/health")
            break
        except ConnectionRefusedError:
            time.sleep(0.005)
    took = time.perf_counter() - started
    server.stop()
    return took * 1000


def table(lines: list[tuple[str, ...]], left: tuple[int, ...]) -> str:
    """left: the columns of text."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    aligned = ([f"{c:{'<' if n in left else '>'}{widths[n]}}" for n, c in enumerate(line)] for line in lines)
    return "\n".join("  ".join(line).rstrip() for line in aligned)


def work_table() -> str:
    lines = [("work", "floor", "figure", "", "ratio", "must reach", "", "CPU µs", "p50 ms", "p99 ms")]
    for row in rows:
        bounds = {"at least": row["at_least"], "at most": row["at_most"]}
        must = " ".join(f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None)
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        rest = [f"{row[name]:.1f}" if name in row else "" for name in ("cpu", "p50", "p99")]
        lines.append(
            (row["work"], row["floor"], f"{row['figure']:.1f}", row["unit"], ratio, must, row["verdict"], *rest)
        )
    return table(lines, left=(0, 1, 3, 5, 6))


def layer_table(layers: dict[str, dict[str, float]]) -> str:
    names = sorted({name for spent in layers.values() for name in spent})
    cells = ((name, *(f"{spent.get(name, 0):.1f}" for spent in layers.values())) for name in names)
    return table([("in process, µs", *layers), *cells], left=(0,))


def main() -> int:
    if not shutil.which("wrk"):
        print("The bench needs wrk: apt-get install wrk", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="mechtech-bench-") as folder, ExitStack() as stack:
        bench = Bench(Path(folder), stack)
        bench.run()
        layers = bench.layers()
    took = round(time.monotonic() - began)
    result = {"cores": os.cpu_count(), "connections": CONNECTIONS, "seconds": took, "rows": rows, "layers": layers}
    (ROOT / "bench.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"\n{work_table()}\n\n{layer_table(layers)}\n\n{took} s on {os.cpu_count()} cores; also in bench.json")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
