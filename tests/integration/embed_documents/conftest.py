from tests.blocked_batch import blocked
from tests.lake_fixtures import empty_lake, lake, module_lake, module_profiles, profiles, staged_batch

__all__ = ["blocked", "empty_lake", "lake", "module_lake", "module_profiles", "profiles", "staged_batch"]
