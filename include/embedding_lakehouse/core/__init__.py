"""Pure rules of the lakehouse: records, profiles, chunking, differences. Nothing here reads or writes anything."""
