from tests.hostile_world import unchanged, world
from tests.index_fixtures import builder, faulty_server, following, profile
from tests.lake_fixtures import empty_lake, lake, module_lake, module_profiles, profiles

__all__ = [
    "builder",
    "empty_lake",
    "faulty_server",
    "following",
    "lake",
    "module_lake",
    "module_profiles",
    "profile",
    "profiles",
    "unchanged",
    "world",
]
