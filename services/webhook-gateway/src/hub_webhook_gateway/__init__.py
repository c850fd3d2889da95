"""Receives signed pushes from a college's systems."""
