from tests.lake_fixtures import empty_lake, module_lake, module_profiles

__all__ = ["empty_lake", "module_lake", "module_profiles"]
