from tests.lake_fixtures import empty_lake, lake, module_lake, module_profiles, profiles
from tests.maintenance_fixtures import own_module_lake
from tests.model_fixtures import model_process, model_server

__all__ = ["empty_lake", "lake", "model_process", "model_server", "module_lake", "module_profiles", "own_module_lake", "profiles"]
