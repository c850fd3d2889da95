"""A walk through the pages of an endpoint, in stretches, as batches."""
