"""Microseconds that a request spends in each layer, in one process and without a server; printed as JSON.

Stopwatches are put around the layers' functions; what runs within another one's counts only there, so the layers add
up to the whole request, with about half a microsecond on top for each stopwatch.
"""

import inspect
import io
import json
import sys
import time
from collections import Counter
from statistics import median

from flask import Flask
from werkzeug.test import create_environ

import mechtech
from mechtech.accounts import repository as auth
from mechtech.bookings import repository as booking
from mechtech.mechanics import repository as mechanics
from mechtech.web import authentication as access
from mechtech.web import body, origins, paths, rate_limit, request_log, security_headers
from mechtech.web.fields import Input
from tests.bench import data

MODULES = {paths: "paths", origins: "origin", security_headers: "headers", request_log: "log", rate_limit: "limiter"}
WARM_UP = 20  # requests
REQUESTS = {
    "profile": {"path": "/api/auth/profile", "headers": {"Authorization": f"Bearer {data.token(data.READER)}"}},
    "mechanics list": {"path": "/api/mechanics", "query_string": "limit=12"},
    "booking POST": {
        "path": "/api/booking",
        "method": "POST",
        "headers": {"Authorization": f"Bearer {data.token(data.WRITER)}"},
        "json": data.BOOKING,
    },
}
spent = Counter()  # seconds in each layer
within = 0.0  # seconds in stopwatches inside the present one


def timed(layer, function):
    def stopwatch(*args, **kwargs):
        global within
        beside, within, started = within, 0.0, time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            took = time.perf_counter() - started
            spent[layer] += took - within
            within = beside + took

    return stopwatch


def timed_init(layer, init_app):
    """Times the WSGI step that init_app adds, and what that does when the answer passes it."""

    def init(app):
        inner = app.wsgi_app
        app.wsgi_app = lambda environ, start_response: inner(environ, timed(layer, start_response))
        init_app(app)
        app.wsgi_app = timed(layer, app.wsgi_app)

    return init


def timed_app() -> Flask:
    Flask.wsgi_app = timed("Flask", Flask.wsgi_app)
    for module, layer in MODULES.items():
        module.init_app = timed_init(layer, module.init_app)
    body.json_object = timed("JSON", body.json_object)
    Input.read = timed("validation", Input.read)
    access._caller = timed("authorization", access._caller)
    for module in (auth, booking, mechanics):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__:
                setattr(module, name, timed("SQL", function))
    app = mechtech.create_app()
    layers = {module.__name__: layer for module, layer in MODULES.items()}
    for functions in (app.before_request_funcs[None], app.after_request_funcs[None]):
        functions[:] = [timed(layers[function.__module__], function) for function in functions]
    app.view_functions = {name: timed("handler", view) for name, view in app.view_functions.items()}
    app.json.dumps = timed("encoding", app.json.dumps)
    return app


def measure(app, seconds, request) -> dict[str, float]:
    """Medians in microseconds: of the whole request, by a driver that does what a server must, and of its layers."""
    environ = create_environ(**request, environ_base={"REMOTE_ADDR": "127.0.0.1"})
    sent = environ["wsgi.input"].read()
    samples = []
    until = time.monotonic() + seconds
    while time.monotonic() < until or len(samples) <= WARM_UP:
        spent.clear()
        started = time.perf_counter()
        answer = app.wsgi_app({**environ, "wsgi.input": io.BytesIO(sent)}, start_response)
        b"".join(answer)
        if hasattr(answer, "close"):
            answer.close()
        samples.append({"whole": time.perf_counter() - started, **spent})
    return {name: round(median(sample[name] for sample in samples[WARM_UP:]) * 1e6, 1) for name in samples[-1]}


def start_response(status, headers, exc_info=None):
    assert status.startswith("20"), status


def main(seconds: float) -> dict:
    app = mechtech.create_app()  # before the stopwatches are there
    plain = {name: measure(app, seconds, request)["whole"] for name, request in REQUESTS.items()}
    app = timed_app()
    return {
        name: {**measure(app, seconds, request), "whole, without stopwatches": plain[name]}
        for name, request in REQUESTS.items()
    }


if __name__ == "__main__":
    print(json.dumps(main(float(sys.argv[1]))))
