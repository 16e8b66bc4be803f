"""How long, how dear and how large a run will be at any size, from what was measured and what the services publish."""
