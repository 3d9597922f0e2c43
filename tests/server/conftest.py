"""The groups of pytest-xdist, whose tests run one after the other: each module is one, so that it has one server.

Modules that measure time share two groups.
"""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROWS = {"test_slow_clients": "clients", "test_guessing": "clients", "test_platform": "clients"}
ROWS |= {"test_sick_database": "crashes", "test_crashes": "crashes", "test_backups": "crashes"}


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group(ROWS.get(item.path.stem, item.path.stem)))
            if item.path.stem != "test_mail":
                item.add_marker(pytest.mark.own_database)
