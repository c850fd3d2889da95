"""What came back: from bytes to records, or to an error that says what came instead."""
