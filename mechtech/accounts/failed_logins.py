"""How many logins may fail for one account. Addresses without an account count just the same."""

import secrets
from hashlib import blake2b

import limits

from mechtech.accounts import repository
from mechtech.passwords import get_hasher
from mechtech.signals import limit_refused, login_failed
from mechtech.texts import address_key
from mechtech.web.rate_limit import client_network, limited, limiter

FROM_ONE_ADDRESS = limits.parse("10 per 15 minutes")
FROM_ANYWHERE = limits.parse("100 per 15 minutes")


def verify_login(password: str, email: str, hashed: str | None) -> bool:
    """Whether it is the password of the account with this address. A wrong one counts as a failed login.

    hashed: None where there is no account. Raises RateLimited once too many have failed, before the password is
    looked at, and after: guesses that are sent all at once are worth no more than the limit.
    """
    counts = _counts(email)
    _check(counts)
    right = get_hasher().verify(password, hashed, repository.find_highest_cost())
    if not right:
        login_failed.send()
        if all(limiter().hit(*count) for count in counts):
            return False
    _check(counts)
    return right


def unlock(email: str) -> None:
    """Let the failed logins of this account count no more, from whatever address they came."""
    unlocked = f"unlocked/{_hash(email)}"
    limiter().storage.incr(unlocked, FROM_ANYWHERE.get_expiry(), secrets.randbelow(2**30) + 1)


def _check(counts: list[tuple]) -> None:
    for count in counts:
        if not limiter().test(*count):
            limit_refused.send("failed_logins")
            raise limited(limiter().get_window_stats(*count).reset_time)


def _counts(email: str) -> list[tuple]:
    """Each rate with what it counts. The account stands there as a hash: the counts outlive it.

    A number that unlock() draws is part of it, so that others are counted then. It is 0 again after one window, when
    the counts from before have ended too.
    """
    account = _hash(email)
    logins = ("login", account, str(limiter().storage.get(f"unlocked/{account}")))
    return [(FROM_ONE_ADDRESS, *logins, client_network()), (FROM_ANYWHERE, *logins)]


def _hash(email: str) -> str:
    return blake2b(address_key(email).encode(), digest_size=16).hexdigest()
