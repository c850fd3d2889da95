"""The store ports, the repositories written once over them, and the store adapters."""
