"""How often a source may be asked: what it says, what was configured, and what its trouble teaches."""
