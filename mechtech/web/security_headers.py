"""What Helmet 7 sets by default, on every answer, but for what a view has set itself.

Added at the WSGI level, where it costs next to nothing. environ["mechtech.headers"], begun by request_log.py, is what
this one answer carries besides: its id, and what rate_limit.py tells.
"""

from flask import Flask

HEADERS = [
    (
        "Content-Security-Policy",
        "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';frame-ancestors 'self';"
        "img-src 'self' data:;object-src 'none';script-src 'self';script-src-attr 'none';"
        "style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests",
    ),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Origin-Agent-Cluster", "?1"),
    ("Referrer-Policy", "no-referrer"),
    ("Strict-Transport-Security", "max-age=15552000; includeSubDomains"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-DNS-Prefetch-Control", "off"),
    ("X-Download-Options", "noopen"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("X-Permitted-Cross-Domain-Policies", "none"),
    ("X-XSS-Protection", "0"),
]
NAMES = {name.lower() for name, _ in HEADERS}
VARY = [("Vary", "Origin")]  # not Helmet's: a cache must not give one site's CORS headers to another
NOT_STORED = [("Cache-Control", "no-store")]  # on all under /api/


def init_app(app: Flask) -> None:
    inner = app.wsgi_app

    def with_security_headers(environ, start_response):
        def start(status, headers, exc_info=None):
            private = NOT_STORED if f"{environ['PATH_INFO']}/".startswith("/api/") else []
            own = {name.lower() for name, _ in headers}
            added = HEADERS if NAMES.isdisjoint(own) else [one for one in HEADERS if one[0].lower() not in own]
            return start_response(status, headers + added + VARY + private + environ["mechtech.headers"], exc_info)

        return inner(environ, start)

    app.wsgi_app = with_security_headers
