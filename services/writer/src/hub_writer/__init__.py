"""Persists batches and tracks the progress of runs."""
