"""The pages for people: dispatch for an admin, and where the links in mails lead. All else they get over the API."""

from flask import Blueprint, Response, request

pages = Blueprint("pages", __name__, static_folder="static", static_url_path="/pages")


@pages.before_app_request
def ignore_ranges() -> None:
    """A small file is sent whole. A range that it does not have would be a 416."""
    request.environ.pop("HTTP_RANGE", None)


@pages.get("/admin")
def dispatch() -> Response:
    return pages.send_static_file("dispatch.html")


@pages.get("/booking")
def booking() -> Response:
    return pages.send_static_file("booking.html")


@pages.get("/reset")
def reset() -> Response:
    return pages.send_static_file("reset.html")
