"""Sealed secrets, tokens and roles, webhook signatures, guarded egress."""
