"""The rate limit: one count for each address over all of /api/.

Flask-Limiter's hooks count each endpoint apart, and cost more than many a request even when they count nothing: its
library `limits` is asked directly.
"""

import math
import time
from functools import lru_cache

from flask import Flask, request
from flask_limiter.util import get_remote_address
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from mechtech.errors import RateLimited
from mechtech.web.limit_storage import FileStorage


def init_app(app: Flask) -> None:
    settings = app.config["settings"]
    uri, rate = settings.rate_limit_storage, settings.rate_limit
    storage = storage_from_string(uri, wrap_exceptions=True) if uri else FileStorage(f"{settings.db_path}.hits")
    app.extensions["mechtech.limiter"] = FixedWindowRateLimiter(storage)

    key_for = lru_cache(1024)(rate.key_for)  # whoever calls mostly calls again
    seconds = rate.get_expiry()

    @app.before_request
    def count_request():
        environ = request.environ
        if not f"{environ['PATH_INFO']}/".startswith("/api/"):
            return
        key = key_for("api", get_remote_address())
        count = storage.incr(key, seconds)
        reset = storage.get_expiry(key)
        environ["mechtech.headers"] += [
            ("X-RateLimit-Limit", str(rate.amount)),
            ("X-RateLimit-Remaining", str(max(0, rate.amount - count))),
            ("X-RateLimit-Reset", str(math.ceil(reset))),
        ]
        if count > rate.amount:
            raise limited(reset)


def limited(until: float) -> RateLimited:
    """The refusal until then, in seconds since 1970."""
    return RateLimited(retry_after=max(1, math.ceil(until - time.time())))
