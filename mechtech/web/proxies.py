"""Who the client is, where proxies stand in front: TRUSTED_PROXIES, from the environment's X-Forwarded headers.

werkzeug's ProxyFix reads the list with quotes in it, so that a client's lone quote swallows the proxy's own entry.
"""

import re
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address, ip_network

from flask import Flask

# As proxies write it: an IPv6 address in brackets, with a port or without, an IPv4 address with one, an address alone.
HOP = re.compile(r"\[([^\]]*)\](?::[0-9]+)?|([0-9.]+):[0-9]+|(.*)", re.DOTALL)


def init_app(app: Flask) -> None:
    trusted = app.config["settings"].trusted_proxies
    if not trusted:
        return
    inner = app.wsgi_app

    def from_the_nth_hop(environ, start_response):
        hops = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(hops) >= trusted:
            with suppress(ValueError):  # not an address: the proxy's own must do
                environ["REMOTE_ADDR"] = _address(hops[-trusted].strip())
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", "").split(",")[-trusted:][0].strip()
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
        return inner(environ, start_response)

    app.wsgi_app = from_the_nth_hop


def _address(hop: str) -> str:
    """Raises ValueError for a text that is no address."""
    match = HOP.fullmatch(hop)
    return str(ip_address(match[match.lastindex].partition("%")[0]))  # the zone of an IPv6 address is free text


@lru_cache(1024)
def network_of(address: str | None) -> str:
    """What a client is counted under: its address, of IPv6 the /64 network, which one subscriber has alone."""
    try:
        ip = ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or "unknown"
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return str(ip if ip.version == 4 else ip_network((ip, 64), strict=False))
