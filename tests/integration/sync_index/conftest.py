from tests.index_fixtures import builder, faulty_server, following, lake, profile

__all__ = ["builder", "faulty_server", "following", "lake", "profile"]
