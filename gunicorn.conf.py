"""gunicorn's settings and server hooks; gunicorn finds this file by itself."""

import gc
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.resolve()))
from mechtech import create_app, prepare_database
from mechtech.cores import free_core, pin
from mechtech.database.migrate import WrongDatabase
from mechtech.settings import SettingError, load
from mechtech.web.request_log import ServerLogger, logging_config
from mechtech.workers import prepare_forks, prepare_sockets

try:
    settings = load()
except SettingError as error:
    sys.exit(f"Wrong setting: {error}")
chdir = str(Path(__file__).parent.resolve())  # the release that is in place now, where a symlink leads to it
logconfig_dict, logger_class = logging_config(settings.log_format), ServerLogger
bind = f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"
workers, worker_class, threads = settings.web_concurrency, "gthread", 64  # an idle connection holds no thread
worker_connections, keepalive = 4096, 75  # the latter in seconds
control_socket_disable = True
forwarded_allow_ips = forwarder_headers = ""  # TRUSTED_PROXIES says who may name the client
if settings.metrics_token:
    from mechtech.metrics.processes import child_exit, on_reload  # noqa: F401  two more hooks


def on_starting(server):
    """Ends the start for a database that cannot be used, in one line; each worker would say so again."""
    if settings.metrics_token:
        on_reload(server)  # makes the folder that prometheus-client needs when it is imported
    try:
        server.prepared = create_app(settings)  # kept: it holds the lock against a restore, also between workers
        prepare_database(server.prepared)
    except WrongDatabase as error:
        sys.exit(str(error))


def when_ready(server):
    prepare_forks()
    prepare_sockets(listener.sock for listener in server.LISTENERS)
    if settings.database_url and not settings.rate_limit_storage:
        server.log.warning("DATABASE_URL without RATE_LIMIT_STORAGE: each machine counts its own limits")
    server.log.info("MechTECH listens on http://%s in %s mode: %s", bind, settings.mechtech_env, settings.shown())


def pre_fork(server, worker):
    """Chooses the core that has the fewest workers, and has the worker import the code that is there now."""
    if not server.cfg.preload_app:  # an app that the master has made needs the modules that it was made of
        for name in [name for name in sys.modules if name.partition(".")[0] == "mechtech"]:
            del sys.modules[name]
    worker.core = free_core(server.WORKERS.values())
    gc.freeze()  # so that collections do not copy the memory that the worker shares with the master: 17 MB in all


def post_worker_init(worker):
    """Pins the worker to its core: threads that take turns across cores answer 20 to 80 % fewer requests a second."""
    pin(worker.core)
