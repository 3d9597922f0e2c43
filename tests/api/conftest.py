"""These tests wait for no disk."""

import pytest

from tests.apps import fast_folder


@pytest.fixture
def tmp_path():
    with fast_folder() as folder:
        yield folder
