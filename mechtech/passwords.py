"""Hashing passwords, a few at a time, so that whoever reads does not wait for whoever signs in.

bcrypt takes tens of milliseconds of a core and lets the other threads run meanwhile. The threads here hash one
password each, below the priority of those that answer.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import bcrypt
from flask import current_app

NICENESS = 5
LIMIT = 72  # bytes; bcrypt looks at no more


class Hasher:
    """rounds: bcrypt's cost of new hashes. at_once: how many this process computes."""

    def __init__(self, rounds: int, at_once: int):
        self._rounds = rounds
        self._threads = ThreadPoolExecutor(at_once, "hasher", initializer=_step_back)
        self._nobodys = bcrypt.hashpw(os.urandom(16).hex().encode(), bcrypt.gensalt(rounds)).decode()

    def hash(self, password: str) -> str:
        """password: 72 bytes at most and no NUL, as the schemas see to."""
        return self._threads.submit(bcrypt.hashpw, password.encode(), bcrypt.gensalt(self._rounds)).result().decode()

    def match(self, password: str, hashed: str | None) -> bool:
        """Without a hash, or with a password that cannot be one: no, in the same time."""
        secret = password.encode()
        if hashed and hashed.startswith("$2a$"):
            secret = secret[:LIMIT]  # the original cut silently, and its users' passwords go on working
        possible = hashed is not None and len(secret) <= LIMIT and b"\0" not in secret
        if not possible:
            secret, hashed = b"-", self._nobodys
        try:
            return self._threads.submit(bcrypt.checkpw, secret, hashed.encode()).result() and possible
        except ValueError:  # not a hash of bcrypt
            return False


def _step_back() -> None:
    """This thread is less urgent than those that answer, and may run on any core, though its worker keeps to one."""
    if hasattr(os, "sched_setaffinity"):
        with suppress(OSError):  # where this is not allowed, it only competes
            os.nice(NICENESS)
            os.sched_setaffinity(0, range(os.cpu_count() or 1))


def hash_password(password: str) -> str:
    return _hasher().hash(password)


def match_password(password: str, hashed: str | None) -> bool:
    return _hasher().match(password, hashed)


def _hasher() -> Hasher:
    return current_app.extensions["mechtech.hasher"]
