"""/health for monitoring, and / as an index for a person with curl or with a browser."""

from concurrent.futures import ThreadPoolExecutor, wait

from flask import Blueprint, Response, current_app, jsonify, request
from marshmallow import fields, validate

from mechtech.database import get_db
from mechtech.errors import Unavailable
from mechtech.pages.routes import ignore_ranges
from mechtech.version import VERSION
from mechtech.web.answers import Answer, gives, gives_text
from mechtech.web.authentication import anyone
from mechtech.web.error_handlers import log, refused
from mechtech.web.fields import about
from mechtech.web.paths import endpoints
from mechtech.web.rate_limit import limiter

HEALTH_SECONDS = 2  # how long the database and the limiter's storage have for their answers

health = Blueprint("health", __name__)
health.before_request(ignore_ranges)  # for the page at /


def _one_of(*values, **kwargs):
    return fields.String(validate=validate.OneOf(values), **kwargs)


STATES = {
    "message": fields.String(metadata=about(example="MechTECH is running.")),
    "version": fields.String(metadata=about(example=VERSION)),
    "database": _one_of("ok", "error"),
    "limits": _one_of("ok", "error", metadata=about("The storage of the rate limit.")),
}
REQUEST_ID = fields.String(metadata=about(example="9f8528954043ee60"))


class Endpoint(Answer):
    method = fields.String(metadata=about(example="GET"))
    path = fields.String(metadata=about(example="/health"))
    who = fields.String(metadata=about("Who may call it.", "anyone"))


@health.get("/health")
@anyone
@gives(200, status=_one_of("OK"), **STATES)
@gives(503, status=_one_of("ERROR"), error=_one_of("unavailable"), requestId=REQUEST_ID, **STATES)
def show_health() -> dict | tuple[dict, int, dict]:
    """Tell whether the database and the rate limit's storage answer in time: the one that does not says "error"."""
    states = check_parts()
    if set(states.values()) == {"ok"}:
        return {"status": "OK", "message": "MechTECH is running.", "version": VERSION, **states}
    body, _, headers = refused(Unavailable(retry_after=1))
    return {**body, "status": "ERROR", "version": VERSION, **states}, 503, headers


def check_parts() -> dict[str, str]:
    """What the service stands on, each with "ok", or "error" if it does not answer in time."""
    # Each has threads of its own: a database that hangs must not keep the limits from being asked.
    new = ThreadPoolExecutor(4), ThreadPoolExecutor(4)
    database, limits = current_app.extensions.setdefault("mechtech.health", new)
    checks = {
        "database": database.submit(get_db().check),
        "limits": limits.submit(limiter().storage.incr, "health", 1),  # a full storage can still be read
    }
    wait(checks.values(), timeout=HEALTH_SECONDS)
    states = {}
    for part, check in checks.items():
        error = check.exception() if check.done() else TimeoutError(f"no answer within {HEALTH_SECONDS} s")
        states[part] = "error" if error else "ok"
        if error:
            log.error("%s: %s", part, error.__cause__ or error)
    return states


@health.get("/")
@anyone
@gives_text("text/html")
@gives(name=fields.String(metadata=about(example="MechTECH")), version=STATES["version"], endpoints=[Endpoint])
def show_index() -> Response:
    """List the endpoints; a browser, which prefers HTML, gets a small page. A cache asks again for each."""
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        return current_app.blueprints["pages"].send_static_file("index.html")
    listed = [
        {"method": method, "path": path.replace("{id}", ":id"), "who": view.who}
        for method, path, view, _ in endpoints(current_app)
    ]
    answer = jsonify(name="MechTECH", version=VERSION, endpoints=listed)
    answer.cache_control.no_cache = True
    return answer
