"""Create the indexes of the profiles: the only step that ever does."""

from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.pinecone import IndexService, service_from_connection
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.releases import IndexShape


def create_indexes(created_by: str = "", lake: Lake | None = None, service: IndexService | None = None) -> list[str]:
    """Create the index and the first release of every profile where they are missing; what was created."""
    lake, service = lake or connect(), service or service_from_connection()
    return [created for name in settings.profiles() for created in create_index(name, created_by, lake, service)]


def create_index(profile_name: str, created_by: str = "", lake: Lake | None = None, service: IndexService | None = None) -> list[str]:
    """Create the profile's index and its first release where they are missing; what was created.

    Raises ConfigurationError for an index of that name with another dimension or metric.
    """
    profile = settings.profile(profile_name)
    created = []
    if (service or service_from_connection()).create(IndexShape.of_profile(profile)):
        created.append(f"index {profile.index.name}")
    if Releases(lake or connect()).begin(profile, created_by or "set_up_lakehouse"):
        created.append(f"release of {profile.name}")
    return created
