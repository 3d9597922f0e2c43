"""The format of all lines of the log, gunicorn's own included, and what they must not say."""

import json
import logging
import time

from gunicorn.glogging import Logger

from mechtech import clock


def logging_config(log_format: str) -> dict:
    """A configuration for logging.config.dictConfig, which gunicorn takes as logconfig_dict.

    Python's warnings become lines of the log too.
    """
    logging.captureWarnings(True)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"secrets": {"()": lambda: without_secrets}, "silence": {"()": lambda: without_silence}},
        "formatters": {"line": {"()": lambda: FORMATTERS[log_format]()}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": []},  # the loggers of the service have handlers of their own: request_log.py
        "loggers": {
            "gunicorn.error": {"handlers": ["stderr"], "filters": ["secrets", "silence"], "propagate": False},
            "py.warnings": {"handlers": ["stderr"]},
        },
    }


class ServerLogger(Logger):
    """gunicorn's logger without an access log: made and thrown away for each request it takes 6 % of a read's time."""

    def access(self, resp, req, environ, request_time) -> None:
        """Leave it to request_log.py, whose lines have the request's id."""


class TextFormatter(logging.Formatter):
    """The time, the level, the id of the request if there is one, and the message; then the traceback of an error."""

    converter = time.gmtime

    def __init__(self) -> None:
        line = "%(asctime)s %(levelname)s%(of_request)s %(message)s"
        super().__init__(line, clock.ISO_8601, defaults={"of_request": ""})


class JSONFormatter(TextFormatter):
    """One JSON object a line. `request_id` is there where the line belongs to a request."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": self.formatTime(record, clock.ISO_8601), "level": record.levelname}
        if hasattr(record, "of_request"):
            line["request_id"] = record.of_request.removeprefix(" id=")
        line["message"] = record.getMessage()
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


FORMATTERS = {"text": TextFormatter, "json": JSONFormatter}


def without_secrets(record: logging.LogRecord) -> bool:
    """Leave out the request that gunicorn quotes when it cannot read it, and queries: a token may stand there."""
    if str(record.msg).startswith("Invalid request from ip="):
        record.msg = ": ".join(record.msg.split(": ")[:2])
    elif isinstance(record.args, tuple):
        record.args = tuple(arg.split("?")[0] if isinstance(arg, str) else arg for arg in record.args)
    return True


def without_silence(record: logging.LogRecord) -> bool:
    """Leave out clients that stopped sending or reading: that is no error of the service."""
    return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError))
