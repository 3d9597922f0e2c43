"""/metrics over gunicorn's processes: the numbers of all workers, through crashes, reloads and restarts."""

import os
import signal
import socket
import stat
from pathlib import Path

import pytest

from tests.gunicorn_server import ROOT, Server
from tests.metrics import TOKEN, Numbers
from tests.tools import all_workers_up, at_once, running, settings, wait_until

REQUESTS = 40


def scrape(server) -> Numbers:
    answer = server.call("GET", "/metrics", token=TOKEN)
    assert answer.status == 200, answer
    return Numbers(answer.body.decode())


def folder_of(server) -> Path:
    """Where the processes count, as a worker's environment has it."""
    for worker in server.workers():
        for name in Path(f"/proc/{worker}/map_files").iterdir():
            target = os.readlink(name)
            if "/mechtech-metrics-" in target:
                return Path(target).parent
    raise AssertionError("no worker counts")


def ask(server):
    """From both workers."""
    answered = at_once(8, lambda _: [server.call("GET", "/api/mechanics").status for _ in range(REQUESTS // 8)])
    assert answered == [[200] * (REQUESTS // 8)] * 8


@pytest.fixture
def server(tmp_path):
    with running(tmp_path, METRICS_TOKEN=TOKEN) as server:
        all_workers_up(server)
        yield server


def counted(server) -> float:
    return scrape(server).requests("/api/mechanics", "GET", 200)


def test_a_scrape_of_any_worker_has_the_requests_of_all(server):
    ask(server)
    for _ in range(6):
        assert counted(server) == REQUESTS
    counting = {name.stem.rpartition("_")[2] for name in folder_of(server).glob("counter_*.db")}
    assert {str(pid) for pid in server.workers()} <= counting


def test_only_the_service_may_look_into_its_folder_which_goes_when_it_stops(server):
    folder = folder_of(server)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert server.stop() == 0
    assert not folder.exists()


def test_a_start_counts_anew(server):
    ask(server)
    server.stop()
    server.start()
    assert counted(server) == 0


def test_what_a_killed_worker_counted_stays_and_what_it_had_under_way_goes(server):
    ask(server)
    before = server.workers()
    connections = half_sent(server, 6)
    wait_until(lambda: under_way(server) == 6)
    for worker in before:
        os.kill(worker, signal.SIGKILL)
    wait_until(lambda: len(server.workers()) == 2 and not set(before) & set(server.workers()))
    wait_until(lambda: under_way(server) == 0)
    assert counted(server) == REQUESTS
    for connection in connections:
        connection.close()


def half_sent(server, count: int) -> list[socket.socket]:
    """Connections with a request each, whose body does not come."""
    connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(count)]
    for connection in connections:
        head = "POST /api/contact HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        connection.sendall(head.encode())
    return connections


def under_way(server) -> float:
    """But for the scrape itself."""
    return scrape(server)[("mechtech_http_requests_under_way",)] - 1


def test_a_reload_keeps_the_counts_and_takes_a_new_token(tmp_path):
    """The settings stand in .env, from which a reload takes them."""
    root = tmp_path / "code"
    root.mkdir()
    for name in ("mechtech", "wsgi.py", "gunicorn.conf.py", "schema.sql"):
        (root / name).symlink_to(ROOT / name)
    set_token = (root / ".env").write_text
    set_token("")
    with Server(settings(tmp_path), tmp_path / "server.log", root=root) as server:
        assert server.call("GET", "/metrics", token=TOKEN).status == 404
        set_token(f"METRICS_TOKEN={TOKEN}\n")
        reload(server)
        ask(server)
        assert counted(server) == REQUESTS
        reload(server)
        assert counted(server) == REQUESTS
        folder = folder_of(server)
        set_token("METRICS_TOKEN=another-token-for-it\n")
        reload(server)
        assert server.call("GET", "/metrics", token=TOKEN).status == 401
        assert server.call("GET", "/metrics", token="another-token-for-it").status == 200
        set_token("")
        reload(server)
        assert server.call("GET", "/metrics", token=TOKEN).status == 404
        assert server.stop() == 0
        assert not folder.exists()


def reload(server):
    """Until only the new workers are there."""
    all_workers_up(server)
    before = set(server.workers())
    server.signal(signal.SIGHUP)
    wait_until(lambda: len(server.workers()) == 2 and not before & set(server.workers()))
    all_workers_up(server)
