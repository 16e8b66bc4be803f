from tests.checked_batch import committed, saved_batches
from tests.index_fixtures import faulty_server
from tests.lake_fixtures import empty_lake, lake, module_lake, module_profiles, profiles

__all__ = ["committed", "empty_lake", "faulty_server", "lake", "module_lake", "module_profiles", "profiles", "saved_batches"]
