"""One line a request, under an id that the answer carries too. Never a body, a token or an e-mail address."""

import contextlib
import json
import logging
import os
import re
import time
from functools import lru_cache
from random import getrandbits
from urllib.parse import quote

from flask import Flask, request

from mechtech import clock
from mechtech.web.server_log import FORMATTERS

SANE_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
# A part of a path that is no token, password or e-mail address: words, and the ids of rows.
PLAIN = re.compile(r"[a-z_.-]{0,20}|(?:[Bb][Kk])?[0-9]{1,15}")
STDERR = 2


def init_app(app: Flask) -> None:
    log_format = app.config["settings"].log_format
    logging.getLogger("mechtech").handlers = [_handler(log_format)]
    logging.lastResort = _handler(log_format, logging.WARNING)  # for the loggers of libraries, such as the pool's
    line_of = _json_line if log_format == "json" else _text_line
    inner = app.wsgi_app

    def logged(environ, start_response):
        started = time.perf_counter()
        request_id = environ.get("HTTP_X_REQUEST_ID")
        if request_id is None or not SANE_ID.fullmatch(request_id):
            # It names a line of the log, and nothing secret.
            request_id = f"{getrandbits(64):016x}"  # nosec B311
        environ["mechtech.request_id"] = request_id
        environ["mechtech.headers"] = [("X-Request-ID", request_id)]
        path = environ["PATH_INFO"] or "/"

        def start(status, headers, exc_info=None):
            milliseconds = (time.perf_counter() - started) * 1000
            _write(line_of(environ, path, status[:3], milliseconds))
            return start_response(status, headers, exc_info)

        return inner(environ, start)

    app.wsgi_app = logged


def _handler(log_format: str, level: int = logging.NOTSET) -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setFormatter(FORMATTERS[log_format]())
    handler.setLevel(level)
    return handler


def name_account(user_id: int) -> None:
    """Have the request's line tell this account."""
    request.environ["mechtech.user_id"] = user_id


def of_request() -> dict:
    """For the argument `extra` of a logger: the id of the request at work."""
    return {"of_request": f" id={request.environ['mechtech.request_id']}"}


def route_of(environ: dict) -> str | None:
    """The rule of the route that answers, once there is an answer; None where no route does."""
    rule = environ["werkzeug.request"].url_rule
    return rule and rule.rule


def _text_line(environ: dict, path: str, status: str, milliseconds: float) -> str:
    return (
        f"{clock.text(clock.now())} id={environ['mechtech.request_id']} {environ['REMOTE_ADDR']}"
        f" {environ['REQUEST_METHOD']} {_plain(path)} {status} {milliseconds:.1f}ms"
        f" user={environ.get('mechtech.user_id', '-')}\n"
    )


def _json_line(environ: dict, path: str, status: str, milliseconds: float) -> str:
    line = {
        "time": clock.text(clock.now()),
        "level": "INFO",
        "request_id": environ["mechtech.request_id"],
        "address": environ["REMOTE_ADDR"],
        "method": environ["REQUEST_METHOD"],
        "path": _plain(path),
        "route": route_of(environ),
        "status": int(status),
        "milliseconds": round(milliseconds, 1),
        "user": environ.get("mechtech.user_id"),
    }
    return f"{json.dumps(line)}\n"


@lru_cache(1024)
def _plain(path: str) -> str:
    """The path without parts that may be a token, a password or an e-mail address; shortened."""
    parts = (part if PLAIN.fullmatch(part) else "-" for part in path.split("/"))
    return quote("/".join(parts))[:200]


def _write(line: str) -> None:
    """In one piece, since threads and processes write to the same place; a full disk must not stop the service."""
    with contextlib.suppress(OSError):
        os.write(STDERR, line.encode("ascii", "replace"))
