"""Raw record to canonical record, or a list of issues. Pure."""
