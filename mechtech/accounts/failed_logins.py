"""How many logins may fail for one account. Addresses without an account count just the same."""

from hashlib import blake2b

import limits

from mechtech.accounts import repository
from mechtech.passwords import get_hasher
from mechtech.texts import address_key
from mechtech.web.rate_limit import client_network, limited, limiter

FROM_ONE_ADDRESS = limits.parse("10 per 15 minutes")
FROM_ANYWHERE = limits.parse("100 per 15 minutes")


def verify_login(password: str, email: str, hashed: str | None) -> bool:
    """Whether it is the password of the account with this address. A wrong one counts as a failed login.

    hashed: None where there is no account. Raises RateLimited once too many have failed, before the password is
    looked at, and after: guesses that are sent all at once are worth no more than the limit.
    """
    _check(email)
    if get_hasher().verify(password, hashed, repository.find_highest_cost()):
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


def _counts(email: str) -> tuple:
    """Each rate with what it counts. The account stands there as a hash: the counts outlive it."""
    account = blake2b(address_key(email).encode(), digest_size=16).hexdigest()
    return (FROM_ONE_ADDRESS, ("login", account, client_network())), (FROM_ANYWHERE, ("login", account))
