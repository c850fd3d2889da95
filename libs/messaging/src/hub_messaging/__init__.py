"""The broker port, the router with its middleware, and the broker adapters."""
