"""One package per technology; each is the only place that imports its driver."""
