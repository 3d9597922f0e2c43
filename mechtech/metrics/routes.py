"""/metrics, for a Prometheus that holds METRICS_TOKEN. Without that setting nothing is counted, and the path is 404."""

from flask import Blueprint, Flask, Response, current_app

from mechtech.web.answers import gives_text
from mechtech.web.authentication import Caller, holder

COUNTS = "mechtech.counts"
TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"

metrics = Blueprint("metrics", __name__)


def init_app(app: Flask) -> None:
    """Have the app's requests counted, if METRICS_TOKEN is set."""
    if app.config["settings"].metrics_token is None:
        return
    from mechtech.metrics.counts import Counts  # with prometheus-client, which looks at the environment when imported

    counts = app.extensions[COUNTS] = Counts()
    app.wsgi_app = counts.around(app.wsgi_app)


@metrics.get("/metrics")
@holder
@gives_text(TEXT_FORMAT, tagged=False)
def show_metrics(caller: Caller) -> Response:
    """Tell Prometheus what is counted; 404 while METRICS_TOKEN is empty."""
    return Response(current_app.extensions[COUNTS].text(), content_type=TEXT_FORMAT)
