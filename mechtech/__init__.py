"""MechTECH: on-road vehicle assistance. create_app() lays out the way of a request."""

import logging
from pathlib import Path

from mechtech import commands, settings
from mechtech.accounts import repository as accounts
from mechtech.accounts.routes import auth
from mechtech.bookings.routes import booking
from mechtech.contact.routes import contact
from mechtech.cores import cores
from mechtech.database import open_database
from mechtech.errors import Unavailable
from mechtech.health import health
from mechtech.mechanics.routes import mechanics
from mechtech.metrics import routes as counting
from mechtech.metrics.routes import metrics
from mechtech.openapi.routes import openapi
from mechtech.pages.routes import pages
from mechtech.passwords import Hasher
from mechtech.web import origins, paths, proxies, rate_limit, request_log, security_headers
from mechtech.web.error_handlers import error_handlers
from mechtech.web.paths import App

SCHEMA = Path(__file__).parent.parent / "schema.sql"


def create_app(config: settings.Settings | None = None) -> App:
    """config: the settings, from the environment and .env unless given. Raises SettingError and WrongDatabase."""
    config = config or settings.load()
    app = App(__name__, static_folder=None)
    app.config["settings"] = config
    schema = SCHEMA.read_text(encoding="utf-8")
    app.extensions["mechtech.db"] = open_database(config.database_url, config.db_path, schema)
    hashed_at_once = max(1, cores() // config.web_concurrency)
    app.extensions["mechtech.hasher"] = Hasher(config.bcrypt_rounds, hashed_at_once)

    # Around Flask, the innermost first: a request comes through them from the last to the first.
    for layer in (paths, security_headers, request_log, counting, proxies):
        layer.init_app(app)
    # In Flask, in this order. Reading JSON and validating it (web/body.py), then authorization
    # (web/authentication.py), follow as decorators of each route.
    for layer in (origins, rate_limit):
        layer.init_app(app)
    app.extensions["mechtech.find_account"] = accounts.find
    for blueprint in (health, auth, booking, contact, mechanics, metrics, pages, openapi, error_handlers):
        app.register_blueprint(blueprint)

    app.json.sort_keys = False  # rows keep the order of their columns
    app.json.compact = True
    commands.init_app(app)
    return app


def prepare_database(app: App) -> None:
    """Bring the database up to date at the start of a server. Raises WrongDatabase.

    A database that is locked or on a full disk stops nothing: the first request that finds it well does the rest.
    """
    try:
        app.extensions["mechtech.db"].make()
    except Unavailable as error:
        logging.getLogger("mechtech").error("cannot bring the database up to date yet: %s", error.__cause__ or error)
