"""The time, as the contract writes it: ISO 8601 in UTC, to the second."""

import time
from datetime import datetime
from functools import lru_cache

ISO_8601 = "%Y-%m-%dT%H:%M:%SZ"


def now() -> int:
    """Seconds since 1970."""
    return int(time.time())


@lru_cache(2)  # the present second is asked for again and again
def text(seconds: int) -> str:
    return time.strftime(ISO_8601, time.gmtime(seconds))


def stamps() -> dict[str, str]:
    """created_at and updated_at of a row that is made now."""
    return dict.fromkeys(("created_at", "updated_at"), text(now()))


def seconds(text: str) -> int:
    return int(moment(text).timestamp())


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
