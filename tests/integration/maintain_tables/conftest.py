from tests.index_fixtures import faulty_server, profile
from tests.lake_fixtures import module_profiles, profiles
from tests.maintenance_fixtures import maintaining, own_lake, own_module_lake

__all__ = ["faulty_server", "maintaining", "module_profiles", "own_lake", "own_module_lake", "profile", "profiles"]
