"""These tests need a PostgreSQL: make test-postgresql. They run one after the other."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.postgresql)
            item.add_marker(pytest.mark.xdist_group("server"))
            item.add_marker(pytest.mark.own_database)
