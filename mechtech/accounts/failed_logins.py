"""Guessing is slow: how many logins may fail, for one account. Addresses without an account count just the same."""

from hashlib import blake2b

import limits
from flask_limiter.util import get_remote_address

from mechtech.passwords import match_password
from mechtech.web.rate_limit import limited, limiter

FROM_ONE_ADDRESS = limits.parse("10 per 15 minutes")
FROM_ANYWHERE = limits.parse("100 per 15 minutes")


def is_password(password: str, email: str, hashed: str | None) -> bool:
    """Is it the password of the account with this address? A wrong one counts as a failed login.

    Raises RateLimited once too many have failed, before the password is looked at, and after: guesses that are sent
    all at once are worth no more than the limit.
    """
    _check(email)
    if match_password(password, hashed):
        _check(email)
        return True
    within = [limiter().hit(rate, *keys) for rate, keys in _counts(email)]
    if not all(within):
        _check(email)
    return False


def _check(email: str) -> None:
    for rate, keys in _counts(email):
        if not limiter().test(rate, *keys):
            raise limited(limiter().get_window_stats(rate, *keys).reset_time)


def _counts(email: str):
    """The account stands there as a hash: the file outlives it."""
    account = blake2b(email.lower().encode(), digest_size=16).hexdigest()
    return (FROM_ONE_ADDRESS, ("login", account, get_remote_address())), (FROM_ANYWHERE, ("login", account))
