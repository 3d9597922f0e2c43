"""/health and /: for whoever watches the service, and whoever meets it with curl."""

import re

from flask import Blueprint, current_app

from mechtech.database import get_db
from mechtech.errors import Unavailable
from mechtech.version import VERSION
from mechtech.web.error_handlers import unavailable

health = Blueprint("health", __name__)


@health.get("/health")
def show_health():
    try:
        get_db().check()
    except Unavailable as error:
        body, _, headers = unavailable(error)
        return {**body, "status": "ERROR", "version": VERSION, "database": "error"}, 503, headers
    return {"status": "OK", "message": "MechTECH is running.", "version": VERSION, "database": "ok"}


@health.get("/")
def show_index():
    return {"name": "MechTECH", "version": VERSION, "endpoints": _endpoints()}


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
    ]
