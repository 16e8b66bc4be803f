from tests.index_fixtures import builder, faulty_server, following, profile
from tests.lake_fixtures import empty_lake, lake, profiles
from tests.release_fixtures import rebuilding

__all__ = ["builder", "empty_lake", "faulty_server", "following", "lake", "profile", "profiles", "rebuilding"]
