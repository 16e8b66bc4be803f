import pytest

from tests.index_fixtures import Following, builder, faulty_server, following, profile
from tests.lake_fixtures import empty_lake, lake, profiles
from tests.reconcile_fixtures import Reconciling

__all__ = ["builder", "empty_lake", "faulty_server", "following", "lake", "profile", "profiles"]


@pytest.fixture
def reconciling(following: Following) -> Reconciling:
    """The reconciliations of the test's own index."""
    return Reconciling(following)
