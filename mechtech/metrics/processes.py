"""gunicorn's server hooks for prometheus-client, whose processes count in files of one folder."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# The name in it is one that no other user can foresee.
MEMORY = Path("/dev/shm")  # nosec B108


def on_reload(server) -> None:
    """Make the folder, once for each start: a reload may be what sets METRICS_TOKEN.

    In memory, where the system has such a place: a mapped file on a disk that is full ends its process.
    """
    if hasattr(server, "metrics_folder"):
        return
    folder = tempfile.mkdtemp(prefix="mechtech-metrics-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
    server.metrics_folder = os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    atexit.register(_remove, folder, os.getpid())


def child_exit(server, worker) -> None:
    """Forget what a worker that is gone had under way.

    The files of its counts stay until the next start, for a count never goes back: a hundred of them add some half a
    second to each scrape.
    """
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid, server.metrics_folder)


def _remove(folder: str, maker: int) -> None:
    if os.getpid() == maker:  # workers inherit this call
        shutil.rmtree(folder, ignore_errors=True)
