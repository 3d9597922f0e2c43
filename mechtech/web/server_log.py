"""What gunicorn's own error log must not say. gunicorn.conf.py runs this file by its path."""

import logging


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


FILTERS = (without_secrets, without_silence)
