"""Which web pages may call: CORS. Any other origin is refused, which is more than the headers alone would do."""

import re

from flask import Flask, Response, request

from mechtech.errors import OriginForbidden

DEVELOPMENT = r"https?://(?:localhost|127\.0\.0\.1)(?::[0-9]{1,5})?|null"
EXPOSED = (
    "Access-Control-Expose-Headers",
    "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, X-Request-ID, Idempotent-Replayed",
)
PREFLIGHT = [
    ("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS"),
    ("Access-Control-Allow-Headers", "Content-Type, Authorization, Idempotency-Key"),
    ("Access-Control-Max-Age", "600"),  # seconds; a preflight costs a phone another round trip
]


def init_app(app: Flask) -> None:
    listed = app.config["settings"].cors_origins
    allowed = re.compile(DEVELOPMENT if listed is None else "|".join(map(re.escape, listed)) or "(?!)")

    @app.before_request
    def check_origin() -> Response | None:
        environ = request.environ
        origin = environ.get("HTTP_ORIGIN")
        if origin is None:
            return None
        if allowed.fullmatch(origin):
            environ["mechtech.headers"] += [("Access-Control-Allow-Origin", origin), EXPOSED]
        elif not request.host or origin != f"{request.scheme}://{request.host}":
            raise OriginForbidden
        if request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
            environ["mechtech.headers"] += PREFLIGHT
            return app.response_class(status=204)  # a preflight ends here, uncounted
        return None
