"""What the service cannot outrun: the bare server, the bare framework, and bcrypt itself."""

import multiprocessing
import os
import signal
import time

import bcrypt
from flask import Flask

BODY = b'{"status":"OK"}'


def bare_wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))])
    return [BODY]


bare_flask = Flask(__name__, static_folder=None)


@bare_flask.get("/health")
def answer():
    return {"status": "OK"}


def passwords(seconds: float) -> float:
    """Passwords checked in a second, on all cores."""
    cores = os.cpu_count()
    with multiprocessing.Pool(cores, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        pool.map(_check_passwords, [0.1] * cores, 1)  # every process is up
        return sum(pool.map(_check_passwords, [seconds] * cores, 1))


def _check_passwords(seconds):
    password = b"password123"
    hashed = bcrypt.hashpw(password, bcrypt.gensalt(10))
    started, count = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - started) < seconds:
        bcrypt.checkpw(password, hashed)
        count += 1
    return count / elapsed
