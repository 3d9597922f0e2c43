"""One line a request, under an id that the answer carries too. Never a body, a token or an e-mail address."""

import contextlib
import logging
import os
import re
import time
from random import getrandbits
from urllib.parse import quote

from flask import Flask, request

from mechtech import clock

SANE_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
PLAIN = re.compile(r"[A-Za-z0-9_.:/-]{0,200}")
STDERR = 2


def init_app(app: Flask) -> None:
    _tell_errors_on_stderr()
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
            _write(
                f"{clock.text(clock.now())} id={request_id} {environ['REMOTE_ADDR']}"
                f" {environ['REQUEST_METHOD']} {_plain(path)} {status[:3]} {milliseconds:.1f}ms"
                f" user={environ.get('mechtech.user_id', '-')}\n"
            )
            return start_response(status, headers, exc_info)

        return inner(environ, start)

    app.wsgi_app = logged


def name_account(user_id: int) -> None:
    """Have the request's line tell this account."""
    request.environ["mechtech.user_id"] = user_id


def _plain(path: str) -> str:
    """Without what could end the line or hide in it, and without what may be an e-mail address; shortened."""
    if PLAIN.fullmatch(path):
        return path
    return quote("/".join("-" if "@" in part else part for part in path.split("/")).encode("latin-1", "replace"))[:200]


def _write(line: str) -> None:
    """In one piece, since threads and processes write to the same place; a full disk must not stop the service."""
    with contextlib.suppress(OSError):
        os.write(STDERR, line.encode("ascii", "replace"))


def _tell_errors_on_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", clock.ISO_8601))
    handler.formatter.converter = time.gmtime
    logging.getLogger("mechtech").handlers = [handler]
