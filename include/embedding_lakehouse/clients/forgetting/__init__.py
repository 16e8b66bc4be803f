"""Forgetting documents in the lake and its indexes: tombstones, where they are held, their erasure, and the search for what is left."""
