"""Load by wrk, and what it costs the processes under it."""

import contextlib
import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.gunicorn_server import Server

CONNECTIONS = 64

SCRIPT = """
local requests, at = {}, 0
function init()
    at = offset or 0
%s
end
function request()
    at = at %% #requests + 1
    return requests[at]
end
function tell(summary, p50, p99)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    print(summary.requests, summary.duration / 1e6, p50 / 1e3, p99 / 1e3, failed)
end
function done(summary, latency)
    tell(summary, latency:percentile(50), latency:percentile(99))
end
"""

# wrk does not say which request an answer belongs to. With one connection a thread it is the last one sent, and the
# thread's own clock tells how long that took. Only GETs are recorded.
READS_ONLY = """
local ffi = require("ffi")
ffi.cdef("typedef struct { long seconds, nanoseconds; } moment; int clock_gettime(int, moment *);")
local moment, send, sent = ffi.new("moment"), request, 0
local function now()
    ffi.C.clock_gettime(1, moment)
    return tonumber(moment.seconds) * 1e6 + tonumber(moment.nanoseconds) / 1e3
end
local threads = {}
function setup(thread)
    thread:set("offset", #threads)
    table.insert(threads, thread)
end
latencies = {}
local reading
function request()
    local text = send()
    reading, sent = text:sub(1, 4) == "GET ", now()
    return text
end
function response()
    if reading then table.insert(latencies, now() - sent) end
end
function done(summary)
    local all = {}
    for _, thread in ipairs(threads) do
        for _, latency in ipairs(thread:get("latencies")) do table.insert(all, latency) end
    end
    table.sort(all)
    tell(summary, all[math.ceil(#all * 0.50)] or 0, all[math.ceil(#all * 0.99)] or 0)
end
"""


class Request(NamedTuple):
    path: str
    token: str | None = None
    body: dict | None = None  # with one, it is a POST


class Run(NamedTuple):
    rate: float  # requests a second
    p50: float  # milliseconds
    p99: float
    cpu: float  # microseconds of all the server's processes, a request
    errors: int


class Load:
    """Requests sent in turn, over many connections. mixed: the percentiles are those of the GETs among them."""

    def __init__(self, folder: Path, *requests: Request, mixed: bool = False, connections: int = CONNECTIONS):
        handle, self._script = tempfile.mkstemp(".lua", dir=folder)
        with open(handle, "w") as script:
            script.write(SCRIPT % "\n".join(map(_formatted, requests)) + (READS_ONLY if mixed else ""))
        self._threads, self._connections = (16, 16) if mixed else (1, connections)

    def warm_up(self, server: Server) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(self._wrk(server, 1), stdout=subprocess.DEVNULL, timeout=0.25)

    def run(self, server: Server, seconds: int) -> Run:
        before = _cpu_seconds(server)
        output = subprocess.run(self._wrk(server, seconds), capture_output=True, text=True, check=True).stdout
        cpu = _cpu_seconds(server) - before
        count, took, p50, p99, errors = map(float, output.splitlines()[-1].split())
        return Run(count / took, p50, p99, cpu / max(1, count) * 1e6, int(errors))

    @contextlib.contextmanager
    def beside(self, server: Server):
        """Runs for as long as the block does."""
        with subprocess.Popen(self._wrk(server, 60), stdout=subprocess.DEVNULL) as process:
            try:
                yield
            finally:
                process.kill()

    def _wrk(self, server, seconds) -> list[str]:
        shape = [f"-t{self._threads}", f"-c{self._connections}", f"-d{seconds}s", "--timeout", "10s"]
        return ["wrk", *shape, "-s", self._script, f"http://127.0.0.1:{server.port}"]


def _formatted(request: Request) -> str:
    headers = f'Authorization = "Bearer {request.token}", ' if request.token else ""
    if request.body is None:
        return f'    table.insert(requests, wrk.format("GET", "{request.path}", {{{headers}}}))'
    headers += '["Content-Type"] = "application/json"'
    body = json.dumps(request.body)
    return f'    table.insert(requests, wrk.format("POST", "{request.path}", {{{headers}}}, [[{body}]]))'


def _pids(server: Server) -> list[int]:
    return [server.process.pid, *server.workers()]


def _cpu_seconds(server: Server) -> float:
    stats = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in _pids(server))
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def wait_until_idle(server: Server) -> None:
    """All its workers are up, and what its clients no longer wait for is done."""
    before = -1.0
    while (now := _cpu_seconds(server)) - before > 0.01:
        before = now
        time.sleep(0.3)


def megabytes(server: Server) -> float:
    """PSS of all its processes: a page that they share counts once."""
    texts = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in _pids(server))
    return sum(int(re.search(r"^Pss: *([0-9]+)", text, re.MULTILINE)[1]) for text in texts) / 1024
