"""Maps and validates fetched batches."""
