"""Let the index follow the lake: plan the difference, write what is new, verify it, remove what is gone, record the sync."""
