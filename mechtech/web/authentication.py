"""Who is calling, and whether they may: decided here, before the view, for every endpoint alike.

Each decorator is a word of the contract's column Who. All but `anyone` give the view a `caller`.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial, wraps

from flask import current_app, request

from mechtech import clock
from mechtech.errors import Forbidden, InvalidToken, NotFound, Refusal, TokenExpired, Unauthorized
from mechtech.web import tokens
from mechtech.web.answers import may_raise, note

BAD_TOKEN = (Unauthorized, InvalidToken, TokenExpired)
# What opens an endpoint, as OpenAPI has it: one of these.
NO_TOKEN, USER_TOKEN, BOOKING_TOKEN, METRICS_TOKEN = {}, {"userToken": []}, {"bookingToken": []}, {"metricsToken": []}


@dataclass(frozen=True)
class Caller:
    """user: the account's row, or None for a guest. booking: the claims of a bookingToken, or None."""

    user: dict | None = field(default=None, repr=False)  # it has the hash of the password
    booking: dict | None = None

    @property
    def user_id(self) -> int | None:
        return self.user and self.user["id"]

    @property
    def booking_id(self) -> int | None:
        return self.booking and self.booking["bookingId"]

    @property
    def booking_made(self) -> str | None:
        """The created_at of the booking that the token is for: another may have had its number before."""
        return self.booking and clock.text(self.booking["iat"])

    @property
    def role(self) -> str:
        """guest, customer or admin, as a booking's history has it."""
        return self.user["role"] if self.user else "guest"

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"


def _caller() -> Caller:
    """The caller by the Authorization header, looked up once a request. Raises for anything but a good token in it."""
    environ = request.environ
    if "mechtech.caller" in environ:
        return environ["mechtech.caller"]
    caller, token = Caller(), _bearer_token(environ)
    if token is not None:
        claims = tokens.read(token)
        if "bookingId" in claims:
            caller = Caller(booking=claims)
        else:
            account = current_app.extensions["mechtech.find_account"](claims["userId"])
            if account is None or not tokens.is_current(claims, account):
                raise InvalidToken
            environ["mechtech.user_id"] = account["id"]  # for the log
            caller = Caller(user=account)
    environ["mechtech.caller"] = caller
    return caller


def _bearer_token(environ: dict) -> str | None:
    """None for no header, or an empty one."""
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() not in ("", "bearer"):
        raise Unauthorized("Only the scheme Bearer is known here.")
    return token.strip() if scheme else None


def caller_or_guest() -> Caller:
    """The caller, or a guest where the token is not good: to refuse it is left to the decorator of the view."""
    try:
        return _caller()
    except BAD_TOKEN:
        return Caller()


def _require(who: str) -> Caller:
    caller = _caller()
    if caller.user is None and not (who == "owner" and caller.booking):
        raise Unauthorized
    if who == "admin" and not caller.is_admin:
        raise Forbidden
    return caller


def _holder() -> Caller:
    expected = current_app.config["settings"].metrics_token
    if expected is None:
        raise NotFound
    token = _bearer_token(request.environ)
    if token is None:
        raise Unauthorized
    if not hmac.compare_digest(token.encode("latin-1"), expected.encode()):  # WSGI has bytes as Latin-1
        raise InvalidToken
    return Caller()


def _who(name: str, find: Callable[[], Caller], security: list[dict], *refusals: type[Refusal]):
    """A decorator. find: gives the caller, or raises a refusal. name, security: for the index and the description."""

    def decorate(view):
        @wraps(view)
        def checked(*args, **kwargs):
            return view(*args, caller=find(), **kwargs)

        checked.who, checked.security = name, security
        return may_raise(checked, *refusals)

    return decorate


# It makes no difference who asks: no token is looked at.
anyone = note(who="anyone", security=[])
# Anyone; a token that is not good counts as none.
visitor = _who("anyone", caller_or_guest, [NO_TOKEN, USER_TOKEN, BOOKING_TOKEN])
# Anyone; but a token that is sent must be good: nothing of a user's silently becomes a guest's.
guest = _who("anyone", _caller, [NO_TOKEN, USER_TOKEN], *BAD_TOKEN)
# The holder of a user's token.
user = _who("user", partial(_require, "user"), [USER_TOKEN], *BAD_TOKEN)
# A user whose role is admin.
admin = _who("admin", partial(_require, "admin"), [USER_TOKEN], *BAD_TOKEN, Forbidden)
# The holder of some good token; the view asks whether it opens the booking.
owner = _who("owner", partial(_require, "owner"), [USER_TOKEN, BOOKING_TOKEN], *BAD_TOKEN)
# The holder of METRICS_TOKEN, as a bearer token; where that is not set there is no such path.
holder = _who("holder", _holder, [METRICS_TOKEN], NotFound, Unauthorized, InvalidToken)
