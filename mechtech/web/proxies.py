"""Who the client is, where proxies stand in front: TRUSTED_PROXIES, from the environment's X-Forwarded headers.

werkzeug's ProxyFix reads the list with quotes in it, so that a client's lone quote swallows the proxy's own entry.
"""

from contextlib import suppress
from ipaddress import ip_address

from flask import Flask


def init_app(app: Flask) -> None:
    trusted = app.config["settings"].trusted_proxies
    if not trusted:
        return
    inner = app.wsgi_app

    def from_the_nth_hop(environ, start_response):
        hops = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(hops) >= trusted:
            with suppress(ValueError):  # not an address: the proxy's own must do
                address, _, _ = hops[-trusted].partition("%")  # the zone of an IPv6 address is free text
                environ["REMOTE_ADDR"] = str(ip_address(address.strip()))
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").split(",")[-trusted:][0].strip()
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
        return inner(environ, start_response)

    app.wsgi_app = from_the_nth_hop
