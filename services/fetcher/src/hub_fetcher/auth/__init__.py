"""Credentials of every kind, and the tokens that are bought with them."""
