"""How a source is read page by page: pagers, their detection and their guards, as pure functions."""
