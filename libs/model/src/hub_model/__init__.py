"""Pure values of the hub: messages, integrations, records, runs, ids, errors. Knows pydantic and nothing else."""
