"""/openapi.json: the description, built once a process; and the files of Swagger UI, which shows it at /docs."""

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, current_app, request

from mechtech.openapi.description import describe
from mechtech.pages.routes import ignore_ranges
from mechtech.web.answers import gives_text
from mechtech.web.authentication import anyone

# The files are taken as they were released. What else the package does is not used: its page has a script within it.
SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"

openapi = Blueprint("openapi", __name__, static_folder=SWAGGER_UI, static_url_path="/docs/swagger-ui")
openapi.before_request(ignore_ranges)


@openapi.get("/openapi.json")
@anyone
@gives_text("application/json")
def show_description() -> Response:
    """The description of this API in OpenAPI 3.1."""
    kept = current_app.extensions
    if "mechtech.openapi" not in kept:
        kept["mechtech.openapi"] = current_app.json.dumps(describe(current_app))
    answer = Response(kept["mechtech.openapi"], mimetype="application/json")
    answer.add_etag()
    answer.cache_control.no_cache = True
    return answer.make_conditional(request)
