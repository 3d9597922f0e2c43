"""The pages for people: dispatch for an admin, and where the links in mails lead. All else they get over the API."""

from flask import Blueprint, Response

pages = Blueprint("pages", __name__, static_folder="static", static_url_path="/pages")


@pages.get("/admin")
def dispatch() -> Response:
    return pages.send_static_file("dispatch.html")


@pages.get("/booking")
def booking() -> Response:
    return pages.send_static_file("booking.html")


@pages.get("/reset")
def reset() -> Response:
    return pages.send_static_file("reset.html")
