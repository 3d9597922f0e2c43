"""What is asked at the moment of a scrape: whether the parts are well, and what the database holds."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily

from mechtech import clock
from mechtech.bookings.rules import STATUSES
from mechtech.database import Transaction, get_db
from mechtech.errors import Unavailable
from mechtech.health import check_parts
from mechtech.version import VERSION


class State:
    """A collector for prometheus-client, of the app at work. A database that is not well has no numbers."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield _gauge("build_info", "The version of the service.", "version", {VERSION: 1})
        parts = check_parts()
        yield _gauge("up", "Whether a part answers, as /health has it.", "part", _ones(parts))
        if parts["database"] != "ok":
            return
        try:
            bookings, mails = get_db().snapshot(lambda tx: (_bookings(tx), _mails(tx)))
        except Unavailable:
            return
        now = clock.now()
        yield _gauge("bookings", "Bookings in the database.", "status", dict.fromkeys(STATUSES, 0) | bookings)
        yield _gauge("outbox_mails", "Mails that are not sent yet.", value=mails["waiting"])
        for name, text, since in (
            ("outbox_overdue_seconds", "How long the mail that is due longest has been due.", mails["due_at"]),
            ("outbox_oldest_seconds", "How long the oldest mail has not been sent.", mails["created_at"]),
        ):
            yield _gauge(name, text, value=max(0, now - clock.seconds(since)) if since else 0)


def _ones(parts: dict[str, str]) -> dict[str, int]:
    return {part: int(state == "ok") for part, state in parts.items()}


def _gauge(name: str, text: str, label: str | None = None, values: dict | None = None, value: float | None = None):
    gauge = GaugeMetricFamily(f"mechtech_{name}", text, value, [label] if label else None)
    for of, number in (values or {}).items():
        gauge.add_metric([of], number)
    return gauge


def _bookings(tx: Transaction) -> dict[str, int]:
    rows = tx.all(
        """
        SELECT status, COUNT(*) AS count
        FROM bookings
        GROUP BY status
        """
    )
    return {row["status"]: row["count"] for row in rows}


def _mails(tx: Transaction) -> dict:
    return tx.one(
        """
        SELECT COUNT(*) AS waiting, MIN(due_at) AS due_at, MIN(created_at) AS created_at
        FROM outbox
        WHERE sent_at IS NULL AND given_up_at IS NULL
        """
    )
