"""Benchmarks: each prints a ratio against a named peer, measured side by side in one run."""
