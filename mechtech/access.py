"""Authorization: who is calling, and may they. Each decorator is a word of the contract's column Who."""

from functools import wraps

from flask import request

from mechtech import rules, tokens
from mechtech.errors import Forbidden, Unauthorized
from mechtech.repository import auth


class Caller:
    """user: the row of whoever is signed in, or None. booking_id: the booking that a bookingToken is for, or None."""

    def __init__(self, user: dict | None = None, booking_id: int | None = None):
        self.user = user
        self.booking_id = booking_id
        self.user_id = user and user["id"]


NOBODY = Caller()


def anyone(view):
    """A token that is sent must be good all the same."""
    return _for(view, "anyone", lambda caller: None)


def user(view):
    return _for(view, "user", _require_user)


def admin(view):
    return _for(view, "admin", _require_admin)


def owner(view):
    """With some token; whether it opens the booking is for the booking to say (404)."""
    return _for(view, "owner", _require_token)


def _for(view, who, check):
    @wraps(view)
    def checked(*args, **kwargs):
        caller = _caller()
        check(caller)
        return view(*args, caller=caller, **kwargs)

    checked.who = who  # for the index
    return checked


def _require_user(caller: Caller) -> None:
    if caller.user is None:
        raise Unauthorized


def _require_admin(caller: Caller) -> None:
    _require_user(caller)
    if not rules.is_admin(caller.user):
        raise Forbidden


def _require_token(caller: Caller) -> None:
    if caller is NOBODY:
        raise Unauthorized


def _caller() -> Caller:
    """From the Authorization header; raises Unauthorized for anything in it that is not a good token."""
    header = request.environ.get("HTTP_AUTHORIZATION")
    if not header:
        return NOBODY
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("Only the scheme Bearer is known here.")
    claims = tokens.read(token.strip())
    if "bookingId" in claims:
        return Caller(booking_id=claims["bookingId"])
    row = auth.find(claims["userId"])
    if row is None or claims["iat"] < row["tokens_valid_from"]:
        raise Unauthorized("The token is not valid any more.")
    request.environ["mechtech.user_id"] = row["id"]
    return Caller(user=row)
