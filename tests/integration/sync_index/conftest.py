import socket

import pytest

from tests.index_fixtures import builder, faulty_server, following, profile
from tests.lake_fixtures import empty_lake, lake, profiles
from tests.roll_back_fixtures import rolling

__all__ = ["builder", "empty_lake", "faulty_server", "following", "lake", "profile", "profiles", "rolling"]


@pytest.fixture
def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
