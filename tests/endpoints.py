"""Every endpoint, and who may call it, as the contract has them: the one list that the tests compare others with."""

ENDPOINTS = {
    ("GET", "/health", "anyone"),
    ("GET", "/", "anyone"),
    ("GET", "/openapi.json", "anyone"),
    ("GET", "/docs", "anyone"),
    ("GET", "/admin", "anyone"),
    ("GET", "/booking", "anyone"),
    ("GET", "/reset", "anyone"),
    ("GET", "/metrics", "holder"),
    ("POST", "/api/auth/signup", "anyone"),
    ("POST", "/api/auth/login", "anyone"),
    ("GET", "/api/auth/profile", "user"),
    ("PUT", "/api/auth/profile", "user"),
    ("POST", "/api/auth/logout", "user"),
    ("POST", "/api/auth/forgot", "anyone"),
    ("POST", "/api/auth/reset", "anyone"),
    ("POST", "/api/booking", "anyone"),
    ("GET", "/api/booking", "user"),
    ("GET", "/api/booking/:id", "owner"),
    ("PUT", "/api/booking/:id", "owner"),
    ("POST", "/api/booking/:id/link", "anyone"),
    ("DELETE", "/api/booking/:id", "owner"),
    ("POST", "/api/booking/:id/review", "owner"),
    ("POST", "/api/contact", "anyone"),
    ("GET", "/api/contact", "admin"),
    ("GET", "/api/contact/:id", "admin"),
    ("PUT", "/api/contact/:id/read", "admin"),
    ("DELETE", "/api/contact/:id", "admin"),
    ("GET", "/api/mechanics", "anyone"),
    ("GET", "/api/mechanics/:id", "anyone"),
    ("GET", "/api/mechanics/:id/availability", "anyone"),
    ("POST", "/api/mechanics", "admin"),
    ("PUT", "/api/mechanics/:id", "admin"),
}
METHODS: dict[str, set[str]] = {}  # of each path
for _method, _path, _who in sorted(ENDPOINTS):
    METHODS.setdefault(_path, set()).add(_method)
