"""What is asked at the moment of a scrape: whether the parts are well, and what the database holds."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily

from mechtech import clock
from mechtech.bookings.rules import STATUSES
from mechtech.database import get_db
from mechtech.errors import Unavailable
from mechtech.health import check_parts
from mechtech.version import VERSION


def state() -> Iterator[GaugeMetricFamily]:
    """The gauges of the current app; none about the database while it is not well."""
    parts = check_parts()
    yield _gauge("build_info", "The version of the service.", "version", {VERSION: 1})
    up = {part: int(told == "ok") for part, told in parts.items()}
    yield _gauge("up", "Whether a part answers, as /health has it.", "part", up)
    if parts["database"] != "ok":
        return
    try:
        counts = get_db().all("SELECT status, COUNT(*) AS count FROM bookings GROUP BY status")
        mails = get_db().one(
            """
            SELECT COUNT(*) AS waiting, MIN(due_at) AS due_at, MIN(created_at) AS created_at
            FROM outbox
            WHERE sent_at IS NULL AND given_up_at IS NULL
            """
        )
    except Unavailable:
        return
    bookings = dict.fromkeys(STATUSES, 0) | {row["status"]: row["count"] for row in counts}
    yield _gauge("bookings", "Bookings in the database.", "status", bookings)
    yield GaugeMetricFamily("mechtech_outbox_mails", "Mails that are not sent yet.", mails["waiting"])
    for name, text, since in (
        ("overdue", "How long the mail that is due longest has been due.", mails["due_at"]),
        ("oldest", "How long the oldest mail has not been sent.", mails["created_at"]),
    ):
        seconds = max(0, clock.now() - clock.seconds(since)) if since else 0
        yield GaugeMetricFamily(f"mechtech_outbox_{name}_seconds", text, seconds)


def _gauge(name: str, text: str, label: str, values: dict[str, int]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(f"mechtech_{name}", text, labels=[label])
    for of, number in values.items():
        gauge.add_metric([of], number)
    return gauge
