"""Simulated vendors that a hub can be connected to, over one college: what the demo and the end-to-end tests share."""
