"""What every process needs and no business word: settings, lifecycle, logging, telemetry, HTTP."""
