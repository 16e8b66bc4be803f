from tests.drift_fixtures import indexed, monitoring
from tests.index_fixtures import builder, faulty_server, following, profile
from tests.lake_fixtures import empty_lake, lake, profiles

__all__ = ["builder", "empty_lake", "faulty_server", "following", "indexed", "lake", "monitoring", "profile", "profiles"]
