"""What the API shows: the stored values without secrets, and without what only operators need."""
