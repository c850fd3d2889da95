"""The HTTP interface for integrations, runs, logs, records and live events."""
