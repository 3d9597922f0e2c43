"""Who is calling, and whether they may: decided here, before the view, for every endpoint alike.

Each decorator is a word of the contract's column Who. All but `anyone` give the view a `caller`.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

from flask import Flask, current_app, g, request

from mechtech.errors import Forbidden, InvalidToken, NotFound, Refusal, TokenExpired, Unauthorized
from mechtech.web import request_log, tokens
from mechtech.web.answers import may_raise

FIND_ACCOUNT = "mechtech.find_account"
BAD_TOKEN = (Unauthorized, InvalidToken, TokenExpired)
# What opens an endpoint, as OpenAPI has it: one of these.
NO_TOKEN, USER_TOKEN, BOOKING_TOKEN, METRICS_TOKEN = {}, {"userToken": []}, {"bookingToken": []}, {"metricsToken": []}


def init_app(app: Flask, find_account: Callable[[int], dict | None]) -> None:
    """find_account: the account's row by its id, or None."""
    app.extensions[FIND_ACCOUNT] = find_account


@dataclass(frozen=True)
class Caller:
    """user: the account's row, or None for a guest. booking: the claims of a bookingToken, or None."""

    user: dict | None = None
    booking: dict | None = None

    @property
    def user_id(self) -> int | None:
        return self.user and self.user["id"]

    @property
    def booking_id(self) -> int | None:
        return self.booking and self.booking["bookingId"]

    @property
    def is_admin(self) -> bool:
        return self.user is not None and self.user["role"] == "admin"

    @property
    def role(self) -> str:
        """guest, customer or admin, as a booking's history has it."""
        return self.user["role"] if self.user else "guest"


def anyone(view):
    """It makes no difference who asks: no token is looked at."""
    view.who, view.security = "anyone", []
    return view


def visitor(view):
    """Anyone; a token that is not good counts as none."""
    return _for(view, "anyone", _caller_or_guest, [NO_TOKEN, USER_TOKEN, BOOKING_TOKEN])


def guest(view):
    """Anyone; but a token that is sent must be good: nothing of a user's silently becomes a guest's."""
    return _for(view, "anyone", _caller, [NO_TOKEN, USER_TOKEN], *BAD_TOKEN)


def user(view):
    """The holder of a user's token."""
    return _for(view, "user", _require_user, [USER_TOKEN], *BAD_TOKEN)


def admin(view):
    """A user whose role is admin."""
    return _for(view, "admin", _require_admin, [USER_TOKEN], *BAD_TOKEN, Forbidden)


def owner(view):
    """The holder of some good token; the view asks whether it opens the booking."""
    return _for(view, "owner", _require_token, [USER_TOKEN, BOOKING_TOKEN], *BAD_TOKEN)


def holder(view):
    """The holder of METRICS_TOKEN, as a bearer token; where that is not set there is no such path."""

    @wraps(view)
    def checked(*args, **kwargs):
        expected = current_app.config["settings"].metrics_token
        if expected is None:
            raise NotFound
        token = _bearer_token(request.environ.get("HTTP_AUTHORIZATION"))
        if token is None:
            raise Unauthorized
        if not hmac.compare_digest(token.encode("latin-1"), expected.encode()):  # WSGI has bytes as Latin-1
            raise InvalidToken
        return view(*args, **kwargs)

    checked.who, checked.security = "holder", [METRICS_TOKEN]
    return may_raise(checked, NotFound, Unauthorized, InvalidToken)


def calls_as_admin() -> bool:
    """Whether an admin calls. A token that is not good is for the view's own decorator to refuse."""
    return _caller_or_guest().is_admin


def _for(view, who: str, find: Callable[[], Caller], security: list[dict], *refusals: type[Refusal]):
    @wraps(view)
    def checked(*args, **kwargs):
        return view(*args, caller=find(), **kwargs)

    checked.who, checked.security = who, security  # for the index and the description
    return may_raise(checked, *refusals)


def _require_user() -> Caller:
    caller = _caller()
    if caller.user is None:
        raise Unauthorized
    return caller


def _require_admin() -> Caller:
    caller = _require_user()
    if not caller.is_admin:
        raise Forbidden
    return caller


def _require_token() -> Caller:
    caller = _caller()
    if caller == Caller():
        raise Unauthorized
    return caller


def _caller_or_guest() -> Caller:
    try:
        return _caller()
    except BAD_TOKEN:
        return Caller()


def _caller() -> Caller:
    """From the Authorization header, found once a request. Raises for anything in it that is not a good token."""
    if "caller" not in g:
        g.caller = _find_caller(request.environ.get("HTTP_AUTHORIZATION"))
        if g.caller.user is not None:
            request_log.name_account(g.caller.user_id)
    return g.caller


def _find_caller(header: str | None) -> Caller:
    token = _bearer_token(header)
    if token is None:
        return Caller()
    claims = tokens.read(token)
    if "bookingId" in claims:
        return Caller(booking=claims)
    account = current_app.extensions[FIND_ACCOUNT](claims["userId"])
    if account is None or not tokens.is_current(claims, account):
        raise InvalidToken
    return Caller(user=account)


def _bearer_token(header: str | None) -> str | None:
    """None for no header, or an empty one."""
    if not header:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("Only the scheme Bearer is known here.")
    return token.strip()
