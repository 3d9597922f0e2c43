"""Authorization: who is calling, and may they. Each decorator is a word of the contract's column Who."""

from collections.abc import Callable
from functools import wraps

from flask import Flask, current_app, request

from mechtech.errors import Forbidden, Unauthorized
from mechtech.web import tokens

FIND_ACCOUNT = "mechtech.find_account"


def init_app(app: Flask, find_account: Callable[[int | None, float | None], dict | None]) -> None:
    """find_account: the row of a token's user; it raises Unauthorized for a token that is not valid any more."""
    app.extensions[FIND_ACCOUNT] = find_account


class Caller:
    """claims: of the token. user_id, booking_id: whom, or which booking, it is for, or None."""

    def __init__(self, claims: dict):
        self.user_id = claims.get("userId")
        self.booking_id = claims.get("bookingId")
        self.token_issued = claims.get("iat")
        self._user = None

    @property
    def user(self) -> dict | None:
        """The row of whoever is signed in, or None. Raises Unauthorized if the token is not valid any more."""
        if self._user is None:
            self._user = current_app.extensions[FIND_ACCOUNT](self.user_id, self.token_issued)
        return self._user


NOBODY = Caller({})


def anyone(view):
    """A token that is sent must be good all the same: nobody's booking silently becomes a guest's."""
    return _for(view, "anyone", lambda caller: None)


def user(view):
    return _for(view, "user", _require_user)


def admin(view):
    return _for(view, "admin", _require_admin)


def owner(view):
    """With some token; whether it opens the booking is for the booking to say (404)."""
    return _for(view, "owner", _require_token)


def _for(view, who, check):
    """who: the contract's word for it, which the index shows."""

    @wraps(view)
    def checked(*args, **kwargs):
        environ = request.environ
        caller = _caller(environ)
        if caller.user is not None:
            environ["mechtech.user_id"] = caller.user_id or "-"  # for the log
        check(caller)
        return view(*args, caller=caller, **kwargs)

    checked.who = who  # for the index
    return checked


def calls_as_admin() -> bool:
    """Whether an admin calls. A token that is not good is for the view's own decorator to refuse."""
    try:
        caller = _caller(request.environ)
        return caller.user is not None and caller.user["role"] == "admin"
    except Unauthorized:
        return False


def _require_user(caller: Caller) -> None:
    if caller.user is None:
        raise Unauthorized


def _require_admin(caller: Caller) -> None:
    _require_user(caller)
    if caller.user["role"] != "admin":
        raise Forbidden


def _require_token(caller: Caller) -> None:
    if caller.user is None and caller.booking_id is None:
        raise Unauthorized


def _caller(environ: dict) -> Caller:
    """From the Authorization header; raises Unauthorized for anything in it that is not a good token."""
    header = environ.get("HTTP_AUTHORIZATION")
    if not header:
        return NOBODY
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("Only the scheme Bearer is known here.")
    return Caller(tokens.read(token.strip()))
