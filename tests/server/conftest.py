"""Those who watch the clock run in two rows, one test after the other; of the rest, each module has its own row.

So whoever has a server for a module gets one for all its tests.
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
