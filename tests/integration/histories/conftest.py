from tests.index_fixtures import faulty_server, following, profile
from tests.lake_fixtures import empty_lake, lake, profiles
from tests.roll_back_fixtures import rolling

__all__ = ["empty_lake", "faulty_server", "following", "lake", "profile", "profiles", "rolling"]
