"""Broker adapters. A driver is imported only inside its own adapter."""
