from tests.drift_fixtures import monitoring
from tests.index_fixtures import faulty_server, following, profile
from tests.lake_fixtures import empty_lake, lake, profiles

__all__ = ["empty_lake", "faulty_server", "following", "lake", "monitoring", "profile", "profiles"]
