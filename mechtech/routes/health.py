"""/health and /: for whoever watches the service, and whoever meets it with curl."""

import sqlite3

from flask import Blueprint, current_app

from mechtech.db import get_db
from mechtech.errors import database_failed
from mechtech.paths import index
from mechtech.version import VERSION

health = Blueprint("health", __name__)


@health.get("/health")
def show_health():
    try:
        get_db().check()
    except sqlite3.Error as error:
        body, _, headers = database_failed(error)
        return {**body, "status": "ERROR", "version": VERSION, "database": "error"}, 503, headers
    return {"status": "OK", "message": "MechTECH is running.", "version": VERSION, "database": "ok"}


@health.get("/")
def show_index():
    return {"name": "MechTECH", "version": VERSION, "endpoints": index(current_app)}
