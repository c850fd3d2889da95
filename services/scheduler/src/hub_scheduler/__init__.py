"""Decides when each integration syncs."""
