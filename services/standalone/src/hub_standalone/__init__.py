"""Every service in one process over one SQLite file, and the hub command line."""
