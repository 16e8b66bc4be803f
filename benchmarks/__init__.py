"""Figures against peers and limits: `python -m benchmarks [GROUP ...]`."""
