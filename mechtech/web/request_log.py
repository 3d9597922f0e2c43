"""The log: one line a request, under an id that the answer carries too, and one format for all lines.

Never a body, a token or an e-mail address.
"""

import json
import logging
import os
import re
import time
from contextlib import suppress
from functools import lru_cache
from random import getrandbits
from urllib.parse import quote

from flask import Flask, has_request_context, request
from gunicorn.glogging import Logger

from mechtech import clock

SANE_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
# A part of a path that is no token, password or e-mail address: words, and the ids of rows.
PLAIN = re.compile(r"[a-z_.-]{0,20}|(?:[Bb][Kk])?[0-9]{1,15}")
STDERR = 2


def init_app(app: Flask) -> None:
    log_format = app.config["settings"].log_format
    logging.getLogger("mechtech").handlers = [handler(log_format)]
    logging.lastResort = handler(log_format, logging.WARNING)  # for the loggers of libraries, such as the pool's
    as_json = log_format == "json"
    inner = app.wsgi_app

    def logged(environ, start_response):
        started = time.perf_counter()
        request_id = environ.get("HTTP_X_REQUEST_ID", "")
        if not SANE_ID.fullmatch(request_id):
            # It names a line of the log, and nothing secret.
            request_id = f"{getrandbits(64):016x}"  # nosec B311
        environ["mechtech.request_id"] = request_id
        environ["mechtech.headers"] = [("X-Request-ID", request_id)]
        asked = environ["PATH_INFO"] or "/"

        def start(status, headers, exc_info=None):
            milliseconds = (time.perf_counter() - started) * 1000
            now, method, address = clock.text(clock.now()), environ["REQUEST_METHOD"], environ["REMOTE_ADDR"]
            path, user = _plain(asked), environ.get("mechtech.user_id")
            if as_json:
                line = {"time": now, "level": "INFO", "request_id": request_id, "address": address, "method": method}
                line |= {"path": path, "route": route_of(environ), "status": int(status[:3])}
                _write(json.dumps({**line, "milliseconds": round(milliseconds, 1), "user": user}))
            else:
                what = f"{address} {method} {path} {status[:3]} {milliseconds:.1f}ms"
                _write(f"{now} id={request_id} {what} user={user or '-'}")
            return start_response(status, headers, exc_info)

        return inner(environ, start)

    app.wsgi_app = logged


def name_account(user_id: int) -> None:
    """Have the request's line tell this account."""
    request.environ["mechtech.user_id"] = user_id


def route_of(environ: dict) -> str | None:
    """The rule of the route that answers, once there is an answer; None where no route does."""
    rule = environ["werkzeug.request"].url_rule
    return rule and rule.rule


@lru_cache(1024)
def _plain(path: str) -> str:
    """The path without parts that may be a token, a password or an e-mail address; shortened."""
    parts = (part if PLAIN.fullmatch(part) else "-" for part in path.split("/"))
    return quote("/".join(parts))[:200]


def _write(line: str) -> None:
    """In one piece, since threads and processes write to the same place; a full disk must not stop the service."""
    with suppress(OSError):
        os.write(STDERR, f"{line}\n".encode("ascii", "replace"))


def logging_config(log_format: str) -> dict:
    """A configuration for logging.config.dictConfig, which gunicorn takes as logconfig_dict.

    Python's warnings become lines of the log too.
    """
    logging.captureWarnings(True)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"stderr": {"()": handler, "log_format": log_format}},
        "root": {"handlers": []},  # the loggers of the service have handlers of their own
        "loggers": {
            "gunicorn.error": {"handlers": ["stderr"], "filters": [without_secrets], "propagate": False},
            "py.warnings": {"handlers": ["stderr"]},
        },
    }


def handler(log_format: str, level: int = logging.NOTSET) -> logging.Handler:
    """What writes lines of this format, text or json, to the standard error."""
    made = logging.StreamHandler()
    made.setFormatter(Formatter(as_json=log_format == "json"))
    made.setLevel(level)
    return made


class ServerLogger(Logger):
    """gunicorn's logger without an access log: made and thrown away for each request it takes 6 % of a read's time."""

    def access(self, resp, req, environ, request_time) -> None:
        """Leave it to the lines above, which have the request's id."""


class Formatter(logging.Formatter):
    """The time, the level, the id of the current request if there is one, the message, and the traceback of an error.

    As text, or as one JSON object a line.
    """

    converter = time.gmtime

    def __init__(self, as_json: bool) -> None:
        super().__init__("%(asctime)s %(levelname)s%(of_request)s %(message)s", clock.ISO_8601)
        self._as_json = as_json

    def formatMessage(self, record: logging.LogRecord) -> str:
        """A warning or an error as one line, also where a library tells it in several."""
        line = super().formatMessage(record)
        return " ".join(line.split()) if record.levelno >= logging.WARNING else line

    def format(self, record: logging.LogRecord) -> str:
        request_id = request.environ.get("mechtech.request_id") if has_request_context() else None
        record.of_request = f" id={request_id}" if request_id else ""
        if not self._as_json:
            return super().format(record)
        line = {
            "time": self.formatTime(record, self.datefmt),
            "level": record.levelname,
            "request_id": request_id,
            "message": record.getMessage(),
            "traceback": record.exc_info and self.formatException(record.exc_info),
        }
        return json.dumps({name: value for name, value in line.items() if value is not None})


def without_secrets(record: logging.LogRecord) -> bool:
    """Leave out the request that gunicorn quotes when it cannot read it, and queries: a token may stand there.

    False for clients that stopped sending or reading: that is no error of the service.
    """
    if str(record.msg).startswith("Invalid request from ip="):
        record.msg = ": ".join(record.msg.split(": ")[:2])
    elif isinstance(record.args, tuple):
        record.args = tuple(arg.split("?")[0] if isinstance(arg, str) else arg for arg in record.args)
    return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError))
