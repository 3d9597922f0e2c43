"""/health for monitoring, and / as an index for a person with curl or with a browser."""

import re
from concurrent.futures import Future, ThreadPoolExecutor, wait

from flask import Blueprint, Response, current_app, jsonify, request

from mechtech.database import get_db
from mechtech.errors import Unavailable
from mechtech.version import VERSION
from mechtech.web.error_handlers import log, refused
from mechtech.web.request_log import of_request

HEALTH_SECONDS = 2  # how long the database and the limiter's storage have for their answers

health = Blueprint("health", __name__)


@health.record_once
def start_checks(state) -> None:
    state.app.extensions["mechtech.health"] = ThreadPoolExecutor(4, "health")


@health.get("/health")
def show_health():
    """200 if both answer in time, else 503; the one that does not says "error"."""
    pool = current_app.extensions["mechtech.health"]
    checks = {
        "database": pool.submit(get_db().check),
        "limits": pool.submit(current_app.extensions["mechtech.limiter"].storage.get, "health"),
    }
    wait(checks.values(), timeout=HEALTH_SECONDS)
    states = {name: _state(name, check) for name, check in checks.items()}
    if set(states.values()) == {"ok"}:
        return {"status": "OK", "message": "MechTECH is running.", "version": VERSION, **states}
    body, _, headers = refused(Unavailable(retry_after=1))
    return {**body, "status": "ERROR", "version": VERSION, **states}, 503, headers


def _state(name: str, check: Future) -> str:
    if not check.done():
        error: BaseException | None = TimeoutError(f"no answer within {HEALTH_SECONDS} s")
    else:
        error = check.exception()
    if error is None:
        return "ok"
    log.error("%s: %s", name, error.__cause__ or error, extra=of_request())
    return "error"


@health.get("/")
def show_index() -> Response:
    """The index as JSON, or a small page for a browser, which prefers HTML. A cache asks again for each."""
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        return current_app.blueprints["pages"].send_static_file("index.html")
    answer = jsonify(name="MechTECH", version=VERSION, endpoints=_endpoints())
    answer.cache_control.no_cache = True
    return answer


def _endpoints() -> list[dict]:
    """Every endpoint: method, path, and who may call it."""
    return [
        {
            "method": method,
            "path": re.sub(r"<.*?>", ":id", rule.rule),
            "who": getattr(current_app.view_functions[rule.endpoint], "who", "anyone"),
        }
        for rule in current_app.url_map.iter_rules()
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"})
        if rule.endpoint != "pages.static"
    ]
