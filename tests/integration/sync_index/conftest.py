import socket

import pytest

from tests.index_fixtures import builder, faulty_server, following, lake, profile

__all__ = ["builder", "faulty_server", "following", "lake", "profile"]


@pytest.fixture
def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
