"""Hashing passwords with bcrypt, a few at a time, so that requests which only read do not wait for logins.

bcrypt takes tens of milliseconds of a core and lets other threads run meanwhile. The threads here hash one password
each, at a lower priority than those that answer.
"""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import bcrypt
from flask import current_app

from mechtech.texts import normalize_password

NICENESS = 5
LIMIT = 72  # bytes; bcrypt looks at no more
# With its cost, at most 20 as BCRYPT_ROUNDS: one of 31 would take a day. The last character of a salt stands for two
# bits alone, and bcrypt raises for any other.
HASH = re.compile(r"\$2[aby]\$(0[4-9]|1[0-9]|20)\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")


class Hasher:
    """rounds: bcrypt's cost of new hashes. at_once: how many this process computes."""

    def __init__(self, rounds: int, at_once: int):
        self.rounds = rounds
        self._threads = ThreadPoolExecutor(at_once, "hasher", initializer=_lower_priority)

    def hash(self, password: str) -> str:
        """The bcrypt hash of the password in Unicode's form NFC, of which 72 bytes count."""
        secret = normalize_password(password).encode()[:LIMIT]
        return self._threads.submit(bcrypt.hashpw, secret, bcrypt.gensalt(self.rounds)).result().decode()

    def verify(self, password: str, hashed: str | None, highest_cost: int) -> bool:
        """Whether it is the password of the hash. hashed: None where there is no account.

        highest_cost: the highest cost of any account's hash. Each failure takes as long as a hash of that cost, so
        that its time does not tell whether there is an account, or how old its hash is.
        """
        return self._threads.submit(_verify, password, hashed, max(highest_cost, self.rounds)).result()

    def is_outdated(self, hashed: str) -> bool:
        """Whether the hash has another cost than new ones."""
        return _cost(hashed) != self.rounds


def _verify(password: str, hashed: str | None, highest: int) -> bool:
    cost = _cost(hashed)
    # As it is hashed now, as it was typed, and as another system may have typed it.
    for form in dict.fromkeys((normalize_password(password), password, normalize_password(password, "NFD"))):
        secret = form.encode()[:LIMIT]
        if cost is None:
            bcrypt.hashpw(secret, bcrypt.gensalt(highest))
            continue
        if bcrypt.checkpw(secret, hashed.encode()):
            return True
        for missing in range(cost, highest):  # 2**cost + 2**cost + … + 2**(highest - 1) is 2**highest
            bcrypt.hashpw(secret, bcrypt.gensalt(missing))
    return False


def _cost(hashed: str | None) -> int | None:
    """None for a text that is no hash of bcrypt."""
    match = HASH.fullmatch(hashed or "")
    return int(match[1]) if match else None


def _lower_priority() -> None:
    """Lets this thread run after those that answer, and on any core, though its worker keeps to one."""
    if hasattr(os, "sched_setaffinity"):
        with suppress(OSError):  # where this is not allowed, it only competes
            os.nice(NICENESS)
            os.sched_setaffinity(0, range(os.cpu_count() or 1))


def get_hasher() -> Hasher:
    """The hasher of the current app."""
    return current_app.extensions["mechtech.hasher"]
