"""The files of these tests are in memory, where the system has a place there."""

import pytest

from tests.apps import fast_folder


@pytest.fixture
def tmp_path():
    with fast_folder() as folder:
        yield folder


@pytest.fixture
def while_hashing(app, monkeypatch):
    """while_hashing(act): act() runs once, when a new password is about to be hashed, as another request would."""
    hasher = app.extensions["mechtech.hasher"]
    original = hasher.hash

    def arrange(act):
        def hash(password):
            monkeypatch.setattr(hasher, "hash", original)
            act()
            return original(password)

        monkeypatch.setattr(hasher, "hash", hash)

    return arrange
