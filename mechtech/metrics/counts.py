"""What is counted while requests are answered, in prometheus-client's terms.

Imported only where METRICS_TOKEN is set: when prometheus-client is imported, it takes its mode for several processes if
PROMETHEUS_MULTIPROC_DIR is set by then. Each process counts in files of its own there, and a scrape adds them up.
With gunicorn's --preload that is too late, and a scrape has the process alone that answers it.
"""

import os
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from threading import Lock, Thread

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from mechtech import signals
from mechtech.metrics.state import state
from mechtech.web.request_log import route_of

DURATION = "mechtech_http_request_duration_seconds"
LABELS = ["route", "method", "status"]
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
WRITES = (1, 2, 4, 8, 16, 32, 64)
METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"}  # a client may make up any number of others


class Counts:
    """The counts of one app, as a collector of prometheus-client. It hears the signals for as long as it lives."""

    def __init__(self) -> None:
        self._folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        self._own = CollectorRegistry()
        own, live = {"registry": self._own}, {"registry": self._own, "multiprocess_mode": "livesum"}
        text = "From a request's arrival in its thread until its answer begins."
        self._seconds = Histogram(DURATION, text, LABELS, buckets=SECONDS, **own)
        self._under_way = Gauge("mechtech_http_requests_under_way", "Requests that are being answered now.", **live)
        text = "Writes that are not committed yet, and threads without a connection yet."
        self._waiting = Gauge("mechtech_database_waiting", text, ["queue"], **live)
        groups = Histogram("mechtech_database_group_writes", "Writes in one commit.", buckets=WRITES, **own)
        refusals = Counter("mechtech_limit_refusals", "Requests that a limit refused.", ["limit"], **own)
        failed_logins = Counter("mechtech_failed_logins", "Wrong passwords, with an account or without.", **own)
        for limit in ("requests", "failed_logins", "links"):  # those that have not refused yet are shown as 0
            refusals.labels(limit)
        self._receivers = {
            signals.limit_refused: lambda limit: refusals.labels(limit).inc(),
            signals.login_failed: lambda _: failed_logins.inc(),
            signals.group_committed: lambda _, writes: groups.observe(writes),
            signals.waiting_changed: self._count_waiting,
        }
        for signal, receiver in self._receivers.items():
            signal.connect(receiver)
        self._active: set[int] = set()  # the requests under way, by the ids of their environments
        self._waits, self._lock = {"writer": 0, "connections": 0}, Lock()
        self._publisher = Thread(target=self._keep_publishing, name="metrics", daemon=True)

    def around(self, inner):
        """The WSGI application inner, with its requests counted."""
        active = self._active

        @lru_cache(1024)  # to look the labels up takes as long as to observe
        def observer(route: str | None, method: str, status: str) -> Callable[[float], None]:
            method = method if method in METHODS else "other"
            return self._seconds.labels(route or "unmatched", method, status).observe

        def counted(environ, start_response):
            started = time.perf_counter()

            def start(status, headers, exc_info=None):
                observe = observer(route_of(environ), environ["REQUEST_METHOD"], status[:3])
                observe(time.perf_counter() - started)
                return start_response(status, headers, exc_info)

            if self._folder and self._publisher.ident is None:
                with self._lock:  # several may come at once, the first after the fork
                    if self._publisher.ident is None:
                        self._publisher.start()
            active.add(id(environ))
            try:
                return inner(environ, start)
            finally:
                active.discard(id(environ))

        return counted

    def text(self) -> bytes:
        """All of it, over all processes, and the state of this moment, as Prometheus reads them."""
        self._publish()
        return generate_latest(self)

    def collect(self) -> Iterator[Metric]:
        """The counts of all processes, and the state. To observe a request's duration is to count it."""
        counted = MultiProcessCollector(None, self._folder) if self._folder else self._own
        for metric in counted.collect():
            yield metric
            if metric.name == DURATION:
                requests = CounterMetricFamily("mechtech_http_requests", "Requests answered.", labels=LABELS)
                for sample in metric.samples:
                    if sample.name == f"{DURATION}_count":
                        requests.add_metric([sample.labels[label] for label in LABELS], sample.value)
                yield requests
        yield from state()

    def _keep_publishing(self) -> None:
        """Have the other processes' scrapes know the gauges; changing one with each request would cost too much."""
        while True:
            self._publish()
            time.sleep(1)

    def _publish(self) -> None:
        self._under_way.set(len(self._active))
        for queue, count in self._waits.items():
            self._waiting.labels(queue).set(count)

    def _count_waiting(self, queue: str, change: int) -> None:
        with self._lock:
            self._waits[queue] += change
