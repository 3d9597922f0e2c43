"""The pages for people: dispatch for an admin, and where the links in mails lead. All else they get over the API."""

from flask import Blueprint, Response, request

from mechtech.web.answers import gives_text
from mechtech.web.authentication import anyone

html = gives_text("text/html")

pages = Blueprint("pages", __name__, static_folder="static", static_url_path="/pages")


@pages.before_request
def ignore_ranges() -> None:
    """A small file is sent whole. A range that it does not have would be a 416."""
    request.environ.pop("HTTP_RANGE", None)


@pages.get("/admin")
@anyone
@html
def dispatch() -> Response:
    """The dispatch page, which works over this API with an admin's token."""
    return pages.send_static_file("dispatch.html")


@pages.get("/docs")
@anyone
@html
def docs() -> Response:
    """The description as a page to read, and to try each call."""
    return pages.send_static_file("docs.html")


@pages.get("/booking")
@anyone
@html
def booking() -> Response:
    """The page of one booking, where links in mails lead."""
    return pages.send_static_file("booking.html")


@pages.get("/reset")
@anyone
@html
def reset() -> Response:
    """The page for a new password, where links in mails lead."""
    return pages.send_static_file("reset.html")
