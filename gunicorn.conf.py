"""gunicorn's settings and server hooks; gunicorn finds this file by itself."""

import contextlib
import os
import resource
import socket
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from mechtech.settings import SettingError, load
from mechtech.web.server_log import logging_config

try:
    settings = load()
except SettingError as error:
    sys.exit(f"Wrong setting: {error}")
logconfig_dict = logging_config(settings.log_format)
for _name in [name for name in sys.modules if name.partition(".")[0] == "mechtech"]:
    del sys.modules[_name]  # so that workers import the code that is there when they start, after a reload too

bind = f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"
workers = settings.web_concurrency
worker_class = "gthread"
threads = 64  # a slow client holds one while its request comes in; idle connections hold none
worker_connections = 4096
keepalive = 75  # seconds
control_socket_disable = True
forwarded_allow_ips = forwarder_headers = ""  # TRUSTED_PROXIES says who may name the client
SILENCE_SECONDS = 20  # how long a client may neither send the rest of a body nor read its answer

# Every connection is a file, and the usual soft limit is 1024.
with contextlib.suppress(ValueError, OSError):  # not every system takes it
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
_cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [None]


def when_ready(server):
    """Connections inherit their listener's timeouts; one that has sent nothing yet holds no thread."""
    for listener in server.LISTENERS:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            listener.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", SILENCE_SECONDS, 0))
        if hasattr(socket, "TCP_DEFER_ACCEPT") and listener.sock.family in (socket.AF_INET, socket.AF_INET6):
            listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 30)
    if settings.database_url and not settings.rate_limit_storage:
        server.log.warning("DATABASE_URL without RATE_LIMIT_STORAGE: each machine counts its own limits")
    server.log.info("MechTECH listens on http://%s in %s mode: %s", bind, settings.mechtech_env, settings.shown())


def pre_fork(server, worker):  # chooses the core that has the fewest workers
    taken = [getattr(sibling, "core", None) for sibling in server.WORKERS.values()]
    worker.core = min(_cores, key=taken.count)


def post_worker_init(worker):
    """Pins the worker to its core: threads that take turns across cores answer 20 to 80 % fewer requests a second."""
    if worker.core is not None:
        with contextlib.suppress(OSError):  # where this is not allowed, it is only slower
            os.sched_setaffinity(0, {worker.core})
