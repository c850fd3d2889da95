"""What a source is asked: from an endpoint and a position to a request. Nothing is sent here."""
