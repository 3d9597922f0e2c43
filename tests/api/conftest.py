"""The files of these tests are in memory, where the system has a place there."""

import pytest

from tests.apps import fast_folder


@pytest.fixture
def tmp_path():
    with fast_folder() as folder:
        yield folder
