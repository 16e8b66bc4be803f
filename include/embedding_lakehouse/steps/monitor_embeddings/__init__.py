"""Measure how far the current embeddings drifted from a baseline, say from which cause, and raise what must be looked at."""
