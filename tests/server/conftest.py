"""These tests run one after the other, beside the rest: some watch the clock, and none wants the others' load."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("server"))


@pytest.fixture
def environ(own_environ):
    """A server that starts, or is killed, wants a database to itself."""
    return own_environ
