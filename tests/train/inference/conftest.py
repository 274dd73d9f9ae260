"""What tests of sessions share."""

import pytest
from toy_networks import BlockWorld


@pytest.fixture
def world():
    """Eight frames with two objects."""
    return BlockWorld(8, (4, 9))
