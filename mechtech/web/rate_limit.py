"""The rate limit: one count for each client over all of /api/, kept by Flask-Limiter.

Its own hooks count each endpoint apart and take 70 µs of a request's 210, even where they have nothing to count. One
short before_request counts in its storage instead, where each request learns its own count.

A view, or a blueprint's before_request function, may have a limit of its own besides, by the `limit` or `shared_limit`
of the app's extensions["mechtech.limiter"]: as a decorator, or within the function, where current_app is known, as
`with current_app.extensions["mechtech.limiter"].limit("5 per minute"):`. What only the limiter's own before_request
heeds does nothing here: a limit on a blueprint itself, default_limits, and @limiter.exempt.
"""

import math
import time
from pathlib import Path

from flask import Flask, after_this_request, current_app, request
from flask_limiter import Limiter
from limits.strategies import RateLimiter

import mechtech.web.limit_storage  # noqa: F401  registers the storage's scheme
from mechtech.errors import RateLimited
from mechtech.signals import limit_refused
from mechtech.web.proxies import network_of

WINDOWS_KEPT = 10_000
REDIS_SECONDS = 1  # how long a request waits for Redis to take a connection or to answer


def init_app(app: Flask) -> None:
    settings = app.config["settings"]
    uri, rate = settings.rate_limit_storage, settings.rate_limit
    options = {"wrap_exceptions": True}
    if uri is None:
        uri = f"file://{Path(settings.db_path).absolute()}.hits"
    elif uri.startswith("redis"):
        options |= {"socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS}
    hooked = Flask(__name__)  # gets no requests: the limiter's hooks would take their time of each

    def identify_request() -> str:
        """The endpoint. The limiter asks where a view is limited, and has that view's answer looked at: deduct_when."""
        if not request.environ.get("mechtech.deducts"):
            request.environ["mechtech.deducts"] = True
            for deduct in hooked.after_request_funcs[None]:
                after_this_request(deduct)
        return request.endpoint or ""

    limiter = Limiter(
        client_network,
        storage_uri=uri,
        storage_options=options,
        strategy="fixed-window",
        request_identifier=identify_request,
    )
    limiter.init_app(hooked)
    app.extensions["mechtech.limiter"] = limiter

    seconds = rate.get_expiry()
    windows: dict[str, tuple[str, float]] = {}  # by network: the key that is counted, and when its window ends

    @app.before_request
    def count_request() -> None:
        environ = request.environ
        if not f"{environ['PATH_INFO']}/".startswith("/api/"):
            return
        network = network_of(environ.get("REMOTE_ADDR"))
        key, reset = windows.get(network) or (rate.key_for("api", network), 0)
        count = limiter.storage.incr(key, seconds)
        if count == 1 or reset <= time.time():  # once a window, since asking costs as much as counting
            if len(windows) >= WINDOWS_KEPT:
                windows.clear()
            reset = limiter.storage.get_expiry(key)
            windows[network] = key, reset
        environ.setdefault("mechtech.headers", []).extend(
            [
                ("X-RateLimit-Limit", str(rate.amount)),
                ("X-RateLimit-Remaining", str(max(0, rate.amount - count))),
                ("X-RateLimit-Reset", str(math.ceil(reset))),
            ]
        )
        if count > rate.amount:
            limit_refused.send("requests")
            raise limited(reset)


def client_network() -> str:
    """What the client of the current request is counted under."""
    return network_of(request.environ.get("REMOTE_ADDR"))


def limiter() -> RateLimiter:
    """What counts for the current app, in the storage of the rate limit."""
    return current_app.extensions["mechtech.limiter"].limiter


def limited(until: float, message: str = "") -> RateLimited:
    """The refusal until then, in seconds since 1970."""
    return RateLimited(message, retry_after=max(1, math.ceil(until - time.time())))
