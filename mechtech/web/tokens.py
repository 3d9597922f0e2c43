"""What the service signs: users' tokens, a guest's token for one booking, and the cursors of lists.

All are HS256 JWTs under JWT_SECRET; which claim they carry says which they are. The contract's section Tokens.
"""

import time
from functools import lru_cache

import jwt
from flask import current_app

from mechtech.errors import Unauthorized

BOOKING_SECONDS = 90 * 86400
OPTIONS = {"require": ["iat", "exp"], "verify_iat": False, "verify_exp": False}
# PyJWT lets some of these through when the header or a claim is hostile.
BAD = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


def for_user(user: dict, now: int) -> str:
    """now: seconds since 1970, taken before the password was looked at.

    A new password ends what was issued in its own second too, so the next token waits for the next second: no longer,
    should the clock have been ahead.
    """
    issued = max(now, user["tokens_valid_from"])
    time.sleep(min(max(0.0, issued - time.time()), 1.0))
    return _sign({"userId": user["id"], "iat": issued, "exp": issued + current_app.config["settings"].jwt_expire})


def for_booking(booking_id: int, issued: int) -> str:
    """The same token whenever it is asked for, so that a retried booking gets the answer it missed."""
    return _sign({"bookingId": booking_id, "iat": issued, "exp": issued + BOOKING_SECONDS})


def read(token: str) -> dict:
    """The claims of a good token: iat, and either userId or bookingId. Raises Unauthorized."""
    try:
        claims = _verified(token, _secret())
    except BAD:
        raise Unauthorized("The token is not valid.") from None
    if claims["exp"] <= time.time():
        raise Unauthorized("The token is over.")
    return claims


@lru_cache(4096)
def _verified(token: str, secret: str) -> dict:
    """A signature that is good stays good; whether the token is over is asked each time."""
    claims = jwt.decode(token, secret, ["HS256"], options=OPTIONS)
    ids = [claims[name] for name in ("userId", "bookingId") if name in claims]
    if len(ids) != 1 or type(ids[0]) is not int or not 0 < ids[0] < 2**63:
        raise ValueError("not one id")
    for name in ("iat", "exp"):
        if type(claims[name]) not in (int, float) or not 0 <= claims[name] < 2**63:
            raise ValueError(f"{name} is not a time")
    return claims


def sign_cursor(claims: dict) -> str:
    """The text of a cursor, which read_cursor reads again."""
    return _sign(claims)


def read_cursor(text: str) -> dict:
    """The claims of a cursor. Raises ValueError for a text that is not one of ours."""
    try:
        claims = jwt.decode(text, _secret(), ["HS256"])
    except BAD as error:
        raise ValueError("not a cursor") from error
    if not {"after", "of"} <= claims.keys():
        raise ValueError("not a cursor")
    return claims


def _sign(claims: dict) -> str:
    return jwt.encode(claims, _secret(), "HS256")


def _secret() -> str:
    return current_app.config["settings"].jwt_secret
