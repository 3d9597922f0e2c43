"""What the service signs: users' tokens, a guest's for one booking, those of links for a new password, and cursors.

All are HS256 JWTs under JWT_SECRET; which claim they carry says which they are.
"""

import hmac
import time
from functools import lru_cache

import jwt
from flask import current_app

from mechtech.errors import InvalidToken, TokenExpired

BOOKING_SECONDS = 90 * 86400
RESET_SECONDS = 3600
AHEAD_SECONDS = 60  # how far the clock of another machine may be ahead
# PyJWT lets some of these through when the header or a claim is hostile.
BAD = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


def for_user(user: dict) -> str:
    """A token of the account, good until it expires or the account's key is drawn anew."""
    now = int(time.time())
    claims = {"userId": user["id"], "iat": now, "exp": now + current_app.config["settings"].jwt_expire}
    return sign(claims if user["token_key"] is None else {**claims, "key": user["token_key"]})


def for_booking(booking_id: int, created: int) -> str:
    """A token that opens one booking. created: when it was made, in seconds since 1970.

    It is the same whenever it is asked for, so that a retried booking gets the answer it missed.
    """
    return sign({"bookingId": booking_id, "iat": created, "exp": created + BOOKING_SECONDS})


def for_reset(account_id: int, key: str) -> str:
    """The token of a link for a new password. key: what the account has until its password changes."""
    return sign({"resetId": account_id, "key": key, "exp": int(time.time()) + RESET_SECONDS})


def sign(claims: dict) -> str:
    return jwt.encode(claims, current_app.config["settings"].jwt_secret, "HS256")


def read(token: str) -> dict:
    """The claims of a good token: iat, and either userId or bookingId. Raises InvalidToken and TokenExpired."""
    settings, now = current_app.config["settings"], time.time()
    try:
        claims = _verified(token, settings.jwt_secret, settings.jwt_secret_previous)
    except BAD:
        raise InvalidToken from None
    if claims["iat"] > now + AHEAD_SECONDS:
        raise InvalidToken
    if claims["exp"] <= now:
        raise TokenExpired
    return claims


def is_current(claims: dict, user: dict) -> bool:
    """Whether a user's token carries the account's key, or is from before the account had one."""
    if user["token_key"] is None:
        return "key" not in claims and claims["iat"] >= user["tokens_valid_from"]
    return hmac.compare_digest(str(claims.get("key")).encode(errors="replace"), user["token_key"].encode())


def read_signed(text: str, names: set[str]) -> dict:
    """The claims of a text that sign() made of these and that is not over. Raises ValueError."""
    settings = current_app.config["settings"]
    try:
        claims = _decoded(text, settings.jwt_secret, settings.jwt_secret_previous)
    except BAD as error:
        raise ValueError("not a token of ours") from error
    if not names <= claims.keys():
        raise ValueError("another kind of token")
    return claims


@lru_cache(4096)  # a signature that is good stays good; 25 µs of a request's 150
def _verified(token: str, *secrets: str | None) -> dict:
    claims = _decoded(token, *secrets, {"require": ["iat", "exp"], "verify_iat": False, "verify_exp": False})
    ids = [claims[name] for name in ("userId", "bookingId") if name in claims]
    numbers = [*ids, claims["iat"], claims["exp"]]
    if len(ids) != 1 or not all(type(number) is int and 0 < number < 2**63 for number in numbers):
        raise ValueError("not one id and two times")
    return claims


def _decoded(text: str, secret: str, previous: str | None, options: dict | None = None) -> dict:
    try:
        return jwt.decode(text, secret, ["HS256"], options=options)
    except jwt.InvalidSignatureError:
        if previous is None:
            raise
        return jwt.decode(text, previous, ["HS256"], options=options)
