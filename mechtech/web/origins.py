"""Which web pages may call. flask-cors writes the headers; refusing an origin it leaves to us.

A view's own @cross_origin can allow fewer pages than CORS_ORIGINS, never more.
"""

import re

from flask import Flask, after_this_request, request
from flask_cors import cross_origin

from mechtech.errors import OriginForbidden
from mechtech.setting_checks import DEFAULT_PORTS

DEVELOPMENT = r"https?://(?:localhost|127\.0\.0\.1)(?::[0-9]{1,5})?|null"


def init_app(app: Flask) -> None:
    listed = app.config["settings"].cors_origins
    pattern = DEVELOPMENT if listed is None else "|".join(map(_pattern, listed)) or "(?!)"
    allowed = re.compile(rf"(?:{pattern})\Z")

    @cross_origin(
        origins=allowed,
        methods=["GET", "POST", "PUT", "DELETE", "OPTIONS"],
        allow_headers=["Content-Type", "Authorization", "Idempotency-Key"],
        expose_headers=[
            "X-RateLimit-Limit",
            "X-RateLimit-Remaining",
            "X-RateLimit-Reset",
            "Retry-After",
            "X-Request-ID",
            "Idempotent-Replayed",
        ],
        max_age=600,  # seconds; a preflight costs a phone another round trip
        always_send=False,
        vary_header=False,  # it is among the fixed headers
        automatic_options=False,
    )
    def with_cors_headers(response):
        return response

    @app.before_request
    def check_origin():
        origin = request.environ.get("HTTP_ORIGIN")
        if origin is None:
            return None
        after_this_request(with_cors_headers)
        own = f"{request.scheme}://{request.host}"
        if not allowed.match(origin) and not (request.host and re.fullmatch(_pattern(own), origin)):
            raise OriginForbidden
        if request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.environ:
            return app.response_class(status=204)  # a preflight ends here, uncounted
        return None


def _pattern(origin: str) -> str:
    """Matches this origin, also where it names the default port of its scheme, which is the same as none."""
    port = DEFAULT_PORTS.get(origin.partition(":")[0])
    return re.escape(origin) + (f"(?::{port})?" if port else "")
