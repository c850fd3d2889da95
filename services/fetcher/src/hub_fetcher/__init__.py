"""Pulls pages from a college's systems."""
