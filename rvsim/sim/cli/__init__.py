"""``python -m rvsim.sim bench|explain MODULE:EXPRESSION``."""
